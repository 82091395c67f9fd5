"""Measures several texts against one set of references, which are read and encoded once."""

import argparse
from pathlib import Path

import numpy as np

from fairseq_genext.data.pieces import normalizer
from fairseq_genext.evaluation.metrics import mauve_score
from fairseq_genext.evaluation.metrics.encoders import build_encoder
from fairseq_genext.evaluation.metrics.frechet import frechet_distance
from fairseq_genext.evaluation.metrics.samples import measure
from fairseq_genext.evaluation.tokenizers import add_tokenize_flag, choose, cutter
from fairseq_genext.files import Cut, read_lines, read_samples, read_tokens


class TextMetrics:
    """Every figure of a text against references.

    Args:
        references: held-out text.
        train: training text, or None.
        encoder: as ``build_encoder`` knows it, or ``none``.
        cut: what makes tokens of a line of samples; it made those of the references.

    Attributes:
        encoder: of sentences; None without one.
        embedded: the references' embeddings, ``(references, dim)``.
    """

    def __init__(
        self,
        references: list[list[str]],
        train: list[list[str]] | None,
        encoder: str = "lsa",
        cut: Cut = str.split,
    ) -> None:
        self.references = references
        self.train = train
        self.cut = cut
        self.known = {token for sentence in references for token in sentence}
        self.encoder = None
        if encoder != "none":
            self.encoder = build_encoder(encoder, [" ".join(tokens) for tokens in references])
            self.embedded = self.embed(references)

    @classmethod
    def of_flags(
        cls, args: argparse.Namespace, pieces: str | None, encoder: str = "lsa"
    ) -> "TextMetrics":
        """Against the files of ``add_text_flags``.

        Args:
            args: of the command line; ``tokenize`` becomes the tokenizer that is taken.
            pieces: sentencepiece model of the systems, which all texts are normalised by, so that
                they differ in what the systems can help; None leaves them as they are.
            encoder: as of the class.

        Raises:
            UsageError: as ``read_tokens`` and ``pieces.load``.
        """
        normalise = normalizer(pieces) if pieces else str
        args.tokenize = choose(args.tokenize, read_lines(args.references), default="none")
        tokens = cutter(args.tokenize)

        def cut(line: str) -> list[str]:
            return tokens(normalise(line))

        train = read_tokens(args.train, cut=cut) if args.train else None
        return cls(read_tokens(args.references, 2, cut), train, encoder, cut)

    def read(self, path: str | Path) -> list[list[str]]:
        """Samples of a file; raises UsageError as ``files.read_samples``."""
        return read_samples(path, self.known, self.cut)

    def embed(self, texts: list[list[str]]) -> np.ndarray:
        """Embeddings, ``(texts, dim)``."""
        return self.encoder.encode([" ".join(tokens) for tokens in texts])

    def measure(self, texts: list[list[str]], mauve: bool = False) -> dict[str, float | None]:
        """Figures of ``samples.measure``, with an encoder ``frechet``, where asked for ``mauve``.

        ``mauve`` is None where mauve-text is not installed.
        """
        figures: dict = measure(texts, self.references, self.train)
        if self.encoder is not None:
            embedded = self.embed(texts)
            figures["frechet"] = frechet_distance(embedded, self.embedded)
            if mauve:
                installed = mauve_score.is_installed()
                score = mauve_score.mauve_score(embedded, self.embedded) if installed else None
                figures["mauve"] = score
        return figures


def add_text_flags(parser: argparse.ArgumentParser) -> None:
    """The flags that name what texts are measured against."""
    parser.add_argument("--references", required=True, help="held-out text, a sentence a line")
    parser.add_argument("--train", help="training text, to count copies")
    add_tokenize_flag(parser, "none, at blanks")
