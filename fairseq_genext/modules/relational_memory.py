"""A recurrence whose state is a memory of slots that attend to each other and to the input.

Santoro et al. 2018, "Relational recurrent neural networks" (https://arxiv.org/abs/1806.01822),
section 3. With memory M, a row a slot, and input x:

    A  = softmax(Q_M K_[M;x]^T / sqrt(head width)) V_[M;x]     in each head, heads side by side
    M' = layer_norm(M + A),   M'' = layer_norm(M' + mlp(M'))
    i, f = sigmoid(U_i x + W_i tanh(M)), sigmoid(U_f x + W_f tanh(M) + 1)
    M  = i * tanh(M'') + f * M

where [Q; K; V] = layer_norm(W_qkv m + b_qkv), and x comes through a linear layer first.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from fairseq_genext.modules.rnn import Recurrence, State


class RelationalMemory(Recurrence):
    """A relational memory core; its output at each step is the whole new memory, flattened.

    What depends on the input alone is computed for all steps at once; the loop over time holds
    only what depends on the memory.

    Args:
        input_dim: width of the input.
        num_slots: number of memory slots.
        memory_dim: width of a slot, all heads together.
        num_heads: attention heads.

    Raises:
        ValueError: the heads do not divide the width.
    """

    def __init__(self, input_dim: int, num_slots: int, memory_dim: int, num_heads: int) -> None:
        if memory_dim % num_heads != 0:
            raise ValueError(f"width {memory_dim} cannot be divided among {num_heads} heads")
        super().__init__((1, num_slots, memory_dim))
        self.num_heads = num_heads
        self.input_proj = nn.Linear(input_dim, memory_dim)
        self.qkv_proj = nn.Linear(memory_dim, 3 * memory_dim)
        self.qkv_norm = nn.LayerNorm(3 * memory_dim)
        self.attention_norm = nn.LayerNorm(memory_dim)
        self.mlp = nn.Sequential(
            nn.Linear(memory_dim, memory_dim), nn.ReLU(), nn.Linear(memory_dim, memory_dim)
        )
        self.mlp_norm = nn.LayerNorm(memory_dim)
        self.input_gates = nn.Linear(memory_dim, 2 * memory_dim)
        self.memory_gates = nn.Linear(memory_dim, 2 * memory_dim, bias=False)
        with torch.no_grad():
            # A memory that remembers to begin with: the 1 in f.
            self.input_gates.bias[memory_dim:] += 1.0

    def initial_state(self, like: Tensor) -> State:
        """Rows of an identity matrix, so that the slots differ, ``(num_slots, batch, width)``."""
        _, slots, width = self.state_shape
        rows = torch.eye(slots, width, dtype=like.dtype, device=like.device)
        return (rows.unsqueeze(1).expand(-1, like.size(0), -1),)

    def forward(
        self,
        inputs: Tensor,
        state: State | None = None,
        incremental_state: dict | None = None,
    ) -> tuple[Tensor, State]:
        """
        Args:
            inputs: ``(batch, time, input_dim)``.
            state: ``(memory,)``, ``(num_slots, batch, memory_dim)``; ``initial_state`` if None.
            incremental_state: cache for step-by-step decoding; a state in it goes before ``state``.

        Returns:
            The memory after each step, ``(batch, time, num_slots * memory_dim)``, and the state
            after the last.
        """
        cached = self.cached_state(incremental_state)
        state = state if cached is None else cached
        (memory,) = self.initial_state(inputs) if state is None else state
        memory = memory.transpose(0, 1)  # (batch, slots, width)

        inputs = self.input_proj(inputs)
        _, keys, values = self.heads(inputs)  # each (batch, heads, time, head width)
        gates = self.input_gates(inputs)
        outputs = []
        for time in range(inputs.size(1)):
            step = slice(time, time + 1)
            memory = self.step(memory, keys[:, :, step], values[:, :, step], gates[:, step])
            outputs.append(memory.flatten(1))
        state = (memory.transpose(0, 1),)
        self.cache_state(incremental_state, state)
        return torch.stack(outputs, dim=1), state

    def step(self, memory: Tensor, input_key: Tensor, input_value: Tensor, gates: Tensor) -> Tensor:
        """The next memory.

        Args:
            memory: ``(batch, slots, width)``.
            input_key, input_value: of this step's input, ``(batch, heads, 1, head width)``.
            gates: what the input says of both gates, ``(batch, 1, 2 * width)``.
        """
        query, key, value = self.heads(memory)
        attended = F.scaled_dot_product_attention(
            query, torch.cat([key, input_key], dim=2), torch.cat([value, input_value], dim=2)
        )
        new = self.attention_norm(memory + attended.transpose(1, 2).flatten(2))
        new = self.mlp_norm(new + self.mlp(new))
        gates = torch.sigmoid(gates + self.memory_gates(torch.tanh(memory)))
        input_gate, forget_gate = gates.chunk(2, dim=-1)
        return input_gate * torch.tanh(new) + forget_gate * memory

    def heads(self, rows: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Queries, keys and values of ``(batch, rows, width)``: ``(batch, heads, rows, …)``."""
        batch, number, _ = rows.shape
        qkv = self.qkv_norm(self.qkv_proj(rows)).view(batch, number, 3, self.num_heads, -1)
        return tuple(qkv.permute(2, 0, 3, 1, 4))
