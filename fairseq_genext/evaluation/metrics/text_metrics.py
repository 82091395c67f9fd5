"""Measures several texts against one set of references, which are encoded once."""

import numpy as np

from fairseq_genext.evaluation.metrics.encoders import build_encoder
from fairseq_genext.evaluation.metrics.frechet import frechet_distance
from fairseq_genext.evaluation.metrics.samples import measure


class TextMetrics:
    """Every figure of a text against references.

    Args:
        references: held-out text.
        train: training text, or None.

    Attributes:
        encoder: of sentences, fitted on the references.
        embedded: the references' embeddings, ``(references, dim)``.
    """

    def __init__(self, references: list[list[str]], train: list[list[str]] | None) -> None:
        self.references = references
        self.train = train
        self.encoder = build_encoder("lsa", [" ".join(tokens) for tokens in references])
        self.embedded = self.embed(references)

    def embed(self, texts: list[list[str]]) -> np.ndarray:
        """Embeddings, ``(texts, dim)``."""
        return self.encoder.encode([" ".join(tokens) for tokens in texts])

    def measure(self, texts: list[list[str]]) -> dict[str, float]:
        """Figures of ``samples.measure``, and ``frechet``."""
        figures = measure(texts, self.references, self.train)
        return figures | {"frechet": frechet_distance(self.embed(texts), self.embedded)}
