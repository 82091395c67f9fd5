"""Figures of several seeds: their deviation, and whether a difference is more than that explains.

Differences are tested by Student's t at 95 %: of one mean for figures that belong together seed by
seed, Welch's for two means. One seed has no deviation; its sign is then all there is to say, and
whoever prints it must add that.
"""

import math
import statistics
from collections.abc import Collection, Sequence

from scipy import stats

LEVEL = 0.95
SIDES = {1: "above", 0: "within error", -1: "below"}  # of a sign, in words


def deviation(values: Sequence[float]) -> float | None:
    """Sample standard deviation over seeds, in the figure's unit; None for one seed."""
    return statistics.stdev(values) if len(values) > 1 else None


def sign_of_mean(values: Sequence[float]) -> int:
    """1 or -1 where the mean of the differences is surely above or below 0, 0 within error."""
    mean = statistics.fmean(values)
    if len(values) == 1:
        return _sign(mean)
    error = statistics.stdev(values) / math.sqrt(len(values))
    return _sign(mean, _quantile(len(values) - 1) * error)


def sign_of_difference(first: Sequence[float], second: Sequence[float]) -> int:
    """1 or -1 where ``first`` is surely above or below ``second`` in the mean, 0 within error.

    Welch 1947: the degrees of freedom are those of Satterthwaite. With one seed on either side the
    sign of the difference alone.
    """
    difference = statistics.fmean(first) - statistics.fmean(second)
    if min(len(first), len(second)) == 1:
        return _sign(difference)
    shares = [statistics.variance(values) / len(values) for values in (first, second)]
    if sum(shares) == 0:
        return _sign(difference)
    freedom = sum(shares) ** 2 / sum(
        share**2 / (len(values) - 1) for share, values in zip(shares, (first, second), strict=True)
    )
    return _sign(difference, _quantile(freedom) * math.sqrt(sum(shares)))


def spread(
    values: list[float], decimals: int = 3, signed: bool = False, interval: float | None = None
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


def _quantile(freedom: float) -> float:
    return float(stats.t.ppf((1 + LEVEL) / 2, freedom))


def _sign(value: float, error: float = 0.0) -> int:
    return 0 if abs(value) <= error else int(math.copysign(1, value))
