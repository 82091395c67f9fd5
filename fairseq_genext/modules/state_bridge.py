"""Fits the state that an encoder ends in to the one that a decoder starts from."""

import torch
from torch import nn

from fairseq_genext.modules.rnn import State


class StateBridge(nn.Module):
    """Fits the encoder's final state to the shape of the decoder's initial state.

    Args:
        encoder_shape, decoder_shape: (layers, width) of each side. Equal shapes need no weights.
        num_states: tensors in a state, 2 for an LSTM.
    """

    def __init__(
        self, encoder_shape: tuple[int, int], decoder_shape: tuple[int, int], num_states: int
    ) -> None:
        super().__init__()
        self.decoder_shape = decoder_shape
        self.projections = nn.ModuleList()
        if encoder_shape != decoder_shape:
            encoder_size = encoder_shape[0] * encoder_shape[1]
            decoder_size = decoder_shape[0] * decoder_shape[1]
            self.projections.extend(
                nn.Linear(encoder_size, decoder_size) for _ in range(num_states)
            )

    def forward(self, state: State) -> State:
        """Tensors of ``(encoder layers, batch, width)`` to ``(decoder layers, batch, width)``."""
        if len(self.projections) == 0:
            return state
        bridged = []
        for tensor, project in zip(state, self.projections, strict=True):
            flat = tensor.transpose(0, 1).flatten(1)
            shaped = project(flat).view(-1, *self.decoder_shape).transpose(0, 1).contiguous()
            bridged.append(shaped)
        # h is the output of a tanh and stays one; an LSTM's c has no bounds.
        return (torch.tanh(bridged[0]), *bridged[1:])
