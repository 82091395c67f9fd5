"""How far a mean over samples can be trusted."""

from collections.abc import Sequence

import numpy as np


def half_width(values: Sequence[float], resamples: int = 1000, seed: int = 1) -> float:
    """Half the width of the 95 % bootstrap interval of the mean (Efron 1979).

    Args:
        values: one figure a sample.
        resamples: number of resamples with replacement.
        seed: seed of the resampling.
    """
    draw = np.random.default_rng(seed)
    values = np.asarray(values)
    means = [draw.choice(values, len(values)).mean() for _ in range(resamples)]
    low, high = np.percentile(means, [2.5, 97.5])
    return float(high - low) / 2
