"""Measures several texts against one set of references, which are encoded once."""

from fairseq_genext.evaluation.metrics.encoders import build_encoder
from fairseq_genext.evaluation.metrics.frechet import frechet_distance
from fairseq_genext.evaluation.metrics.samples import measure


class TextMetrics:
    """Measures texts against the references.

    Args:
        references: held-out text.
        train: training text, or None.
    """

    def __init__(self, references: list[list[str]], train: list[list[str]] | None) -> None:
        self.references = references
        self.train = train
        sentences = [" ".join(tokens) for tokens in references]
        self.encoder = build_encoder("lsa", sentences)
        self.embedded = self.encoder.encode(sentences)

    def measure(self, texts: list[list[str]]) -> dict[str, float]:
        """Figures of ``samples.measure``, and ``frechet``."""
        embedded = self.encoder.encode([" ".join(tokens) for tokens in texts])
        figures = measure(texts, self.references, self.train)
        return figures | {"frechet": frechet_distance(embedded, self.embedded)}
