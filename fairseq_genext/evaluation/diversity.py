"""How varied samples are, and how many of them stand in the training text."""

from collections.abc import Sequence

from fairseq_genext.evaluation.ngram_bleu import ngrams


def distinct(samples: Sequence[Sequence[str]], order: int) -> float:
    """Distinct-n (Li et al. 2016): different n-grams divided by all n-grams of the samples.

    Higher is more varied, 0 to 1. It falls as the number of samples grows, so only equally many
    samples can be compared, and it does not see whether they are text at all.
    """
    total, different = 0, set()
    for sample in samples:
        counts = ngrams(sample, order)
        total += counts.total()
        different.update(counts)
    return len(different) / total if total else 0.0


def duplicate_share(samples: Sequence[Sequence[str]]) -> float:
    """Share of samples that repeat an earlier one; lower is more varied, 0 to 1."""
    return 1 - len(set(map(tuple, samples))) / len(samples)


def copied_share(samples: Sequence[Sequence[str]], train: Sequence[Sequence[str]]) -> float:
    """Share of samples that stand word for word in the training text; 0 to 1.

    Held-out text has its own share above 0: short sentences recur.
    """
    known = set(map(tuple, train))
    return sum(tuple(sample) in known for sample in samples) / len(samples)
