"""BLEU of free samples and Self-BLEU, exact, from counted n-grams instead of pair by pair.

For a hypothesis h and references R (Papineni et al. 2002), uniform weights over n-gram orders 1…N:

    p_n  = sum_g min(count_h(g), max_{r in R} count_r(g)) / max(1, |h| - n + 1)
    BLEU = BP * exp(1/N sum_n log p_n),   BP = min(1, exp(1 - closest reference length / |h|))

A p_n of zero counts as 0.1 / its denominator (method 1 of Chen and Cherry 2014). That is NLTK's
``sentence_bleu`` with ``method1``, as the text-GAN papers use it (Texygen, Zhu et al. 2018): the
mean over samples, with the whole reference set as references of each.

The clipped counts need only the largest count of each n-gram over all references, so one pass over
the references replaces a pass for every sample. Keeping the largest count's owner and the second
largest too gives the same without one reference, which is what Self-BLEU needs.
"""

import math
from collections import Counter
from collections.abc import Hashable, Sequence

SMOOTHING = 0.1

Tokens = Sequence[Hashable]


def ngrams(tokens: Tokens, order: int) -> Counter:
    """Counts of the n-grams of one order."""
    return Counter(zip(*(tokens[start:] for start in range(order)), strict=False))


class ReferenceIndex:
    """Counted n-grams of a set of references.

    Args:
        references: token sequences; words or ids alike.
        max_order: longest n-gram.

    Raises:
        ValueError: there is no reference.
    """

    def __init__(self, references: Sequence[Tokens], max_order: int) -> None:
        if not references:
            raise ValueError("BLEU needs at least one reference")
        self.max_order = max_order
        self.lengths = [len(reference) for reference in references]
        self.length_counts = Counter(self.lengths)
        # For each order: n-gram -> (largest count, the reference that has it, second largest).
        self.largest: list[dict] = [{} for _ in range(max_order)]
        for owner, reference in enumerate(references):
            for order, largest in enumerate(self.largest, start=1):
                for gram, count in ngrams(reference, order).items():
                    first, first_owner, second = largest.get(gram, (0, -1, 0))
                    if count > first:
                        largest[gram] = (count, owner, first)
                    elif count > second:
                        largest[gram] = (first, first_owner, count)

    def scores(self, hypothesis: Tokens, leave_out: int | None = None) -> list[float]:
        """BLEU-1 to BLEU-``max_order`` of one sequence.

        Quality where references are held-out text: higher is better, 0 to 1. It does not see
        whether samples differ from each other.

        Args:
            hypothesis: the sequence.
            leave_out: index of a reference to leave out.
        """
        length = len(hypothesis)
        if length == 0:
            return [0.0] * self.max_order
        log_precisions = []
        for order, largest in enumerate(self.largest, start=1):
            matches = 0
            for gram, count in ngrams(hypothesis, order).items():
                first, owner, second = largest.get(gram, (0, -1, 0))
                matches += min(count, second if owner == leave_out else first)
            if order == 1 and matches == 0:
                return [0.0] * self.max_order
            log_precisions.append(math.log((matches or SMOOTHING) / max(1, length - order + 1)))
        closest = self._closest_length(length, leave_out)
        penalty = 1.0 if length > closest else math.exp(1 - closest / length)
        return [
            penalty * math.exp(math.fsum(log_precisions[:order]) / order)
            for order in range(1, self.max_order + 1)
        ]

    def bleu(self, hypothesis: Tokens, order: int, leave_out: int | None = None) -> float:
        """BLEU of one n-gram order; see ``scores``."""
        return self.scores(hypothesis, leave_out)[order - 1]

    def _closest_length(self, length: int, leave_out: int | None) -> int:
        left_out = self.lengths[leave_out] if leave_out is not None else None
        candidates = (
            other for other, count in self.length_counts.items() if count > 1 or other != left_out
        )
        # The shorter of two equally close lengths, as NLTK takes it.
        return min(candidates, key=lambda other: (abs(other - length), other))


def bleu_scores(
    samples: Sequence[Tokens], references: Sequence[Tokens], max_order: int = 5
) -> list[list[float]]:
    """BLEU-1…``max_order`` of every sample against all references."""
    index = ReferenceIndex(references, max_order)
    return [index.scores(sample) for sample in samples]


def mean_scores(scores: Sequence[Sequence[float]]) -> list[float]:
    """Mean over sequences of each order, from the scores of every sequence."""
    return [sum(values) / len(values) for values in zip(*scores, strict=True)]


def self_bleu_scores(samples: Sequence[Tokens], max_order: int = 5) -> list[list[float]]:
    """BLEU-1…``max_order`` of every sample against all the other samples.

    Diversity (Zhu et al. 2018, https://arxiv.org/abs/1802.01886): lower is better, 0 to 1. It grows
    with the number of samples, so only equally many can be compared, and it does not see whether
    samples are text at all.

    Raises:
        ValueError: there are fewer than two samples.
    """
    if len(samples) < 2:
        raise ValueError("Self-BLEU needs at least two samples")
    index = ReferenceIndex(samples, max_order)
    return [index.scores(sample, leave_out=i) for i, sample in enumerate(samples)]
