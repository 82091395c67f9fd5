"""What the decoders share: features become logits by one projection."""

from fairseq.models import FairseqIncrementalDecoder
from torch import Tensor


class WordDecoder(FairseqIncrementalDecoder):
    """A decoder with ``output_projection`` whose ``forward`` knows ``features_only``."""

    def extract_features(self, prev_output_tokens: Tensor, **kwargs) -> tuple:
        """What the output layer reads, ``(batch, time, width)``, and what else ``forward`` returns;
        arguments as there."""
        return self.forward(prev_output_tokens, features_only=True, **kwargs)

    def output_layer(self, features: Tensor, **unused) -> Tensor:
        """``(…, width)`` to logits ``(…, vocabulary)``."""
        return self.output_projection(features)

    def max_positions(self) -> int:
        """A decoder that does not count positions has no longest text."""
        return int(1e5)
