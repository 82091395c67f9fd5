"""REINFORCE: samples that the discriminator rewards become likelier (Williams 1992)."""

import torch
from torch import Tensor

from fairseq_genext.gan.estimators.baselines import BASELINES
from fairseq_genext.gan.estimators.estimator import Estimator
from fairseq_genext.gan.losses.loss import Loss
from fairseq_genext.gan.rewards import OF_PAIRS, logit_rewards
from fairseq_genext.gan.rollouts import rollout_rewards, sample_with_rollouts
from fairseq_genext.gan.step import Step, token_log_probs
from fairseq_genext.modules.samplers import Samples, plain_sampling


class ReinforceEstimator(Estimator):
    """L = -sum_t (Q_t - b_t) log p(y_t | y_<t), with the baseline b and what a token earns, Q:

    * with rollouts, the mean reward of completions (``gan/rollouts.py``; SeqGAN);
    * without, the reward of the whole sequence, the same for all of its tokens;
    * by a discriminator with a score a token, the rewards to come,
      Q_t = sum_{s >= t} gamma^(s - t) r_s (ScratchGAN, section 3), those after the end being 0.

    Args:
        reward: a key of ``REWARDS``.
        rollouts: completions of each prefix, 0 for none.
        discount: gamma.
        baseline: a key of ``BASELINES``.
        baseline_decay: decay of the exponential moving average.

    Raises:
        ValueError: a number is out of its range.
    """

    def __init__(
        self, reward: str, rollouts: int, discount: float, baseline: str, baseline_decay: float
    ) -> None:
        if rollouts < 0:
            raise ValueError(f"--rollouts is {rollouts}; it cannot be negative")
        if not 0 <= discount <= 1:
            raise ValueError(f"--reward-discount is {discount}; it must be in [0, 1]")
        if not 0 <= baseline_decay < 1:
            raise ValueError(f"--baseline-decay is {baseline_decay}; it must be in [0, 1)")
        self.reward = reward
        self.rollouts = rollouts
        self.discount = discount
        self.baseline = BASELINES[baseline](baseline_decay)

    def generator_loss(self, step: Step, loss: Loss) -> tuple[Tensor, dict[str, Tensor | float]]:
        """As ``Estimator.generator_loss``; figures are ``reward_mean`` and ``reward_square``.

        Both are of what a sequence earns a token on average.
        """
        with plain_sampling(step.generator, step.discriminator):
            samples, earned = self.sample_and_reward(step)
        advantage = earned - self.baseline(earned, samples.mask)
        log_probs = token_log_probs(step.generator, samples, step.length)
        per_token = earned.sum(dim=1) / samples.mask.sum(dim=1)
        figures = {"reward_mean": per_token.mean(), "reward_square": per_token.square().mean()}
        return -(advantage * log_probs).sum(dim=1), figures

    def sample_and_reward(self, step: Step) -> tuple[Samples, Tensor]:
        """Samples, and what each of their tokens earns, ``(batch, time)``, 0 in the padding.

        A sample is the pair of the real text in its place.
        """
        real = step.real_scores(self.reward in OF_PAIRS)

        def of_sequences(texts: Samples, pair: Tensor) -> Tensor:
            scores = step.scores(texts)
            partner = None if real is None else real.select(pair)
            return scores.mean(logit_rewards(self.reward, scores, partner))

        if self.rollouts > 0:
            samples, completions = sample_with_rollouts(
                step.generator, len(step.real), step.length, self.rollouts, step.condition
            )
            rows = step.discriminator.rows_at_once
            rewards = rollout_rewards(samples, completions, self.rollouts, of_sequences, rows)
            return samples, rewards
        samples = self.sample(step)
        scores = step.scores(samples)
        rewards = logit_rewards(self.reward, scores, real)
        if scores.per_token:
            return samples, self.to_come(rewards * samples.mask)
        return samples, scores.mean(rewards).unsqueeze(1) * samples.mask

    def to_come(self, rewards: Tensor) -> Tensor:
        """Discounted sums of ``(batch, time)`` rewards from each token to the last."""
        total, sums = torch.zeros_like(rewards[:, 0]), []
        for reward in rewards.flip(1).unbind(1):
            total = reward + self.discount * total
            sums.append(total)
        return torch.stack(sums[::-1], dim=1)

    def state_dict(self) -> dict:
        """The baseline's state."""
        return self.baseline.state_dict()

    def load_state_dict(self, state: dict) -> None:
        """Restores the baseline's state."""
        self.baseline.load_state_dict(state)
