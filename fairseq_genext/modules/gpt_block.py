"""A block of a GPT: causal self-attention and an MLP, each on a normalised residual stream.

By default GPT-2's (Radford et al. 2019). What later language models changed is a setting each:

- rotary positions: Su et al. 2021, https://arxiv.org/abs/2104.09864, eq. 34
- RMSNorm: Zhang and Sennrich 2019, https://arxiv.org/abs/1910.07467, eq. 4
- normalised queries and keys: Henry et al. 2020, https://arxiv.org/abs/2010.04245, by RMSNorm here
- ReLU²: So et al. 2021, https://arxiv.org/abs/2109.08668
- SwiGLU: Shazeer 2020, https://arxiv.org/abs/2002.05202, eq. 6
- grouped key-value heads: Ainslie et al. 2023, https://arxiv.org/abs/2305.13245
"""

from dataclasses import dataclass

import torch
from fairseq.incremental_decoding_utils import with_incremental_state
from torch import Tensor, nn
from torch.nn import functional as F

from fairseq_genext.modules.key_value_cache import append, cached_length, reordered
from fairseq_genext.modules.lora import LoRALinear
from fairseq_genext.modules.rotary import rotate

POSITIONS = ("learned", "rotary")
NORMALIZATIONS = ("layer", "rms")


class SquaredReLU(nn.Module):
    """max(x, 0)²"""

    def forward(self, x: Tensor) -> Tensor:
        """Any shape to the same."""
        return F.relu(x).square()


class SwiGLU(nn.Module):
    """silu(x) * y, where x and y are the halves of its input."""

    def forward(self, x: Tensor) -> Tensor:
        """``(…, 2 * width)`` to ``(…, width)``."""
        gate, value = x.chunk(2, dim=-1)
        return F.silu(gate) * value


ACTIVATIONS = {
    "gelu": lambda: nn.GELU(approximate="tanh"),
    "gelu_exact": nn.GELU,
    "relu2": SquaredReLU,
    "swiglu": SwiGLU,
}


@dataclass(frozen=True)
class GPTSettings:
    """What a GPT is made of; the defaults are GPT-2's.

    Attributes:
        embed_dim: width of the residual stream.
        num_layers: number of blocks.
        num_heads: attention heads; they must divide ``embed_dim``.
        max_positions: longest sequence, in tokens.
        dropout: dropout on embeddings, attention weights and residuals.
        ffn_dim: width inside the MLP; 0 means 4 * ``embed_dim``, or for SwiGLU, which has a third
            matrix, two thirds of that: the same number of weights.
        kv_heads: heads of keys and values, each shared by as many heads of queries; they must
            divide ``num_heads``. 0 means ``num_heads``.
        positions: one of ``POSITIONS``.
        normalization: one of ``NORMALIZATIONS``.
        qk_norm: queries and keys are normalised, head by head.
        activation: one of ``ACTIVATIONS``.
        biases: linear layers and norms have them.
        tied: the output layer has the weights of the embeddings.
        checkpoint_activations: keep only each block's input for the backward pass and compute the
            rest again there: less memory for a third more time (Chen et al. 2016).
        compile: compile each block (``torch.compile``) for training.
        lora_rank: rank of the adapters of a block's linear layers, which alone are trained then;
            0 for none (see ``lora.py``).
        lora_alpha: their scale is ``lora_alpha / lora_rank``.
    """

    embed_dim: int
    num_layers: int
    num_heads: int
    max_positions: int
    dropout: float = 0.0
    ffn_dim: int = 0
    kv_heads: int = 0
    positions: str = "learned"
    normalization: str = "layer"
    qk_norm: bool = False
    activation: str = "gelu"
    biases: bool = True
    tied: bool = True
    checkpoint_activations: bool = False
    compile: bool = False
    lora_rank: int = 0
    lora_alpha: float = 16.0

    @property
    def head_dim(self) -> int:
        """Width of a head."""
        return self.embed_dim // self.num_heads

    @property
    def mlp_width(self) -> int:
        """``ffn_dim``, or what 0 means."""
        whole = 4 * self.embed_dim
        return self.ffn_dim or (whole if self.activation != "swiglu" else whole * 2 // 3)

    def linear(self, inputs: int, outputs: int) -> nn.Linear:
        """A linear layer of a block."""
        if self.lora_rank == 0:
            return nn.Linear(inputs, outputs, self.biases)
        return LoRALinear(inputs, outputs, self.biases, self.lora_rank, self.lora_alpha)

    def norm(self, width: int) -> nn.Module:
        """A layer that normalises the last dimension."""
        if self.normalization == "rms":
            return nn.RMSNorm(width, eps=1e-5)
        return nn.LayerNorm(width, bias=self.biases)


class Block(nn.Module):
    """x + attention(norm(x)), and of that again x + mlp(norm(x))."""

    def __init__(self, settings: GPTSettings) -> None:
        super().__init__()
        width, inner = settings.embed_dim, settings.mlp_width
        gates = 2 if settings.activation == "swiglu" else 1
        self.attention_norm = settings.norm(width)
        self.attention = CausalSelfAttention(settings)
        self.mlp_norm = settings.norm(width)
        self.mlp = nn.Sequential(
            settings.linear(width, gates * inner),
            ACTIVATIONS[settings.activation](),
            settings.linear(inner, width),
            nn.Dropout(settings.dropout),
        )

    def forward(
        self,
        x: Tensor,
        rotation: tuple[Tensor, Tensor] | None = None,
        incremental_state: dict | None = None,
    ) -> Tensor:
        """``(batch, time, embed_dim)`` to the same shape; arguments as of the attention."""
        x = x + self.attention(self.attention_norm(x), rotation, incremental_state)
        return x + self.mlp(self.mlp_norm(x))


@with_incremental_state
class CausalSelfAttention(nn.Module):
    """Multi-head scaled dot-product attention to the left, with a key-value cache."""

    def __init__(self, settings: GPTSettings) -> None:
        super().__init__()
        self.num_heads = settings.num_heads
        self.kv_heads = settings.kv_heads or settings.num_heads
        self.head_dim = settings.head_dim
        self.max_positions = settings.max_positions
        self.attention_dropout = settings.dropout
        heads = self.num_heads + 2 * self.kv_heads
        self.qkv_proj = settings.linear(settings.embed_dim, heads * self.head_dim)
        self.out_proj = settings.linear(settings.embed_dim, settings.embed_dim)
        self.residual_dropout = nn.Dropout(settings.dropout)
        self.query_norm = self.key_norm = None
        if settings.qk_norm:
            self.query_norm = nn.RMSNorm(self.head_dim, eps=1e-5)
            self.key_norm = nn.RMSNorm(self.head_dim, eps=1e-5)

    def forward(
        self,
        x: Tensor,
        rotation: tuple[Tensor, Tensor] | None = None,
        incremental_state: dict | None = None,
    ) -> Tensor:
        """``(batch, time, embed_dim)`` to the same shape.

        Args:
            x: what to attend from, and to.
            rotation: of ``rotary.rotation`` for the positions of ``x``; None without.
            incremental_state: holds the keys and values of what came before, which is attended to
                as well, and then those of ``x`` too.
        """
        batch, time, width = x.shape
        heads = self.qkv_proj(x).view(batch, time, -1, self.head_dim).transpose(1, 2)
        query, key, value = heads.split([self.num_heads, self.kv_heads, self.kv_heads], dim=1)
        if self.query_norm is not None:
            query, key = self.query_norm(query), self.key_norm(key)
        if rotation is not None:
            query, key = rotate(query, rotation), rotate(key, rotation)

        past = 0
        if incremental_state is not None:
            cache = self.get_incremental_state(incremental_state, "kv")
            past = cached_length(cache)
            cache, key, value = append(cache, key, value, self.max_positions)
            self.set_incremental_state(incremental_state, "kv", cache)
        mask = None
        if past > 0 and time > 1:
            # SDPA's is_causal aligns the mask to the first key; here the first query comes after
            # `past` keys that it may all see.
            mask = torch.ones(time, past + time, dtype=torch.bool, device=x.device).tril(past)
        attended = F.scaled_dot_product_attention(
            query,
            key,
            value,
            attn_mask=mask,
            is_causal=past == 0 and time > 1,
            dropout_p=self.attention_dropout if self.training else 0.0,
            enable_gqa=self.kv_heads < self.num_heads,
        )
        joined = attended.transpose(1, 2).reshape(batch, time, width)
        return self.residual_dropout(self.out_proj(joined))

    def cached_length(self, incremental_state: dict | None) -> int:
        """Number of tokens whose keys and values are in the cache."""
        return cached_length(self.get_incremental_state(incremental_state, "kv"))

    def cached_batch(self, incremental_state: dict) -> int:
        """Number of sequences in the cache."""
        cache = self.get_incremental_state(incremental_state, "kv")
        return cache["key"].size(0) if cache else 0

    def reorder_incremental_state(self, incremental_state: dict, new_order: Tensor) -> None:
        """Moves cached keys and values to the beams of ``new_order``, ``(new batch,)``."""
        cache = self.get_incremental_state(incremental_state, "kv")
        if cache is not None:
            self.set_incremental_state(incremental_state, "kv", reordered(cache, new_order))
