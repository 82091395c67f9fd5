"""LSTM, GRU and plain RNN behind one interface: the state is always a tuple of tensors."""

from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

CELLS = {"lstm": nn.LSTM, "gru": nn.GRU, "rnn": nn.RNN}

State = tuple[Tensor, ...]


class RNN(nn.Module):
    """A stack of recurrent layers whose whole sequence runs in one fused call.

    Args:
        cell: a key of ``CELLS``.
        input_dim: width of the input.
        hidden_dim: width of each layer, per direction.
        num_layers: number of layers.
        dropout: probability of dropping an activation between layers.
        bidirectional: read the sequence in both directions.

    Raises:
        ValueError: ``cell`` is not one of ``CELLS``.
    """

    def __init__(
        self,
        cell: str,
        input_dim: int,
        hidden_dim: int,
        num_layers: int = 1,
        dropout: float = 0.0,
        bidirectional: bool = False,
    ) -> None:
        super().__init__()
        if cell not in CELLS:
            raise ValueError(f"unknown cell {cell!r}; choose one of {', '.join(CELLS)}")
        self.layers = CELLS[cell](
            input_dim,
            hidden_dim,
            num_layers,
            # torch warns when a single layer is given dropout, as there is nothing between layers.
            dropout=dropout if num_layers > 1 else 0.0,
            batch_first=True,
            bidirectional=bidirectional,
        )
        self.num_states = 2 if cell == "lstm" else 1

    def forward(
        self, inputs: Tensor | PackedSequence, state: State | None = None
    ) -> tuple[Tensor | PackedSequence, State]:
        """
        Args:
            inputs: ``(batch, time, input_dim)``, or a packed sequence of it.
            state: ``(h,)``, or ``(h, c)`` for an LSTM, each
                ``(num_layers * directions, batch, hidden_dim)``; zeros if None.

        Returns:
            The outputs, ``(batch, time, directions * hidden_dim)`` or packed, and the state after
            each sequence's last step.
        """
        if state is not None:
            state = state if self.num_states == 2 else state[0]
        outputs, state = self.layers(inputs, state)
        return outputs, state if self.num_states == 2 else (state,)
