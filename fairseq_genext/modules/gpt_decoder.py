"""The decoder of a GPT: masked self-attention over the whole text at once, cached when generating.

Pre-layer-norm blocks (Radford et al. 2019). For a block with input x:

    x = x + attention(layer_norm(x)),   x = x + mlp(layer_norm(x))
"""

import math

import torch
from fairseq.incremental_decoding_utils import with_incremental_state
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from fairseq_genext.modules.word_decoder import WordDecoder


class GPTDecoder(WordDecoder):
    """p(y_t | y_<t) by masked self-attention.

    Sequences are padded on the right: padding then comes after every real token and the causal
    mask alone hides it.

    Args:
        dictionary: target dictionary.
        embed_dim: width of the residual stream.
        num_layers: number of blocks.
        num_heads: attention heads; they must divide ``embed_dim``.
        ffn_dim: width inside the MLP.
        max_positions: longest sequence, in tokens.
        dropout: dropout on embeddings, attention weights and residuals.
        embed_tokens: embeddings to share with another module, instead of new ones; they are
            initialised anew.
        checkpoint_activations: keep only each block's input for the backward pass and compute the
            rest again there: less memory for a third more time (Chen et al. 2016).
    """

    def __init__(
        self,
        dictionary,
        embed_dim: int,
        num_layers: int,
        num_heads: int,
        ffn_dim: int,
        max_positions: int,
        dropout: float,
        embed_tokens: nn.Embedding | None = None,
        checkpoint_activations: bool = False,
    ) -> None:
        super().__init__(dictionary)
        self.checkpoint_activations = checkpoint_activations
        self.embed_tokens = embed_tokens or nn.Embedding(
            len(dictionary), embed_dim, dictionary.pad()
        )
        self.embed_positions = nn.Embedding(max_positions, embed_dim)
        self.dropout = nn.Dropout(dropout)
        self.blocks = nn.ModuleList(
            Block(embed_dim, num_heads, ffn_dim, dropout) for _ in range(num_layers)
        )
        self.layer_norm = nn.LayerNorm(embed_dim)
        self.output_projection = nn.Linear(embed_dim, len(dictionary), bias=False)
        self.output_projection.weight = self.embed_tokens.weight
        self.apply(init_weights)
        for block in self.blocks:
            for into_residual in (block.attention.out_proj, block.mlp[2]):
                nn.init.normal_(into_residual.weight, std=0.02 / math.sqrt(2 * num_layers))

    def forward(
        self,
        prev_output_tokens: Tensor,
        encoder_out=None,
        incremental_state: dict | None = None,
        token_embeddings: Tensor | None = None,
        features_only: bool = False,
        **unused,
    ) -> tuple[Tensor, None]:
        """
        Args:
            prev_output_tokens: ``(batch, time)``, the text shifted right by one.
            encoder_out: unused; there is no encoder.
            incremental_state: cache of keys and values; tokens already in it are not read again.
            token_embeddings: ``(batch, tokens read, embed_dim)``, taken instead of the embeddings
                of ``prev_output_tokens``: the way in for tokens that carry a gradient.
            features_only: return the last hidden states instead of the logits.

        Returns:
            Logits ``(batch, tokens read, vocabulary)``, and None, where other decoders have
            attention to a source.

        Raises:
            ValueError: the text is longer than there are positions.
        """
        if prev_output_tokens.size(1) > self.max_positions():
            raise ValueError(
                f"{prev_output_tokens.size(1)} tokens are more than the model's "
                f"{self.max_positions()} positions"
            )
        unread = self.unread_tokens(prev_output_tokens, incremental_state)
        if token_embeddings is None:
            token_embeddings = self.embed_tokens(unread)
        time = prev_output_tokens.size(1)
        positions = torch.arange(time - unread.size(1), time, device=token_embeddings.device)
        x = self.dropout(token_embeddings + self.embed_positions(positions))
        for block in self.blocks:
            if self.checkpoint_activations and self.training and incremental_state is None:
                x = checkpoint(block, x, None, use_reentrant=False)
            else:
                x = block(x, incremental_state)
        x = self.layer_norm(x)
        return x if features_only else self.output_layer(x), None

    def unread_tokens(self, prev_output_tokens: Tensor, incremental_state: dict | None) -> Tensor:
        """Those of ``(batch, time)`` tokens whose keys and values are not in the cache yet."""
        return prev_output_tokens[:, self.blocks[0].attention.cached_length(incremental_state) :]

    def max_positions(self) -> int:
        """Longest sequence that has learned positions."""
        return self.embed_positions.num_embeddings


class Block(nn.Module):
    """Self-attention and a two-layer MLP, each on a layer-normed residual stream."""

    def __init__(self, embed_dim: int, num_heads: int, ffn_dim: int, dropout: float) -> None:
        super().__init__()
        self.attention_norm = nn.LayerNorm(embed_dim)
        self.attention = CausalSelfAttention(embed_dim, num_heads, dropout)
        self.mlp_norm = nn.LayerNorm(embed_dim)
        self.mlp = nn.Sequential(
            nn.Linear(embed_dim, ffn_dim),
            nn.GELU(approximate="tanh"),
            nn.Linear(ffn_dim, embed_dim),
            nn.Dropout(dropout),
        )

    def forward(self, x: Tensor, incremental_state: dict | None) -> Tensor:
        """``(batch, time, embed_dim)`` to the same shape."""
        x = x + self.attention(self.attention_norm(x), incremental_state)
        return x + self.mlp(self.mlp_norm(x))


@with_incremental_state
class CausalSelfAttention(nn.Module):
    """Multi-head scaled dot-product attention to the left, with a key-value cache."""

    def __init__(self, embed_dim: int, num_heads: int, dropout: float) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.attention_dropout = dropout
        self.qkv_proj = nn.Linear(embed_dim, 3 * embed_dim)
        self.out_proj = nn.Linear(embed_dim, embed_dim)
        self.residual_dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, incremental_state: dict | None) -> Tensor:
        """``(batch, time, embed_dim)`` to the same shape, attending to the cache as well."""
        batch, time, embed_dim = x.shape
        heads = self.qkv_proj(x).view(batch, time, 3, self.num_heads, -1)
        query, key, value = heads.permute(2, 0, 3, 1, 4)  # each (batch, heads, time, head width)

        past = self.cached_length(incremental_state)
        if past > 0:
            cache = self.get_incremental_state(incremental_state, "kv")
            key = torch.cat([cache["key"], key], dim=2)
            value = torch.cat([cache["value"], value], dim=2)
        self.set_incremental_state(incremental_state, "kv", {"key": key, "value": value})

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
        )
        joined = attended.transpose(1, 2).reshape(batch, time, embed_dim)
        return self.residual_dropout(self.out_proj(joined))

    def cached_length(self, incremental_state: dict | None) -> int:
        """Number of tokens whose keys and values are in the cache."""
        cache = self.get_incremental_state(incremental_state, "kv")
        return cache["key"].size(2) if cache is not None else 0

    def reorder_incremental_state(self, incremental_state: dict, new_order: Tensor) -> None:
        """Moves cached keys and values to the beams of ``new_order``, ``(new batch,)``."""
        cache = self.get_incremental_state(incremental_state, "kv")
        if cache is not None:
            reordered = {name: tensor.index_select(0, new_order) for name, tensor in cache.items()}
            self.set_incremental_state(incremental_state, "kv", reordered)


def init_weights(module: nn.Module) -> None:
    """N(0, 0.02) for weights, zero for biases (Radford et al. 2018, section 4.1)."""
    if isinstance(module, (nn.Linear, nn.Embedding)):
        nn.init.normal_(module.weight, std=0.02)
    if isinstance(module, nn.Linear) and module.bias is not None:
        nn.init.zeros_(module.bias)
