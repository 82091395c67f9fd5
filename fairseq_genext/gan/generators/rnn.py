"""A recurrent language model whose first state is made from noise."""

import torch
from torch import Tensor, nn

from fairseq_genext.modules.rnn import State
from fairseq_genext.modules.rnn_decoder import RNNDecoder


class RNNGenerator(RNNDecoder):
    """p(y_t | y_<t, z) with z ~ N(0, I): s_0 = tanh(W z + b).

    The noise is drawn when decoding starts, one vector a sequence, so fairseq's generation commands
    sample from it as from any language model.

    Args:
        dictionary: target dictionary.
        noise_dim: width of z.
        decoder: arguments of ``RNNDecoder``.
    """

    def __init__(self, dictionary, noise_dim: int, **decoder) -> None:
        super().__init__(dictionary, **decoder)
        self.noise_dim = noise_dim
        rnn = self.rnn.layers
        self.state_shape = (self.rnn.num_states, rnn.num_layers, rnn.hidden_size)
        self.noise_to_state = nn.Linear(noise_dim, torch.Size(self.state_shape).numel())

    def forward(
        self,
        prev_output_tokens: Tensor,
        encoder_out=None,
        incremental_state: dict | None = None,
        noise: Tensor | None = None,
        **kwargs,
    ) -> tuple[Tensor, None]:
        """As ``RNNDecoder.forward``, with noise in the encoder's place.

        Args:
            noise: z, ``(batch, noise_dim)``; drawn from N(0, I) if None. Read at the first step
                only.
        """
        if not self.rnn.has_started(incremental_state):
            if noise is None:
                noise = self.draw_noise(prev_output_tokens.size(0))
            encoder_out = {"state": self.state_from_noise(noise)}
        return super().forward(
            prev_output_tokens, encoder_out, incremental_state=incremental_state, **kwargs
        )

    def draw_noise(self, batch_size: int) -> Tensor:
        """z ~ N(0, I), ``(batch_size, noise_dim)``, from torch's global random numbers."""
        weight = self.noise_to_state.weight
        return torch.randn(batch_size, self.noise_dim, dtype=weight.dtype, device=weight.device)

    def state_from_noise(self, noise: Tensor) -> State:
        """``(batch, noise_dim)`` to a tuple of ``(layers, batch, hidden_dim)``."""
        state = torch.tanh(self.noise_to_state(noise)).view(-1, *self.state_shape)
        return tuple(state.permute(1, 2, 0, 3).contiguous())
