"""`sequence_mean_cross_entropy`: every sentence counts alike, however long it is.

    L = (1 / T) sum_t -log P(y_t | y_<t, x) for a sentence of T tokens, mean over sentences

fairseq's `cross_entropy` sums over tokens instead, so that long sentences count more.
"""

import math
from dataclasses import dataclass, field

from fairseq import utils
from fairseq.criterions import FairseqCriterion, register_criterion
from fairseq.criterions.label_smoothed_cross_entropy import label_smoothed_nll_loss
from fairseq.dataclass import FairseqDataclass
from fairseq.logging import metrics

from fairseq_genext.errors import UsageError


@dataclass
class SequenceMeanCrossEntropyConfig(FairseqDataclass):
    label_smoothing: float = field(
        default=0.0, metadata={"help": "share of the target's probability spread over all words"}
    )


@register_criterion("sequence_mean_cross_entropy", dataclass=SequenceMeanCrossEntropyConfig)
class SequenceMeanCrossEntropy(FairseqCriterion):
    """Mean over sentences of the mean negative log-likelihood per token.

    Raises:
        UsageError: ``label_smoothing`` is not in [0, 1).
    """

    def __init__(self, task, label_smoothing: float = 0.0) -> None:
        super().__init__(task)
        if not 0 <= label_smoothing < 1:
            raise UsageError(f"--label-smoothing is {label_smoothing}; it must be in [0, 1)")
        self.label_smoothing = label_smoothing

    def forward(self, model, sample, reduce: bool = True):
        """
        Returns:
            The sum over sentences of each one's mean loss (``(batch,)`` unless ``reduce``), the
            number of sentences to divide it by, and the figures to log.
        """
        net_output = model(**sample["net_input"])
        lprobs = model.get_normalized_probs(net_output, log_probs=True)
        target = model.get_targets(sample, net_output)  # (batch, time)

        per_token, nll = label_smoothed_nll_loss(
            lprobs, target, self.label_smoothing, ignore_index=self.padding_idx, reduce=False
        )
        lengths = target.ne(self.padding_idx).sum(dim=1)
        per_sentence = per_token.squeeze(-1).sum(dim=1) / lengths
        loss = per_sentence.sum() if reduce else per_sentence

        num_sentences = target.size(0)
        logging_output = {
            "loss": per_sentence.sum().data,
            "nll_loss": nll.sum().data,
            "ntokens": sample["ntokens"],
            "nsentences": num_sentences,
            "sample_size": num_sentences,
        }
        return loss, num_sentences, logging_output

    @staticmethod
    def reduce_metrics(logging_outputs) -> None:
        """Logs loss (per sentence) and nll_loss (per token) in bits, and perplexity per token."""

        def total(key: str) -> float:
            return sum(log.get(key, 0) for log in logging_outputs)

        sentences, tokens = total("sample_size"), total("ntokens")
        metrics.log_scalar("loss", total("loss") / sentences / math.log(2), sentences, round=3)
        metrics.log_scalar("nll_loss", total("nll_loss") / tokens / math.log(2), tokens, round=3)
        metrics.log_derived("ppl", lambda meters: utils.get_perplexity(meters["nll_loss"].avg))

    @staticmethod
    def logging_outputs_can_be_summed() -> bool:
        """Every figure is a sum, so workers may add theirs before ``reduce_metrics``."""
        return True
