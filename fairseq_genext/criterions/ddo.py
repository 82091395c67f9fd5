"""`ddo`: direct discriminative optimisation, a GAN whose discriminator is the model itself.

    D(x) = sigma(beta log p(x) / p_ref(x))
    L = E_data [-log D(x)] + alpha E_ref [-log(1 - D(y))],   y ~ p_ref

Zheng et al. 2025 (https://arxiv.org/abs/2503.01103). With beta = alpha = 1 this is the objective of
any discriminator, which is best at p_data / (p_data + p_ref), hence p at p_data. Otherwise it is
best at p_data / (p_data + alpha p_ref), and log p / p_ref is drawn to 1 / beta of its logit. It
trains in rounds, in each of which p_ref is the model that the last one ended with, as in SPIN (Chen
et al. 2024, https://arxiv.org/abs/2401.01335).

p_ref is a copy of the model, without a gradient. Nothing is dropped in training, so that the ratio
is that of the two models.
"""

import copy
import math
from dataclasses import dataclass, field

import torch
from fairseq import utils
from fairseq.criterions import FairseqCriterion, register_criterion
from fairseq.dataclass import FairseqDataclass
from fairseq.dataclass.constants import DDP_BACKEND_CHOICES
from fairseq.logging import metrics
from fairseq.tasks.language_modeling import LanguageModelingTask
from omegaconf import II
from torch import Tensor, nn
from torch.nn import functional as F

from fairseq_genext.criterions.likelihood import negative_log_likelihood
from fairseq_genext.criterions.repeatable_validation import RepeatableValidation
from fairseq_genext.errors import UsageError, flag
from fairseq_genext.gan.step import chosen_log_probs, shifted
from fairseq_genext.modules.samplers import (
    SampleLength,
    Samples,
    ancestral,
    one_batch,
    unroll,
    without_dropout,
)
from fairseq_genext.modules.word_decoder import WordDecoder


@dataclass
class DDOConfig(FairseqDataclass):
    ddo_alpha: float = field(
        default=1.0, metadata={"help": "weight of the reference's samples in the loss"}
    )
    ddo_beta: float = field(
        default=1.0, metadata={"help": "factor on the log-ratio of the model and its reference"}
    )
    ddo_round_updates: int = field(
        default=500,
        metadata={"help": "updates after which the model becomes its own reference"},
    )
    seed: int = II("common.seed")
    ddp_backend: DDP_BACKEND_CHOICES = II("distributed_training.ddp_backend")


@register_criterion("ddo", dataclass=DDOConfig)
class DDO(RepeatableValidation, FairseqCriterion):
    """Real text against samples of the reference, for ``--task unconditional_generation``.

    Attributes:
        each_process: whether ``training_state`` differs between processes.

    Raises:
        UsageError: a number is out of its range, or the task's texts are none that can be sampled.
    """

    each_process = False

    def __init__(self, cfg: DDOConfig, task) -> None:
        super().__init__(task)
        for name in ("ddo_alpha", "ddo_beta"):
            if not 0 < getattr(cfg, name) < math.inf:
                raise UsageError(f"{flag(name)} is {getattr(cfg, name)}; it must be greater than 0")
        if cfg.ddo_round_updates < 1:
            raise UsageError(
                f"--ddo-round-updates is {cfg.ddo_round_updates}; it must be at least 1"
            )
        if not isinstance(task, LanguageModelingTask) or not hasattr(task, "length"):
            raise UsageError("--criterion ddo needs --task unconditional_generation")
        self.length: SampleLength = task.length
        if self.length.through_ends or task.args.loss_on:
            raise UsageError(
                "--criterion ddo compares whole lines with samples from nothing: leave out "
                "--sample-break-mode and --loss-on"
            )
        if cfg.ddp_backend == "fully_sharded":
            raise UsageError(
                "--criterion ddo copies the model: choose --ddp-backend pytorch_ddp or legacy_ddp"
            )
        self.alpha, self.beta = cfg.ddo_alpha, cfg.ddo_beta
        self.round_updates = cfg.ddo_round_updates
        self.seed = cfg.seed
        # In a list, which hides its parameters: they are neither trained nor this criterion's.
        self.reference: list[nn.Module] = []
        self._saved: dict[str, Tensor] | None = None

    @classmethod
    def build_criterion(cls, cfg: DDOConfig, task) -> "DDO":
        """Builds the criterion from its flags."""
        return cls(cfg, task)

    def begin_update(self, model, updates: int) -> None:
        """Makes the model the reference where a round begins.

        Args:
            model: what is trained, wrapped or not.
            updates: number of updates done.

        Raises:
            UsageError: the model is none that this package samples from, or takes noise.
        """
        while hasattr(model, "module"):  # distributed wrappers
            model = model.module
        if not self.reference:
            decoder = model.decoder
            if not isinstance(decoder, WordDecoder) or getattr(decoder, "noise", None) is not None:
                raise UsageError(
                    "--criterion ddo needs one of this package's language models, such as --arch "
                    "gpt_doc or rnn_lm"
                )
            reference = copy.deepcopy(model).eval().requires_grad_(False)
            if self._saved is not None:
                reference.load_state_dict(self._saved)
                self._saved = None
            self.reference = [reference]
        if updates % self.round_updates == 0:
            self.reference[0].load_state_dict(model.state_dict())

    def forward(self, model, sample):
        """
        Returns:
            The sum of the loss over the batch, what to divide it by (sentences; in validation it is
            the likelihood's, and tokens), and the figures to log.
        """
        real = Samples(sample["target"], sample["target"].ne(self.padding_idx))
        if model.training:
            loss, figures = self.contrast(model, real)
            return loss, len(real), self.log(sample, loss, len(real), figures)
        nll = negative_log_likelihood(model, sample, self.padding_idx)
        figures = {}
        if self.reference:
            with self.validation_randomness(sample):
                loss, figures = self.contrast(model, real)
            figures["ddo_loss"] = loss.data
        figures["nll_loss"] = nll.data
        return nll, sample["ntokens"], self.log(sample, nll, sample["ntokens"], figures)

    def contrast(self, model, real: Samples) -> tuple[Tensor, dict[str, Tensor]]:
        """The loss in nats on real texts and as many of the reference's, and figures; all sums."""
        (reference,) = self.reference
        with torch.no_grad():
            fake = unroll(reference.decoder, len(real), self.length, ancestral)
            both = one_batch([real, fake], self.padding_idx)
            referred = self.log_probs(reference, both)
        log_probs = self.log_probs(model, both)
        # A real text with a symbol that is never sampled has no ratio, and teaches nothing.
        of_real, of_fake = (log_probs - referred).nan_to_num(0.0).split(len(real))
        loss = ddo_loss(of_real, of_fake, self.alpha, self.beta)
        return loss.sum(), {
            "nll_loss": -log_probs[: len(real)].detach().nan_to_num(neginf=0.0).sum(),
            "log_ratio_real": of_real.detach().sum(),
            "log_ratio_fake": of_fake.detach().sum(),
        }

    def log_probs(self, model, texts: Samples) -> Tensor:
        """log p of texts, ``(batch,)``; one forward pass, which is all that wrappers see."""
        dictionary = self.task.target_dictionary
        with without_dropout(model):
            logits, _ = model(shifted(texts.tokens, dictionary.eos()))
        return chosen_log_probs(logits, texts, dictionary, self.length).sum(dim=1)

    def training_state(self) -> dict:
        """The reference's weights; see ``patches.criterion_state``."""
        return dict(self.reference[0].state_dict()) if self.reference else {}

    def load_training_state(self, state: dict) -> None:
        """Keeps the reference's weights until there is a model to copy."""
        self._saved = state

    @staticmethod
    def log(sample, loss: Tensor, sample_size: int, figures: dict) -> dict:
        """Figures of one batch, all of them sums, so that workers can add theirs."""
        return {
            "loss": loss.data,
            "ntokens": sample["ntokens"],
            "nsentences": sample["target"].size(0),
            "sample_size": sample_size,
            **figures,
        }

    @staticmethod
    def reduce_metrics(logging_outputs) -> None:
        """Logs in bits: loss (a sentence; in validation nll_loss), nll_loss and ppl a token, and in
        validation ddo_loss a sentence. In nats a sentence: the mean log p / p_ref of real texts,
        log_ratio_real, and of the reference's samples, log_ratio_fake."""

        def total(key: str) -> float:
            return sum(log.get(key, 0) for log in logging_outputs)

        sentences, tokens = total("nsentences"), total("ntokens")
        size = total("sample_size")
        metrics.log_scalar("loss", total("loss") / size / math.log(2), size, round=3)
        metrics.log_scalar("nll_loss", total("nll_loss") / tokens / math.log(2), tokens, round=3)
        metrics.log_derived("ppl", lambda meters: utils.get_perplexity(meters["nll_loss"].avg))
        for key, unit in (
            ("ddo_loss", math.log(2)),
            ("log_ratio_real", 1.0),
            ("log_ratio_fake", 1.0),
        ):
            if any(key in log for log in logging_outputs):
                metrics.log_scalar(key, total(key) / sentences / unit, sentences, round=4)

    @staticmethod
    def logging_outputs_can_be_summed() -> bool:
        """Every figure is a sum, so workers may add theirs before ``reduce_metrics``."""
        return True


def ddo_loss(of_real: Tensor, of_fake: Tensor, alpha: float, beta: float) -> Tensor:
    """L of each pair in nats, ``(batch,)``.

    Args:
        of_real, of_fake: log p / p_ref of real texts and of samples of p_ref, ``(batch,)``.
        alpha, beta: see the top of the file.
    """
    # -log sigmoid(x) = softplus(-x), and -log(1 - sigmoid(x)) = softplus(x).
    return F.softplus(-beta * of_real) + alpha * F.softplus(beta * of_fake)
