"""A small decoder that fine-tunes what another one has drafted."""

import torch
from torch import Tensor, nn

from fairseq_genext.modules.rnn import RNN


class ModulationDecoder(nn.Module):
    """Scales and shifts a draft state by what a causal RNN reads in it and in a context.

    FiLM (Perez et al. 2018, https://arxiv.org/abs/1709.07871, equation 2) over time:

        m_t = RNN(m_{t-1}, [d_t; c_t]),   (scale_t, shift_t) = W m_t + b
        d'_t = (1 + scale_t) * d_t + shift_t

    W and b start at 0, so training starts from the draft as it is.

    Args:
        cell: ``lstm``, ``gru`` or ``rnn``.
        state_dim: width of the draft state d.
        context_dim: width of the context c.
        hidden_dim: width of the RNN.
    """

    def __init__(self, cell: str, state_dim: int, context_dim: int, hidden_dim: int) -> None:
        super().__init__()
        self.rnn = RNN(cell, state_dim + context_dim, hidden_dim)
        self.film = nn.Linear(hidden_dim, 2 * state_dim)
        nn.init.zeros_(self.film.weight)
        nn.init.zeros_(self.film.bias)

    def forward(
        self, draft: Tensor, context: Tensor, incremental_state: dict | None = None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """
        Args:
            draft: ``(batch, time, state_dim)``.
            context: ``(batch, time, context_dim)``.
            incremental_state: cache of the RNN's state for step-by-step decoding.

        Returns:
            The modulated draft, the scale and the shift, each ``(batch, time, state_dim)``.
        """
        hidden, _ = self.rnn(
            torch.cat([draft, context], dim=-1), incremental_state=incremental_state
        )
        scale, shift = self.film(hidden).chunk(2, dim=-1)
        return (1 + scale) * draft + shift, scale, shift
