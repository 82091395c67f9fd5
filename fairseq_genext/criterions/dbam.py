"""`dbam`: the three loss terms of the Deep Bidirectional Attention Model, logged apart.

    L = L_translation + w_arlm * L_arlm + w_draft * L_draft

    L_translation = -sum_t log P(y_t | y_<t, x)      after the modulation decoders
    L_arlm        = -sum_i log P(x_i | x_<i)         the encoder as a language model of the source
    L_draft       = -sum_t log P_draft(y_t | y_<t, x)    before the modulation decoders

The joint language model loss is that of Ramachandran et al. 2017 (https://arxiv.org/abs/1611.02683).
Only translation and draft are label-smoothed.
"""

import math
from dataclasses import dataclass, field

from fairseq import utils
from fairseq.criterions import FairseqCriterion, register_criterion
from fairseq.criterions.label_smoothed_cross_entropy import label_smoothed_nll_loss
from fairseq.dataclass import FairseqDataclass
from fairseq.logging import metrics
from torch import Tensor

from fairseq_genext.errors import UsageError


@dataclass
class DBAMCriterionConfig(FairseqDataclass):
    label_smoothing: float = field(
        default=0.0, metadata={"help": "share of the target's probability spread over all words"}
    )
    arlm_loss_weight: float = field(
        default=0.1,
        metadata={"help": "weight of the encoder's language model loss; 0 turns it off"},
    )
    draft_loss_weight: float = field(
        default=0.0, metadata={"help": "weight of the unmodulated draft's loss; 0 turns it off"}
    )


@register_criterion("dbam", dataclass=DBAMCriterionConfig)
class DBAMCriterion(FairseqCriterion):
    """Translation, language model and draft loss of ``dbam``, summed over tokens.

    A term of weight 0 is not computed in training; validation logs all three.

    Raises:
        UsageError: ``label_smoothing`` is not in [0, 1), a weight is negative, or the model is
            another than ``dbam``.
    """

    def __init__(
        self,
        task,
        label_smoothing: float = 0.0,
        arlm_loss_weight: float = 0.1,
        draft_loss_weight: float = 0.0,
    ) -> None:
        super().__init__(task)
        if not 0 <= label_smoothing < 1:
            raise UsageError(f"--label-smoothing is {label_smoothing}; it must be in [0, 1)")
        self.label_smoothing = label_smoothing
        self.weights = {"arlm": arlm_loss_weight, "draft": draft_loss_weight}
        for name, weight in self.weights.items():
            if weight < 0:
                raise UsageError(f"--{name}-loss-weight is {weight}; it cannot be negative")

    def forward(self, model, sample, reduce: bool = True):
        """
        Returns:
            The weighted sum of the terms over tokens (``(batch,)`` unless ``reduce``), the number
            of target tokens to divide it by, and the figures to log.
        """
        if not hasattr(model, "loss_terms"):
            raise UsageError("--criterion dbam needs --arch dbam: no other model has its terms")
        wanted = {
            f"with_{name}": weight > 0 or not model.training
            for name, weight in self.weights.items()
        }
        logits, extra = model(**sample["net_input"], **wanted)
        loss, nll = self._term(logits, sample["target"], self.label_smoothing)
        logging_output = {
            "nll_loss": nll.sum().data,
            "ntokens": sample["ntokens"],
            "nsentences": sample["target"].size(0),
            "sample_size": sample["ntokens"],
        }
        if "arlm" in extra:
            arlm, _ = self._term(extra["arlm"], extra["source"], 0.0)
            loss = loss + self.weights["arlm"] * arlm
            logging_output["arlm_loss"] = arlm.sum().data
            logging_output["source_tokens"] = extra["source"].ne(self.padding_idx).sum().data
        if "draft" in extra:
            draft, draft_nll = self._term(extra["draft"], sample["target"], self.label_smoothing)
            loss = loss + self.weights["draft"] * draft
            logging_output["draft_loss"] = draft_nll.sum().data
        logging_output["loss"] = loss.sum().data
        return loss.sum() if reduce else loss, sample["ntokens"], logging_output

    def _term(self, logits: Tensor, target: Tensor, smoothing: float) -> tuple[Tensor, Tensor]:
        """Loss and negative log-likelihood in nats, each summed over a sentence, ``(batch,)``."""
        loss, nll = label_smoothed_nll_loss(
            utils.log_softmax(logits, dim=-1),
            target,
            smoothing,
            ignore_index=self.padding_idx,
            reduce=False,
        )
        return loss.squeeze(-1).sum(dim=1), nll.squeeze(-1).sum(dim=1)

    @staticmethod
    def reduce_metrics(logging_outputs) -> None:
        """Logs in bits: loss per target token, and unsmoothed per token of its own side nll_loss
        (the translation's, with its perplexity ppl), arlm_loss and draft_loss."""

        def total(key: str) -> float:
            return sum(log.get(key, 0) for log in logging_outputs)

        tokens = total("ntokens")
        metrics.log_scalar("loss", total("loss") / tokens / math.log(2), tokens, round=3)
        metrics.log_scalar("nll_loss", total("nll_loss") / tokens / math.log(2), tokens, round=3)
        metrics.log_derived("ppl", lambda meters: utils.get_perplexity(meters["nll_loss"].avg))
        for name, count in (("arlm_loss", "source_tokens"), ("draft_loss", "ntokens")):
            if any(name in log for log in logging_outputs):
                per_token = total(name) / total(count) / math.log(2)
                metrics.log_scalar(name, per_token, total(count), round=3)

    @staticmethod
    def logging_outputs_can_be_summed() -> bool:
        """Every figure is a sum, so workers may add theirs before ``reduce_metrics``."""
        return True
