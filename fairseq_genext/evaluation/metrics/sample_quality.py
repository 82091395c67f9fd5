"""Quality and diversity of a batch of samples, in the few figures that a validation logs."""

from collections.abc import Sequence

from fairseq_genext.evaluation.metrics.diversity import duplicate_share
from fairseq_genext.evaluation.metrics.ngram_bleu import (
    ReferenceIndex,
    Tokens,
    mean_scores,
    self_bleu_scores,
)

ORDERS = (2, 3, 4)


def sample_quality(samples: Sequence[Tokens], references: ReferenceIndex) -> dict[str, float]:
    """``bleu_n`` (quality, higher is better), ``self_bleu_n`` and ``duplicates`` (lower is better).

    Args:
        samples: at least two token sequences.
        references: the held-out text, counted up to 4-grams at least.
    """
    bleu = mean_scores([references.scores(sample) for sample in samples])
    self_bleu = mean_scores(self_bleu_scores(samples, max(ORDERS)))
    figures = {}
    for order in ORDERS:
        figures[f"bleu_{order}"] = bleu[order - 1]
        figures[f"self_bleu_{order}"] = self_bleu[order - 1]
    figures["duplicates"] = duplicate_share(samples)
    return figures
