"""`adversarial`: the loss of the player whose turn it is.

In pretraining the generator minimises the negative log-likelihood of real text. With noise in the
generator that is -log p(x | z) for one draw of z, an upper bound in expectation of -log p(x)
(Jensen), and the nll_loss and ppl in the log are to be read so.
"""

import contextlib
import math
from dataclasses import dataclass, field

import torch
from fairseq import utils
from fairseq.criterions import FairseqCriterion, register_criterion
from fairseq.dataclass import FairseqDataclass
from fairseq.logging import metrics
from omegaconf import II
from torch.nn import functional as F

from fairseq_genext.errors import UsageError, require_choice
from fairseq_genext.gan.estimators import ESTIMATORS
from fairseq_genext.gan.losses import LOSSES
from fairseq_genext.gan.schedule import Phase, Turn
from fairseq_genext.modules.samplers import ancestral, unroll


@dataclass
class AdversarialConfig(FairseqDataclass):
    gan_loss: str = field(default="bce", metadata={"help": f"one of {', '.join(LOSSES)}"})
    gradient_estimator: str = field(
        default="gumbel", metadata={"help": f"one of {', '.join(ESTIMATORS)}"}
    )
    gumbel_soft: bool = field(
        default=False, metadata={"help": "relaxed samples instead of straight-through one-hot ones"}
    )
    gumbel_temperature: float = field(
        default=1.0, metadata={"help": "temperature at the first update in turns"}
    )
    gumbel_final_temperature: float = field(
        default=1.0, metadata={"help": "temperature after --gumbel-anneal-updates"}
    )
    gumbel_anneal_updates: int = field(
        default=0, metadata={"help": "updates in turns over which the temperature falls; 0: never"}
    )
    max_sample_length: int = II("task.max_sample_length")
    seed: int = II("common.seed")


@register_criterion("adversarial", dataclass=AdversarialConfig)
class Adversarial(FairseqCriterion):
    """Loss and gradient estimator of a GAN, put together from their flags.

    Raises:
        UsageError: a flag's value does not exist.
    """

    def __init__(self, cfg: AdversarialConfig, task) -> None:
        super().__init__(task)
        require_choice(cfg, "gan_loss", LOSSES)
        require_choice(cfg, "gradient_estimator", ESTIMATORS)
        self.loss = LOSSES[cfg.gan_loss]()
        try:
            self.estimator = ESTIMATORS[cfg.gradient_estimator](
                straight_through=not cfg.gumbel_soft,
                temperature=cfg.gumbel_temperature,
                final_temperature=cfg.gumbel_final_temperature,
                anneal_updates=cfg.gumbel_anneal_updates,
            )
        except ValueError as error:
            raise UsageError(str(error)) from None
        self.max_sample_length = cfg.max_sample_length
        self.seed = cfg.seed
        self.turn = Turn(Phase.GENERATOR_PRETRAINING, "generator")
        self.updates_in_turns = 0

    @classmethod
    def build_criterion(cls, cfg: AdversarialConfig, task) -> "Adversarial":
        """Builds the criterion from its flags."""
        return cls(cfg, task)

    def begin_turn(self, turn: Turn, updates_in_turns: int) -> None:
        """Says whose loss the next batches are, and how many updates in turns came before."""
        self.turn = turn
        self.updates_in_turns = updates_in_turns

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
        logits, _ = model(**sample["net_input"])
        nll = F.cross_entropy(
            logits.float().flatten(0, 1),
            sample["target"].flatten(),
            ignore_index=self.padding_idx,
            reduction="sum",
        )
        sample_size = sample["ntokens"]
        return nll, sample_size, self.log(sample, nll, sample_size, nll_loss=nll.data)

    def discriminator_turn(self, model, sample):
        """The discriminator's loss on real sentences and as many generated ones."""
        real = sample["target"]

        def play(generator, discriminator):
            with torch.no_grad():
                fake = unroll(generator, real.size(0), self.max_sample_length, ancestral)
            real_logits = discriminator(real, real.ne(self.padding_idx)).mean()
            return real_logits, discriminator(fake.tokens, fake.mask).mean()

        real_logits, fake_logits = model(play=play)
        loss = self.loss.discriminator(real_logits.float(), fake_logits.float()).sum()
        figures = self.discriminator_figures(real_logits, fake_logits)
        return loss, real.size(0), self.log(sample, loss, real.size(0), **figures)

    def generator_turn(self, model, sample):
        """The generator's loss against the discriminator, as the estimator gives it."""
        batch_size = sample["target"].size(0)

        def play(generator, discriminator):
            return self.estimator.generator_loss(
                generator,
                discriminator,
                self.loss,
                batch_size,
                self.max_sample_length,
                self.updates_in_turns,
            )

        loss = model(play=play).float().sum()
        temperature = self.estimator.temperature(self.updates_in_turns)
        figures = {"g_loss": loss.data, "gumbel_temperature": temperature * batch_size}
        return loss, batch_size, self.log(sample, loss, batch_size, **figures)

    def validate(self, model, sample):
        """Held-out likelihood, and both players' losses on the batch."""
        with self.validation_randomness(sample):
            nll, sample_size, logging_output = self.likelihood(model, sample)
            _, _, played = self.discriminator_turn(model, sample)
        logging_output.update({key: played[key] for key in played if key.startswith("d_")})
        return nll, sample_size, logging_output

    def discriminator_figures(self, real_logits, fake_logits) -> dict:
        """Sums over the batch: both losses, and the share that the discriminator gets right."""
        real_logits, fake_logits = real_logits.detach().float(), fake_logits.detach().float()
        return {
            "d_loss": self.loss.discriminator(real_logits, fake_logits).sum(),
            "d_accuracy_real": real_logits.gt(0).sum(),
            "d_accuracy_fake": fake_logits.le(0).sum(),
        }

    @contextlib.contextmanager
    def validation_randomness(self, sample):
        """Draws that are the same at every validation and leave training's stream alone."""
        devices = [sample["target"].device] if sample["target"].is_cuda else []
        with torch.random.fork_rng(devices):
            torch.manual_seed(self.seed + int(sample["id"].min()))
            yield

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
        metrics.log_scalar("phase", total("phase") / total("batches"), weight=0)

    @staticmethod
    def logging_outputs_can_be_summed() -> bool:
        """Every figure is a sum, so workers may add theirs before ``reduce_metrics``."""
        return True


def perplexity(meters) -> float | None:
    """2 to the nll_loss, None in the phases that have no likelihood."""
    nll = meters["nll_loss"].avg
    return None if nll is None else utils.get_perplexity(nll)


PER_SENTENCE = (
    "d_loss",
    "g_loss",
    "d_accuracy_real",
    "d_accuracy_fake",
    "gumbel_temperature",
    "sample_bleu",
)
