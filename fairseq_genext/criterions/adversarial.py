"""`adversarial`: the loss of the player whose turn it is.

In pretraining the generator minimises the negative log-likelihood of real text. With noise in the
generator that is -log p(x | z) for one draw of z, an upper bound in expectation of -log p(x)
(Jensen), and the nll_loss and ppl in the log are to be read so.
"""

import math
from dataclasses import dataclass
from typing import Optional

import torch
from fairseq import utils
from fairseq.criterions import FairseqCriterion, register_criterion
from fairseq.dataclass import FairseqDataclass
from fairseq.logging import metrics
from omegaconf import II

from fairseq_genext.criterions.likelihood import negative_log_likelihood
from fairseq_genext.criterions.repeatable_validation import RepeatableValidation
from fairseq_genext.errors import UsageError, require_choice
from fairseq_genext.gan.combinations import check
from fairseq_genext.gan.estimators import ESTIMATORS
from fairseq_genext.gan.estimators.baselines import BASELINES
from fairseq_genext.gan.estimators.gumbel import SAMPLES
from fairseq_genext.gan.estimators.ppo import SCALES
from fairseq_genext.gan.losses import LOSSES, build_loss
from fairseq_genext.gan.progress import Progress
from fairseq_genext.gan.rewards import REWARDS
from fairseq_genext.gan.schedule import Phase, Turn
from fairseq_genext.gan.settings import fill_defaults, preset_option
from fairseq_genext.gan.step import Step
from fairseq_genext.modules.conditions import Condition
from fairseq_genext.modules.samplers import SampleLength, Samples


@dataclass
class AdversarialConfig(FairseqDataclass):
    gan_loss: Optional[str] = preset_option("gan_loss", f"one of {', '.join(LOSSES)}")
    penalty_weight: Optional[float] = preset_option(
        "penalty_weight", "wgan-gp: weight of the penalty"
    )
    r1_weight: Optional[float] = preset_option(
        "r1_weight", "any loss: weight of R1, the discriminator's squared slope at real text"
    )
    r2_weight: Optional[float] = preset_option(
        "r2_weight", "any loss: weight of R2, the same at generated text"
    )
    gradient_estimator: Optional[str] = preset_option(
        "gradient_estimator", f"one of {', '.join(ESTIMATORS)}"
    )
    gumbel_samples: Optional[str] = preset_option(
        "gumbel_samples",
        "gumbel: what the discriminator reads; hard: straight-through one-hot vectors, soft: "
        "relaxed ones",
    )
    gumbel_feedback: Optional[str] = preset_option(
        "gumbel_feedback",
        "gumbel: the generator's next input; soft: the sample, through which the gradient flows, "
        "hard: its likeliest token",
    )
    gumbel_temperature: Optional[float] = preset_option(
        "gumbel_temperature", "gumbel: temperature at the first update in turns"
    )
    gumbel_final_temperature: Optional[float] = preset_option(
        "gumbel_final_temperature", "gumbel: temperature after --gumbel-anneal-updates"
    )
    gumbel_anneal_updates: Optional[int] = preset_option(
        "gumbel_anneal_updates", "gumbel: updates in turns over which it changes; 0: never"
    )
    reward: Optional[str] = preset_option("reward", f"reinforce, ppo: one of {', '.join(REWARDS)}")
    rollouts: Optional[int] = preset_option(
        "rollouts",
        "reinforce: completions of each prefix; 0: the reward of the whole, or of each token "
        "where the discriminator scores tokens",
    )
    reward_discount: Optional[float] = preset_option(
        "reward_discount", "reinforce, scores of tokens: discount of later rewards"
    )
    reward_baseline: Optional[str] = preset_option(
        "reward_baseline", f"reinforce, ppo: one of {', '.join(BASELINES)}"
    )
    baseline_decay: Optional[float] = preset_option(
        "baseline_decay", "reinforce, ppo: ema: decay of the exponential moving average"
    )
    advantage_scale: Optional[str] = preset_option(
        "advantage_scale",
        "ppo: none, or deviation: reward less baseline in units of its standard deviation in the "
        "buffer, at most 2",
    )
    ppo_clip: Optional[float] = preset_option(
        "ppo_clip", "ppo: how far from 1 a ratio of probabilities still moves the generator"
    )
    ppo_buffer: Optional[int] = preset_option(
        "ppo_buffer", "ppo: texts that are drawn at once and read by several updates"
    )
    ppo_epochs: Optional[int] = preset_option("ppo_epochs", "ppo: how often each is read")
    human_share: Optional[float] = preset_option(
        "human_share", "ppo: share of human texts in the buffer at first"
    )
    human_share_updates: Optional[int] = preset_option(
        "human_share_updates", "ppo: updates in turns over which that falls to 0; 0: it stays"
    )
    human_reward: Optional[float] = preset_option(
        "human_reward", "ppo: reward of a human text, from which no baseline is taken"
    )
    max_sample_length: int = II("task.max_sample_length")
    fixed_length: bool = II("task.fixed_length")
    seed: int = II("common.seed")


@register_criterion("adversarial", dataclass=AdversarialConfig)
class Adversarial(RepeatableValidation, FairseqCriterion):
    """Loss and gradient estimator of a GAN, put together from their flags.

    Attributes:
        each_process: every process has samples of its own in ``training_state``.

    Raises:
        UsageError: a flag's value does not exist.
    """

    each_process = True

    def __init__(self, cfg: AdversarialConfig, task) -> None:
        super().__init__(task)
        fill_defaults(cfg)
        for name, choices in (
            ("gan_loss", LOSSES),
            ("gradient_estimator", ESTIMATORS),
            ("gumbel_samples", SAMPLES),
            ("gumbel_feedback", SAMPLES),
            ("reward", REWARDS),
            ("reward_baseline", BASELINES),
            ("advantage_scale", SCALES),
        ):
            require_choice(cfg, name, choices)
        try:
            self.loss = build_loss(cfg)
            self.estimator = build_estimator(cfg)
        except ValueError as error:
            raise UsageError(str(error)) from None
        self.cfg = cfg
        self.seed = cfg.seed
        self.length = SampleLength(cfg.max_sample_length, cfg.fixed_length)
        self.turn = Turn(Phase.GENERATOR_PRETRAINING, "generator")

    @classmethod
    def build_criterion(cls, cfg: AdversarialConfig, task) -> "Adversarial":
        """Builds the criterion from its flags."""
        return cls(cfg, task)

    def check_discriminator(self, per_token: bool) -> None:
        """Refuses, with a UsageError, a discriminator that does not go with loss and estimator.

        Args:
            per_token: whether it scores tokens and not sequences.
        """
        check(self.cfg.gan_loss, self.cfg.gradient_estimator, self.cfg.rollouts, per_token)

    def begin_turn(self, turn: Turn) -> None:
        """Says whose loss the next batches are."""
        self.turn = turn

    def forward(self, model, sample):
        """
        Returns:
            The sum of the loss over the batch, what to divide it by (tokens for likelihood,
            sentences for the players' losses), and the figures to log.
        """
        if not model.training:
            return self.validate(model, sample)
        if self.turn.phase is Phase.GENERATOR_PRETRAINING:
            return self.likelihood(model, sample)
        if self.turn.player == "discriminator":
            return self.discriminator_turn(model, sample)
        return self.generator_turn(model, sample)

    def likelihood(self, model, sample):
        """-log p(x | z) of real text, in nats, summed over tokens."""
        nll = negative_log_likelihood(model, sample, self.padding_idx)
        sample_size = sample["ntokens"]
        return nll, sample_size, self.log(sample, nll, sample_size, nll_loss=nll.data)

    def step(self, generator, discriminator, sample, condition: Condition | None = None) -> Step:
        """This step's players and real sequences."""
        real = sample["target"]
        return Step(
            generator,
            discriminator,
            Samples(real, real.ne(self.padding_idx), condition=condition),
            self.length,
            self.turn.updates_in_turns,
            condition,
        )

    def discriminator_turn(self, model, sample):
        """The discriminator's loss on real sentences and as many generated ones."""

        def compute(generator, discriminator, condition=None):
            step = self.step(generator, discriminator, sample, condition)
            fake = self.estimator.sample(step)
            real_scores, fake_scores = step.real_and_fake_scores(fake)
            loss = self.loss.discriminator(real_scores, fake_scores)
            penalty = torch.zeros_like(loss)
            if self.loss.penalties and torch.is_grad_enabled():
                penalty = self.loss.penalty(
                    step.discriminator_given(condition), *step.real_and_fake_points(fake)
                )
            return loss, penalty, real_scores.mean(), fake_scores.mean()

        loss, penalty, real, fake = model(compute=compute, **sample["net_input"])
        figures = {
            "d_loss": loss.detach().float().sum(),
            "d_accuracy_real": real.detach().gt(0).sum(),
            "d_accuracy_fake": fake.detach().le(0).sum(),
        }
        if penalty.requires_grad:
            figures["gradient_penalty"] = penalty.detach().float().sum()
        loss = (loss + penalty).float().sum()
        batch_size = sample["target"].size(0)
        return loss, batch_size, self.log(sample, loss, batch_size, **figures)

    def generator_turn(self, model, sample):
        """The generator's loss against the discriminator, as the estimator gives it."""

        def compute(generator, discriminator, condition=None):
            step = self.step(generator, discriminator, sample, condition)
            return self.estimator.generator_loss(step, self.loss)

        loss, figures = model(compute=compute, **sample["net_input"])
        loss = loss.float().sum()
        batch_size = sample["target"].size(0)
        figures = {name: value * batch_size for name, value in figures.items()}
        return loss, batch_size, self.log(sample, loss, batch_size, g_loss=loss.data, **figures)

    def validate(self, model, sample):
        """Held-out likelihood, and both players' losses on the batch."""
        with self.validation_randomness(sample):
            nll, sample_size, logging_output = self.likelihood(model, sample)
            _, _, losses = self.discriminator_turn(model, sample)
        logging_output.update({key: losses[key] for key in losses if key.startswith("d_")})
        return nll, sample_size, logging_output

    def save_progress(self, progress: Progress) -> None:
        """Notes what the estimator must know when training is resumed."""
        progress.set(**self.estimator.state_dict())

    def load_progress(self, progress: Progress) -> None:
        """Gives the estimator back what ``save_progress`` noted."""
        known = {name: progress.get(name) for name in self.estimator.state_dict()}
        if not any(map(math.isnan, known.values())):
            self.estimator.load_state_dict(known)

    def training_state(self) -> dict:
        """What the estimator has drawn and not read yet; see ``patches.criterion_state``."""
        return self.estimator.buffer_state()

    def load_training_state(self, state: dict) -> None:
        """Gives the estimator back what ``training_state`` returned."""
        self.estimator.load_buffer_state(state)

    def log(self, sample, loss, sample_size, **figures) -> dict:
        """Figures of one batch, all of them sums, so that workers can add theirs."""
        return {
            "loss": loss.data,
            "ntokens": sample["ntokens"],
            "nsentences": sample["target"].size(0),
            "sample_size": sample_size,
            "phase": int(self.turn.phase),
            "batches": 1,
            **figures,
        }

    @staticmethod
    def reduce_metrics(logging_outputs) -> None:
        """Logs ``loss`` and ``nll_loss`` (likelihood) in bits, the players' losses in nats."""

        def total(key: str) -> float:
            return sum(log.get(key, 0) for log in logging_outputs)

        def logged(key: str) -> bool:
            return any(key in log for log in logging_outputs)

        sentences = total("nsentences")
        bits = 1 / math.log(2) if logged("nll_loss") else 1.0
        size = total("sample_size")
        metrics.log_scalar("loss", total("loss") / size * bits, size, round=3)
        if logged("nll_loss"):
            tokens = total("ntokens")
            nll = total("nll_loss") / tokens / math.log(2)
            metrics.log_scalar("nll_loss", nll, tokens, round=3)
            metrics.log_derived("ppl", perplexity)
        for key in PER_SENTENCE:
            if logged(key):
                metrics.log_scalar(key, total(key) / sentences, sentences, round=4)
        if logged("reward_mean"):
            mean = total("reward_mean") / sentences
            square = total("reward_square") / sentences
            spread = max(float(square - mean**2), 0.0) ** 0.5
            metrics.log_scalar("reward_mean", mean, sentences, round=4)
            metrics.log_scalar("reward_spread", spread, sentences, round=4)
        metrics.log_scalar("phase", total("phase") / total("batches"), weight=0)

    @staticmethod
    def logging_outputs_can_be_summed() -> bool:
        """Every figure is a sum, so workers may add theirs before ``reduce_metrics``."""
        return True


def build_estimator(cfg: AdversarialConfig):
    """The gradient estimator that the flags name, with its own flags."""
    arguments = {
        "gumbel": lambda: {
            "samples": cfg.gumbel_samples,
            "feedback": cfg.gumbel_feedback,
            "temperature": cfg.gumbel_temperature,
            "final_temperature": cfg.gumbel_final_temperature,
            "anneal_updates": cfg.gumbel_anneal_updates,
        },
        "reinforce": lambda: {
            "reward": cfg.reward,
            "rollouts": cfg.rollouts,
            "discount": cfg.reward_discount,
            "baseline": cfg.reward_baseline,
            "baseline_decay": cfg.baseline_decay,
        },
        "mali": dict,
        "ppo": lambda: {
            "reward": cfg.reward,
            "baseline": cfg.reward_baseline,
            "baseline_decay": cfg.baseline_decay,
            "clip": cfg.ppo_clip,
            "size": cfg.ppo_buffer,
            "epochs": cfg.ppo_epochs,
            "human_share": cfg.human_share,
            "human_share_updates": cfg.human_share_updates,
            "human_reward": cfg.human_reward,
            "scale": cfg.advantage_scale,
        },
    }
    return ESTIMATORS[cfg.gradient_estimator](**arguments[cfg.gradient_estimator]())


def perplexity(meters) -> float | None:
    """2 to the nll_loss, None in the phases that have no likelihood."""
    nll = meters["nll_loss"].avg
    return None if nll is None else utils.get_perplexity(nll)


PER_SENTENCE = (
    "d_loss",
    "g_loss",
    "d_accuracy_real",
    "d_accuracy_fake",
    "gradient_penalty",
    "gumbel_temperature",
    "mali_largest_weight",
    "ppo_clipped",
)
