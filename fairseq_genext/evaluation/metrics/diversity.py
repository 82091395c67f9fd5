"""How varied samples are, and how many of them stand in the training text."""

from collections.abc import Sequence

from fairseq_genext.evaluation.metrics.ngram_bleu import ngrams


def distinct(samples: Sequence[Sequence[str]], order: int) -> float:
    """Distinct-n (Li et al. 2016, https://aclanthology.org/N16-1014): different n-grams / n-grams.

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
    """Share of samples that repeat an earlier one: 1 - different samples / samples.

    Lower is more varied, 0 to 1. Short real sentences recur too, so held-out text's own share is
    the mark. It grows with the number of samples and does not see samples that differ in one word.
    """
    return 1 - len(set(map(tuple, samples))) / len(samples)


def copies(samples: Sequence[Sequence[str]], train: Sequence[Sequence[str]]) -> list[bool]:
    """For each sample whether it stands word for word in the training text.

    The mean is the copied share, 0 to 1, and 1 minus that is the novelty. Neither end is the aim:
    held-out text has a share above 0, since short sentences recur. It does not see a copy with one
    word changed.
    """
    known = set(map(tuple, train))
    return [tuple(sample) in known for sample in samples]
