"""MAUVE, where the package mauve-text is installed."""

import importlib
import importlib.util

import numpy as np


def is_installed() -> bool:
    """Whether the package mauve-text can be imported."""
    return importlib.util.find_spec("mauve") is not None


def mauve_score(samples: np.ndarray, references: np.ndarray, seed: int = 1) -> float:
    """MAUVE (Pillutla et al. 2021, https://arxiv.org/abs/2102.01454) of two sets of embeddings.

    Embeddings of both sides are clustered together by k-means into a tenth as many clusters as the
    smaller side has sentences; MAUVE is the area under the curve
    ``(exp(-5 KL(Q | R)), exp(-5 KL(P | R)))`` of the cluster histograms P and Q, over all mixtures
    R of the two. Higher is better, 0 to 1. Like the Fréchet distance it sees quality and diversity
    together and cannot tell them apart. It depends on the encoder and on the number of sentences;
    only with the features of GPT-2 large can it be compared with published figures.

    Args:
        samples, references: embeddings, ``(sentences, dim)``.
        seed: seed of the clustering.

    Raises:
        ModuleNotFoundError: mauve-text is not installed.
    """
    result = importlib.import_module("mauve").compute_mauve(
        p_features=references.astype(np.float32),
        q_features=samples.astype(np.float32),
        seed=seed,
    )
    return float(result.mauve)
