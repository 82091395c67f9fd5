"""LSTM, GRU and plain RNN behind one interface: the state is always a tuple of tensors."""

from fairseq.incremental_decoding_utils import with_incremental_state
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

CELLS = {"lstm": nn.LSTM, "gru": nn.GRU, "rnn": nn.RNN}

State = tuple[Tensor, ...]


@with_incremental_state
class RNN(nn.Module):
    """A stack of recurrent layers whose whole sequence runs in one fused call.

    When generating step by step it keeps its state in fairseq's ``incremental_state``.

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
        self,
        inputs: Tensor | PackedSequence,
        state: State | None = None,
        incremental_state: dict | None = None,
    ) -> tuple[Tensor | PackedSequence, State]:
        """
        Args:
            inputs: ``(batch, time, input_dim)``, or a packed sequence of it.
            state: ``(h,)``, or ``(h, c)`` for an LSTM, each
                ``(num_layers * directions, batch, hidden_dim)``; zeros if None.
            incremental_state: cache for step-by-step decoding; a state in it goes before ``state``.

        Returns:
            The outputs, ``(batch, time, directions * hidden_dim)`` or packed, and the state after
            each sequence's last step.
        """
        cached = self.get_incremental_state(incremental_state, "state")
        if cached is not None:
            state = tuple(cached.values())
        if state is not None:
            state = state if self.num_states == 2 else state[0]
        outputs, state = self.layers(inputs, state)
        state = state if self.num_states == 2 else (state,)
        cache = {str(index): tensor for index, tensor in enumerate(state)}
        self.set_incremental_state(incremental_state, "state", cache)
        return outputs, state

    def has_started(self, incremental_state: dict | None) -> bool:
        """Whether the cache holds a state, so that only the newest input is to be read."""
        return self.get_incremental_state(incremental_state, "state") is not None

    def reorder_incremental_state(self, incremental_state: dict, new_order: Tensor) -> None:
        """Moves the cached state to the beams of ``new_order``, ``(new batch,)``."""
        cached = self.get_incremental_state(incremental_state, "state")
        if cached is not None:
            reordered = {key: tensor.index_select(1, new_order) for key, tensor in cached.items()}
            self.set_incremental_state(incremental_state, "state", reordered)
