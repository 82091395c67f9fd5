"""Fréchet distance between two sets of vectors: embeddings of sentences or features of images."""

import numpy as np


def frechet_distance(first: np.ndarray, second: np.ndarray) -> float:
    """Squared Fréchet (2-Wasserstein) distance of the Gaussians fitted to two sets of vectors.

        d^2 = |m1 - m2|^2 + tr(C1 + C2 - 2 (C1 C2)^(1/2))

    (Dowson and Landau 1982; over image features Heusel et al. 2017, over sentence embeddings
    Semeniuta et al. 2018, https://arxiv.org/abs/1806.04936, and d'Autume et al. 2019,
    https://arxiv.org/abs/1905.09922.) Lower is better, from 0 up without bound; the scale is the
    encoder's, so only figures of one encoder can be compared. It is biased upwards by as much as
    sets are small: compare equally many samples, and take another piece of real text as the floor.
    It sees quality and diversity together, so it cannot tell which is missing, and nothing beyond
    means and covariances of what the encoder keeps.

    The trace of the root is the sum of the singular values of R1 R2^T, where C = R^T R comes from
    the QR decomposition of the centred vectors. No covariance is squared or its root taken, so
    nothing is lost where covariances are singular, as they are with fewer vectors than dimensions.

    Args:
        first, second: ``(number, dim)``, at least two vectors each.

    Raises:
        ValueError: the dimensions differ, or a set has fewer than two vectors.
    """
    if first.shape[1] != second.shape[1]:
        raise ValueError(f"embeddings have {first.shape[1]} and {second.shape[1]} dimensions")
    means, factors = [], []
    for vectors in (first, second):
        if len(vectors) < 2:
            raise ValueError("the Fréchet distance needs at least two embeddings on each side")
        vectors = vectors.astype(np.float64)
        means.append(vectors.mean(axis=0))
        centred = (vectors - means[-1]) / np.sqrt(len(vectors) - 1)
        factors.append(np.linalg.qr(centred, mode="r"))
    traces = sum(np.square(factor).sum() for factor in factors)
    root = np.linalg.norm(factors[0] @ factors[1].T, ord="nuc")
    distance = np.square(means[0] - means[1]).sum() + traces - 2 * root
    return max(0.0, float(distance))
