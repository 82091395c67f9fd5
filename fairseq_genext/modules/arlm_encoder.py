"""An autoregressive language model (ARLM) as an encoder.

E_i = layer_norm(ARLM(x_1 … x_i) + √d · embed(x_i)), with 0 for the embedding of the sentence's end
"""

from collections.abc import Callable

import torch
from fairseq.models import FairseqEncoder, FairseqIncrementalDecoder
from torch import Tensor, nn

from fairseq_genext.modules.empty_source import warn_of_empty_source
from fairseq_genext.modules.state_bridge import StateBridge


class ARLMEncoder(FairseqEncoder):
    """A causal language model that reads the source; its states are what the decoder attends to.

    Args:
        dictionary: source dictionary.
        arlm: a decoder that runs without encoder, such as ``RNNDecoder`` or ``GPTDecoder``.
        embed_dim: its width.
        dropout: dropout on the words that are added to its states.
        parts: lengths and longest length to the masks of what each attention may see: ``halves`` or
            ``whole``.
        decoder_shape: (layers, width) of the decoder's recurrent state.
        num_states: tensors in that state, 2 for an LSTM.
        max_positions: longest source, end of sentence included.
    """

    def __init__(
        self,
        dictionary,
        arlm: FairseqIncrementalDecoder,
        embed_dim: int,
        dropout: float,
        parts: Callable[[Tensor, int], list[Tensor]],
        decoder_shape: tuple[int, int],
        num_states: int,
        max_positions: int,
    ) -> None:
        super().__init__(dictionary)
        self.pad, self.eos = dictionary.pad(), dictionary.eos()
        self.arlm = arlm
        self.embed_scale = embed_dim**0.5
        self.dropout = nn.Dropout(dropout)
        self.layer_norm = nn.LayerNorm(embed_dim)
        self.parts = parts
        self.num_states = num_states
        self.bridge = StateBridge((1, embed_dim), decoder_shape, num_states)
        self.max_source_positions = max_positions

    def forward(self, src_tokens: Tensor, src_lengths: Tensor, **unused) -> dict:
        """
        Args:
            src_tokens: ``(batch, source length)``, padded on either side.
            src_lengths: ``(batch,)``, source lengths without padding.

        Returns:
            With sources padded on the right, whatever ``src_tokens`` is:
            ``tokens``, ``(batch, source length)``;
            ``states``, ``(batch, source length, embed_dim)``, the i-th read up to token i;
            ``predicting``, of the same shape, the i-th read up to token i - 1;
            ``parts``, masks ``(batch, source length)`` of what each attention may see;
            ``initial``, the decoder's first state, a tuple of
            ``(decoder layers, batch, decoder width)``;
            ``columns``, ``(batch, source length)``, where each column of ``src_tokens`` is now.
        """
        if not self.training:
            warn_of_empty_source(src_lengths)
        length = src_tokens.size(1)
        # Causal reading wants the padding on the right; fairseq pads sources on the left.
        leading = src_tokens.ne(self.pad).int().argmax(dim=1, keepdim=True)
        columns = torch.arange(length, device=src_tokens.device)
        tokens = src_tokens.gather(1, (columns + leading) % length)

        # As in fairseq's language models, a text starts from the end of the one before.
        start = tokens.new_full((tokens.size(0), 1), self.eos)
        # The word itself, added to the state that has read up to it: an attention finds rare words
        # by it, and with embeddings shared by both sides the output layer can name it. The end of
        # the sentence is no such word: its state, the only one that has read everything, would call
        # for an end.
        text = torch.cat([start, tokens], dim=1)
        states, _ = self.arlm(text, features_only=True)
        words = self.embed_scale * self.arlm.embed_tokens(text) * text.ne(self.eos).unsqueeze(2)
        read = self.layer_norm(states + self.dropout(words))
        last = read[torch.arange(tokens.size(0), device=tokens.device), src_lengths]
        return {
            "tokens": tokens,
            "states": read[:, 1:],
            "predicting": states[:, :-1],
            "parts": self.parts(src_lengths, length),
            "initial": self.bridge((last.unsqueeze(0),) * self.num_states),
            "columns": (columns - leading) % length,
        }

    def reorder_encoder_out(self, encoder_out: dict, new_order: Tensor) -> dict:
        """Moves what the decoder reads to the beams of ``new_order``, ``(new batch,)``."""
        reordered = {
            name: encoder_out[name].index_select(0, new_order) for name in ("states", "columns")
        }
        reordered["parts"] = [part.index_select(0, new_order) for part in encoder_out["parts"]]
        reordered["initial"] = tuple(
            state.index_select(1, new_order) for state in encoder_out["initial"]
        )
        return reordered

    def max_positions(self) -> int:
        """Longest source, end of sentence included."""
        return self.max_source_positions
