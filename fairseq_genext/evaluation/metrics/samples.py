"""Every figure of one set of samples: quality, diversity, likeness and copying together."""

from collections.abc import Sequence

from fairseq_genext.evaluation.metrics.bootstrap import half_width
from fairseq_genext.evaluation.metrics.divergence import length_divergence, ngram_divergence
from fairseq_genext.evaluation.metrics.diversity import copies, distinct, duplicate_share
from fairseq_genext.evaluation.metrics.ngram_bleu import bleu_scores, mean_scores, self_bleu_scores

ORDERS = (2, 3, 4, 5)


def measure(
    samples: list[list[str]],
    references: list[list[str]],
    train: list[list[str]] | None = None,
) -> dict[str, float]:
    """Figures of a set of samples, by name; those that are means come with ``…_ci``.

    ``bleu_n`` and ``self_bleu_n`` (see ``ngram_bleu``) for n = 2…5, ``distinct_n``, ``duplicates``,
    ``copied`` (see ``diversity``), ``mean_length`` in tokens, ``length_divergence``,
    ``unigram_divergence``, ``bigram_divergence`` (see ``divergence``) and ``num_samples``. ``…_ci``
    is half the width of the 95 % bootstrap interval.

    Args:
        samples: at least two token lists.
        references: held-out text; BLEU grows with their number, so compare on the same ones.
        train: the training text; without it ``copied`` is left out.
    """
    figures: dict[str, float] = {"num_samples": len(samples)}

    def add_mean(name: str, values: Sequence[float]) -> None:
        figures[name] = sum(values) / len(values)
        figures[f"{name}_ci"] = half_width(values)

    bleu = bleu_scores(samples, references)
    self_bleu = mean_scores(self_bleu_scores(samples))
    for order in ORDERS:
        add_mean(f"bleu_{order}", [scores[order - 1] for scores in bleu])
        figures[f"self_bleu_{order}"] = self_bleu[order - 1]
    for order in (1, 2):
        figures[f"distinct_{order}"] = distinct(samples, order)
    figures["duplicates"] = duplicate_share(samples)
    if train is not None:
        add_mean("copied", copies(samples, train))
    add_mean("mean_length", list(map(len, samples)))
    figures["length_divergence"] = length_divergence(samples, references)
    for order, name in ((1, "unigram"), (2, "bigram")):
        figures[f"{name}_divergence"] = ngram_divergence(samples, references, order)
    return figures
