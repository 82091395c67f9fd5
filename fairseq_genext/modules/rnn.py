"""LSTM, GRU and plain RNN behind one interface: the state is always a tuple of tensors."""

from fairseq.incremental_decoding_utils import with_incremental_state
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

CELLS = {"lstm": nn.LSTM, "gru": nn.GRU, "rnn": nn.RNN}

State = tuple[Tensor, ...]


@with_incremental_state
class Recurrence(nn.Module):
    """What every recurrence shares: when generating it keeps its state in ``incremental_state``.

    A state is a tuple of tensors ``(rows, batch, width)``.

    Args:
        state_shape: number of tensors, rows and width of a state.
    """

    def __init__(self, state_shape: tuple[int, int, int]) -> None:
        super().__init__()
        self.state_shape = state_shape

    def initial_state(self, like: Tensor) -> State:
        """Where it starts unless told otherwise; ``like`` is any ``(batch, …)`` tensor."""
        number, rows, width = self.state_shape
        return tuple(like.new_zeros(number, rows, like.size(0), width))

    def cached_state(self, incremental_state: dict | None) -> State | None:
        """The state after the last input read, None before the first."""
        cached = self.get_incremental_state(incremental_state, "state")
        return None if cached is None else tuple(cached.values())

    def cache_state(self, incremental_state: dict | None, state: State) -> None:
        """Keeps ``state`` for the next step."""
        cache = {str(index): tensor for index, tensor in enumerate(state)}
        self.set_incremental_state(incremental_state, "state", cache)

    def has_started(self, incremental_state: dict | None) -> bool:
        """Whether the cache holds a state, so that only the newest input is to be read."""
        return self.cached_state(incremental_state) is not None

    def reorder_incremental_state(self, incremental_state: dict, new_order: Tensor) -> None:
        """Moves the cached state to the beams of ``new_order``, ``(new batch,)``."""
        state = self.cached_state(incremental_state)
        if state is not None:
            reordered = tuple(tensor.index_select(1, new_order) for tensor in state)
            self.cache_state(incremental_state, reordered)


class RNN(Recurrence):
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
        if cell not in CELLS:
            raise ValueError(f"unknown cell {cell!r}; choose one of {', '.join(CELLS)}")
        directions = 2 if bidirectional else 1
        super().__init__((2 if cell == "lstm" else 1, num_layers * directions, hidden_dim))
        self.layers = CELLS[cell](
            input_dim,
            hidden_dim,
            num_layers,
            # torch warns when a single layer is given dropout, as there is nothing between layers.
            dropout=dropout if num_layers > 1 else 0.0,
            batch_first=True,
            bidirectional=bidirectional,
        )
        self.num_states = self.state_shape[0]

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
        cached = self.cached_state(incremental_state)
        state = state if cached is None else cached
        if state is not None:
            state = state if self.num_states == 2 else state[0]
        outputs, state = self.layers(inputs, state)
        state = state if self.num_states == 2 else (state,)
        self.cache_state(incremental_state, state)
        return outputs, state
