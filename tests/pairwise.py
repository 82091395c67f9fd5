"""Grids of cases: every pair of values by default, all the rest of the grid with ``-m full``."""

import itertools
from collections.abc import Callable, Iterable

import pytest


def pairs(case: tuple, together: int = 2) -> set[tuple]:
    """Every two values of a case, or ``together`` of them, with their places."""
    return set(itertools.combinations(enumerate(case), together))


def cover(cases: list[tuple], together: int = 2) -> list[tuple]:
    """Some of the cases that have every pair of values that any case has.

    Greedy: the case with the most pairs that are new, the first of those with as many. The library
    allpairspy is not used because it leaves pairs out where values exclude each other.
    """
    missing = set().union(*(pairs(case, together) for case in cases))
    chosen = []
    while missing:
        chosen.append(max(cases, key=lambda case: len(pairs(case, together) & missing)))
        missing -= pairs(chosen[-1], together)
    return chosen


def grid(
    *factors: Iterable,
    admits: Callable[..., bool] = lambda *case: True,
    together: int = 2,
) -> list:  # of pytest's parameter sets
    """Parameters of ``pytest.mark.parametrize``: one value of each factor.

    Args:
        factors: the values of each.
        admits: takes a value of each factor, says whether they go together.
        together: 2 for every pair of values by default, 1 for every value.
    """
    cases = [case for case in itertools.product(*factors) if admits(*case)]
    default = set(cover(cases, together))
    return [
        pytest.param(*case, marks=[] if case in default else pytest.mark.full) for case in cases
    ]
