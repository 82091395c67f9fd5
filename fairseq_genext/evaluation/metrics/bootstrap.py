"""How far a mean over samples can be trusted."""

from collections.abc import Sequence

import numpy as np
from scipy import stats


def half_width(
    values: Sequence[float],
    weights: Sequence[float] | None = None,
    resamples: int = 1000,
    seed: int = 1,
) -> float:
    """Half the width of the 95 % percentile bootstrap interval of a mean (Efron 1979).

    It holds for figures that each sample has for itself. Self-BLEU, distinct-n, duplicates, the
    divergences and the Fréchet distance are not of that kind: a resample with replacement repeats
    samples, which is the very thing that they count, so their intervals would miss them.

    Args:
        values: one figure a sample.
        weights: divide the sum of the values by the sum of these, one a sample; without them every
            sample weighs the same.
        resamples: number of resamples with replacement.
        seed: seed of the resampling.
    """
    weights = np.ones(len(values)) if weights is None else weights
    found = stats.bootstrap(
        (values, weights),
        lambda values, weights, axis: values.sum(axis=axis) / weights.sum(axis=axis),
        paired=True,
        n_resamples=resamples,
        batch=100,
        method="percentile",
        random_state=np.random.default_rng(seed),
    )
    return float(found.confidence_interval.high - found.confidence_interval.low) / 2
