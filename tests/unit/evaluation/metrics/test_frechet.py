"""The Fréchet distance against its formula, and where a matrix root breaks down."""

import numpy as np
import pytest
from scipy.linalg import sqrtm

from fairseq_genext.evaluation.metrics.frechet import frechet_distance


def vectors(seed, number, dim):
    draw = np.random.default_rng(seed)
    return draw.normal(size=(number, dim)) @ draw.normal(size=(dim, dim)) + draw.normal(size=dim)


def test_equals_the_formula():
    first, second = vectors(1, 300, 6), vectors(2, 200, 6)
    one, two = np.cov(first, rowvar=False), np.cov(second, rowvar=False)
    means = first.mean(axis=0) - second.mean(axis=0)
    expected = means @ means + np.trace(one + two - 2 * sqrtm(one @ two).real)
    assert frechet_distance(first, second) == pytest.approx(expected, rel=1e-9)


def test_by_hand_in_one_dimension():
    # Means 0 and 3, standard deviations 1 and 2: 3^2 + (1 - 2)^2.
    first = np.array([[-1.0], [1.0]]) / 2**0.5
    assert frechet_distance(first, 3 + 2 * first) == pytest.approx(10)


def test_a_set_is_no_distance_from_itself_and_a_shift_counts_squared():
    cloud = vectors(3, 50, 8)
    assert frechet_distance(cloud, cloud) == pytest.approx(0, abs=1e-9)
    assert frechet_distance(cloud, cloud + 2) == pytest.approx(8 * 4)


def test_fewer_vectors_than_dimensions():
    first, second = vectors(4, 7, 30), vectors(5, 9, 30)
    assert frechet_distance(first, first[::-1]) == pytest.approx(0, abs=1e-9)
    # Dimensions that neither uses change nothing.
    wider = [np.pad(cloud, ((0, 0), (0, 40))) for cloud in (first, second)]
    assert frechet_distance(*wider) == pytest.approx(frechet_distance(first, second))


def test_single_precision_is_enough():
    first, second = vectors(6, 100, 12), vectors(7, 100, 12)
    narrow = frechet_distance(first.astype(np.float32), second.astype(np.float32))
    assert narrow == pytest.approx(frechet_distance(first, second), rel=1e-5)


def test_what_cannot_be_compared():
    with pytest.raises(ValueError, match="3 and 4 dimensions"):
        frechet_distance(np.ones((5, 3)), np.ones((5, 4)))
    with pytest.raises(ValueError, match="at least two"):
        frechet_distance(np.ones((5, 3)), np.ones((1, 3)))
