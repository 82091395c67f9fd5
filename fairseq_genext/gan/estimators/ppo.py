"""Proximal policy optimisation (PPO): texts are drawn once and read by several updates."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from fairseq_genext.gan.estimators.reinforce import ReinforceEstimator
from fairseq_genext.gan.losses.loss import Loss
from fairseq_genext.gan.step import Step, token_log_probs
from fairseq_genext.modules.conditions import Condition, Noise, Source, draw_condition
from fairseq_genext.modules.samplers import Samples, one_batch, plain_sampling

SCALES = ("none", "deviation")
LARGEST = 2.0  # advantage in units of the deviation


@dataclass
class Buffer:
    """Generated texts with what they are worth, and the order in which they are read.

    Attributes:
        texts: ``tokens``, ``(generated, time)``, and what they were drawn from: ``noise``, or
            ``source`` and ``source_lengths``.
        log_probs: ``(generated,)``, log p of each text when it was drawn.
        rewards, advantages: ``(generated,)``.
        order: ``(texts,)``, indices of generated texts, and for a place of a human text one that
            there is none of.
        read: how many places have been read.
    """

    texts: dict[str, Tensor]
    log_probs: Tensor
    rewards: Tensor
    advantages: Tensor
    order: Tensor
    read: int = 0

    def next(self, number: int) -> Tensor:
        """The next entries of ``order``, ``(number,)``; after the last comes the first again."""
        places = torch.arange(self.read, self.read + number, device=self.order.device)
        self.read += number
        return self.order[places % len(self.order)]


class PPOEstimator(ReinforceEstimator):
    """The clipped surrogate (Schulman et al. 2017, https://arxiv.org/abs/1707.06347, equation 7) of
    whole texts, as in TextGAIL (Wu et al. 2021, https://arxiv.org/abs/2004.13796):

        L = -min(r A, clip(r, 1 - epsilon, 1 + epsilon) A),
        r = exp(sum_t log p(y_t | y_<t) - sum_t log p_old(y_t | y_<t)),   A = reward - baseline

    A buffer of texts with log p_old and rewards is drawn once; each of the generator's updates
    reads as many of them as a batch has, until all have been read ``epochs`` times. A share of the
    buffer's places is for human texts, those of the batch that the update is given: their r is 1,
    and their advantage is constant.

    Args:
        reward: a key of ``REWARDS``; by a discriminator with a score a token, a text earns the sum.
        baseline: a key of ``BASELINES``, over the generated texts of the buffer.
        baseline_decay: decay of the exponential moving average.
        clip: epsilon.
        size: texts in the buffer, at least a batch.
        epochs: how often each is read.
        human_share: of the buffer at the first update in turns; it falls linearly to 0.
        human_share_updates: updates in turns over which it falls; 0: it stays.
        human_reward: A of human texts.
        scale: ``deviation`` divides A of generated texts by its standard deviation in the buffer
            and clips it to 2 (TextGAIL's public code), ``none`` leaves it.

    Raises:
        ValueError: a number is out of its range.
    """

    def __init__(
        self,
        reward: str,
        baseline: str,
        baseline_decay: float,
        clip: float,
        size: int,
        epochs: int,
        human_share: float,
        human_share_updates: int,
        human_reward: float,
        scale: str,
    ) -> None:
        super().__init__(reward, 0, 1.0, baseline, baseline_decay)
        if not 0 < clip < 1:
            raise ValueError(f"--ppo-clip is {clip}; it must be greater than 0 and less than 1")
        for flag, number in {"--ppo-buffer": size, "--ppo-epochs": epochs}.items():
            if number < 1:
                raise ValueError(f"{flag} is {number}; it must be at least 1")
        if not 0 <= human_share < 1:
            raise ValueError(f"--human-share is {human_share}; it must be in [0, 1)")
        if human_share_updates < 0:
            raise ValueError(
                f"--human-share-updates is {human_share_updates}; it cannot be negative"
            )
        if not math.isfinite(human_reward):
            raise ValueError(f"--human-reward is {human_reward}; it must be a finite number")
        self.clip = clip
        self.size = size
        self.epochs = epochs
        self.human_share = human_share
        self.human_share_updates = human_share_updates
        self.human_reward = human_reward
        self.scaled = scale == "deviation"
        self.buffer: Buffer | None = None

    def generator_loss(self, step: Step, loss: Loss) -> tuple[Tensor, dict[str, Tensor | float]]:
        """As ``Estimator.generator_loss``.

        Figures are ``reward_mean`` and ``reward_square`` of the buffer's generated texts, and
        ``ppo_clipped``, the share of the texts read that have no gradient.
        """
        spent = self.buffer is None or self.buffer.read >= self.epochs * len(self.buffer.order)
        if in_any_process(spent, step.real.tokens.device):
            self.buffer = self.draw(step)
        buffer = self.buffer
        entries = buffer.next(len(step.real))
        generated = entries[entries < len(buffer.rewards)]
        human = (entries >= len(buffer.rewards)).nonzero().squeeze(1)
        losses, clipped = [], 0
        if len(generated) > 0:
            log_probs = self.text_log_probs(step, self.read(step, generated))
            ratio = (log_probs - buffer.log_probs[generated]).exp()
            advantages = buffer.advantages[generated]
            near = ratio.clamp(1 - self.clip, 1 + self.clip)
            gain = torch.minimum(ratio * advantages, near * advantages)
            clipped = (gain < ratio * advantages).sum()
            losses.append(-gain)
        if len(human) > 0:
            log_probs = self.text_log_probs(step, self.human_texts(step, human))
            # A text with a symbol that is never sampled has no log p, and teaches nothing.
            log_ratio = (log_probs - log_probs.detach()).nan_to_num(0.0)
            losses.append(-self.human_reward * log_ratio.exp())
        figures = {
            "reward_mean": buffer.rewards.mean(),
            "reward_square": buffer.rewards.square().mean(),
            "ppo_clipped": clipped / len(entries),
        }
        return torch.cat(losses), figures

    def draw(self, step: Step) -> Buffer:
        """A new buffer, by the generator and the discriminator as they are."""
        number = max(self.size, len(step.real))
        generated = number - int(self.share(step.updates) * number)
        with torch.no_grad():
            with plain_sampling(step.generator, step.discriminator):
                pieces = [
                    self.sample_and_reward(step)
                    for _ in range(math.ceil(generated / len(step.real)))
                ]
            # A text earns what its first token does, everything that is to come.
            rewards = torch.cat([earned[:, 0] for _, earned in pieces])[:generated]
            drawn = [samples for samples, _ in pieces]
            log_probs = torch.cat([self.text_log_probs(step, part) for part in drawn])[:generated]
        advantages = rewards - self.baseline(
            rewards.unsqueeze(1), torch.ones_like(rewards, dtype=torch.bool).unsqueeze(1)
        ).squeeze(1)
        deviation = rewards.std(correction=0)
        if self.scaled and deviation > 0:
            advantages = (advantages / deviation).clamp(-LARGEST, LARGEST)
        texts = {"tokens": one_batch(drawn, step.generator.dictionary.pad()).tokens}
        for name in given(drawn[0].condition):
            texts[name] = torch.cat([given(part.condition)[name] for part in drawn])
        texts = {name: rows[:generated] for name, rows in texts.items()}
        order = torch.randperm(number, device=rewards.device)
        return Buffer(texts, log_probs, rewards, advantages, order)

    def share(self, updates: int) -> float:
        """That of human texts in a buffer drawn after ``updates`` updates in turns."""
        if self.human_share_updates == 0:
            return self.human_share
        return self.human_share * max(1 - updates / self.human_share_updates, 0.0)

    def read(self, step: Step, rows: Tensor) -> Samples:
        """The generated texts ``rows`` of the buffer."""
        texts = {name: value[rows] for name, value in self.buffer.texts.items()}
        tokens = texts.pop("tokens")
        mask = tokens.ne(step.generator.dictionary.pad())
        longest = int(mask.sum(dim=1).max())
        condition = Condition()
        if "noise" in texts:
            condition = Noise(texts["noise"])
        elif "source" in texts:
            condition = Source(step.condition.encoder, texts["source"], texts["source_lengths"])
        return Samples(tokens[:, :longest], mask[:, :longest], condition=condition)

    @staticmethod
    def human_texts(step: Step, rows: Tensor) -> Samples:
        """The texts ``rows`` of the batch; given noise, where the generator takes any."""
        if step.condition is None:
            condition = draw_condition(step.generator, len(rows))
        else:
            condition = step.condition.select(rows)
        return Samples(step.real.tokens[rows], step.real.mask[rows], condition=condition)

    @staticmethod
    def text_log_probs(step: Step, texts: Samples) -> Tensor:
        """log p of texts, ``(batch,)``."""
        return token_log_probs(step.generator, texts, step.length).sum(dim=1)

    def buffer_state(self) -> dict:
        """The buffer, and how far it is read."""
        return {} if self.buffer is None else vars(self.buffer)

    def load_buffer_state(self, state: dict) -> None:
        """Takes the buffer back."""
        self.buffer = Buffer(**state) if state else None


def given(condition: Condition) -> dict[str, Tensor]:
    """What texts were drawn from, a row a text; empty where that is nothing."""
    if isinstance(condition, Source):
        return {"source": condition.tokens, "source_lengths": condition.lengths}
    return condition.arguments


def in_any_process(true: bool, device: torch.device) -> bool:
    """Whether it is so in one of the processes: they draw together, since baselines may add up."""
    if not torch.distributed.is_initialized():
        return true
    count = torch.tensor(int(true), device=device)
    torch.distributed.all_reduce(count)
    return bool(count > 0)
