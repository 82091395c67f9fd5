"""Figures of several seeds: their deviation, and whether a difference is more than that explains.

Differences are tested by Student's t at 95 %: of one mean for figures that belong together seed by
seed, Welch's for two means. One seed has no deviation; its difference is compared with the errors
over samples where they are known, and its sign is else all there is to say. Whoever prints it must
add that.
"""

import math
import statistics
import warnings
from collections.abc import Callable, Collection, Sequence

import numpy as np
from scipy import stats

LEVEL = 0.95
Errors = Sequence[float | None]
SIDES = {1: "above", 0: "within error", -1: "below"}  # of a sign, in words


def deviation(values: Sequence[float]) -> float | None:
    """Sample standard deviation over seeds, in the figure's unit; None for one seed."""
    return statistics.stdev(values) if len(values) > 1 else None


def sign_of_mean(values: Sequence[float], errors: Errors = ()) -> int:
    """1 or -1 where the mean of the differences is surely above or below 0, 0 within error.

    Args:
        values: one a seed.
        errors: of one seed, halves of the 95 % intervals over samples of what was subtracted.
    """
    return _sign(np.mean(values), len(values), lambda: stats.ttest_1samp(values, 0), errors)


def sign_of_difference(first: Sequence[float], second: Sequence[float], errors: Errors = ()) -> int:
    """1 or -1 where ``first`` is surely above or below ``second`` in the mean, 0 within error.

    By Welch's test (1947). With one seed on either side by ``errors``, as ``sign_of_mean``.
    """
    return _sign(
        np.mean(first) - np.mean(second),
        min(len(first), len(second)),
        lambda: stats.ttest_ind(first, second, equal_var=False),
        errors,
    )


def _sign(difference: float, seeds: int, test: Callable, errors: Errors) -> int:
    if seeds == 1 and errors and None not in errors and abs(difference) <= math.hypot(*errors):
        return 0
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
