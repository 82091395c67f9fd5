"""Figures of several seeds: their deviation, and whether a difference is more than that explains.

Differences are tested by Student's t at 95 %: of one mean for figures that belong together seed by
seed, Welch's for two means. One seed has no deviation; its sign is then all there is to say, and
whoever prints it must add that.
"""

import statistics
import warnings
from collections.abc import Callable, Collection, Sequence

import numpy as np
from scipy import stats

LEVEL = 0.95
SIDES = {1: "above", 0: "within error", -1: "below"}  # of a sign, in words


def deviation(values: Sequence[float]) -> float | None:
    """Sample standard deviation over seeds, in the figure's unit; None for one seed."""
    return statistics.stdev(values) if len(values) > 1 else None


def sign_of_mean(values: Sequence[float]) -> int:
    """1 or -1 where the mean of the differences is surely above or below 0, 0 within error."""
    return _sign(np.mean(values), len(values), lambda: stats.ttest_1samp(values, 0))


def sign_of_difference(first: Sequence[float], second: Sequence[float]) -> int:
    """1 or -1 where ``first`` is surely above or below ``second`` in the mean, 0 within error.

    By Welch's test (1947). With one seed on either side the sign of the difference alone.
    """
    return _sign(
        np.mean(first) - np.mean(second),
        min(len(first), len(second)),
        lambda: stats.ttest_ind(first, second, equal_var=False),
    )


def _sign(difference: float, seeds: int, test: Callable) -> int:
    with warnings.catch_warnings(action="ignore"):  # of values that do not vary
        if seeds > 1 and test().pvalue > 1 - LEVEL:
            return 0
    return int(np.sign(difference))


def spread(
    values: Sequence[float], decimals: int = 3, signed: bool = False, interval: float | None = None
) -> str:
    """Mean ± sample standard deviation over seeds, as text; – without values.

    A figure that is the same for every seed, as a number of parameters, stands alone.

    Args:
        values: one a seed.
        decimals: of the text.
        signed: whether a positive mean has a plus sign.
        interval: what stands behind ± for one seed.
    """
    if not values:
        return "–"
    sign = "+" if signed else ""
    text = f"{statistics.fmean(values):{sign},.{decimals}f}".replace("-", "−")
    error = deviation(values) if len(set(values)) > 1 else interval
    if error is not None:
        # Held together, so that a narrow column breaks before it.
        text += f" ±\N{NO-BREAK SPACE}{error:,.{decimals}f}"
    return text


def one_seed(values: Collection) -> str:
    """What must be added to a finding that rests on one seed."""
    return ", one seed alone" if len(values) == 1 else ""
