"""The tests' own grids: no pair of values is left out, and the rest waits for ``-m full``."""

import itertools

import pytest
from pairwise import cover, grid, pairs


@pytest.mark.parametrize(
    ("factors", "admits", "number"),
    [
        ((range(4), range(5), range(3)), lambda *case: True, 20),
        ((range(4), range(5), range(3), range(4)), lambda a, b, *rest: a != b, 19),
        ((range(2), range(2)), lambda *case: True, 4),
    ],
)
def test_every_pair_that_is_admitted(factors, admits, number):
    cases = [case for case in itertools.product(*factors) if admits(*case)]
    chosen = cover(cases)
    assert set().union(*map(pairs, chosen)) == set().union(*map(pairs, cases))
    assert set(chosen) <= set(cases) and number <= len(chosen) <= number + 5


def test_the_rest_of_the_grid_is_marked():
    parameters = grid("abc", range(3), [True, False], admits=lambda letter, *_: letter != "c")
    default, rest = (
        {one.values for one in parameters if bool(one.marks) is marked} for marked in (False, True)
    )
    # Six pairs of a letter and a number; twice as many cases.
    assert len(default) == len(rest) == 6 and {mark.name for mark in parameters[-1].marks} <= {
        "full"
    }
    assert {(letter, number) for letter, number, _ in default} == set(
        itertools.product("ab", range(3))
    )
