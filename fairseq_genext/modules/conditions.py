"""What a sampled text depends on besides itself: noise, a source sentence, or nothing."""

from torch import Tensor


class Condition:
    """Nothing: a language model's samples.

    Attributes:
        arguments: keyword arguments for every call of the decoder.
    """

    def __init__(self, **arguments) -> None:
        self.arguments = arguments

    def select(self, rows: Tensor) -> "Condition":
        """The condition of the sequences ``rows``, ``(new batch,)``, of this batch."""
        return self

    def read(self, decoder) -> "Condition":
        """What ``decoder`` is to be given, made in its mode and with a gradient if there is one."""
        return self


class Noise(Condition):
    """z, ``(batch, noise_dim)``, for a generator that has ``draw_noise``.

    A decoder reads it at the first step and from then on keeps what it made of it in its
    incremental state, which moves with the sequences.
    """

    def __init__(self, noise: Tensor) -> None:
        super().__init__(noise=noise)

    def select(self, rows: Tensor) -> "Noise":
        """As ``Condition.select``."""
        return Noise(self.arguments["noise"][rows])


class Source(Condition):
    """A batch of sources, which the encoder of a sequence-to-sequence model is yet to read.

    Args:
        encoder: a fairseq encoder.
        tokens: ids ``(batch, source length)``, padded on either side.
        lengths: ``(batch,)``, source lengths without padding.
    """

    def __init__(self, encoder, tokens: Tensor, lengths: Tensor) -> None:
        super().__init__()
        self.encoder = encoder
        self.tokens = tokens
        self.lengths = lengths

    def select(self, rows: Tensor) -> "Source":
        """As ``Condition.select``."""
        return Source(self.encoder, self.tokens[rows], self.lengths[rows])

    def read(self, decoder) -> "EncodedSource":
        """As ``Condition.read``; in a decoder without dropout the encoder has none either."""
        mode = self.encoder.training
        self.encoder.train(decoder.training)
        try:
            encoder_out = self.encoder(self.tokens, src_lengths=self.lengths)
        finally:
            self.encoder.train(mode)
        return EncodedSource(self.encoder, encoder_out)


class EncodedSource(Condition):
    """A batch of sources as the decoder takes them.

    Args:
        encoder: moves what it has made of the sources to other rows.
        encoder_out: what it has made of them.
    """

    def __init__(self, encoder, encoder_out) -> None:
        super().__init__(encoder_out=encoder_out)
        self.encoder = encoder

    def select(self, rows: Tensor) -> "EncodedSource":
        """As ``Condition.select``."""
        moved = self.encoder.reorder_encoder_out(self.arguments["encoder_out"], rows)
        return EncodedSource(self.encoder, moved)


def draw_condition(decoder, batch_size: int) -> Condition:
    """Fresh noise for a decoder that takes any, nothing for one that does not."""
    draw = getattr(decoder, "draw_noise", None)
    noise: Tensor | None = None if draw is None else draw(batch_size)
    return Condition() if noise is None else Noise(noise)
