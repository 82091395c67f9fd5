"""Attention of a decoder to a part of the source: the whole, or one half of it."""

import torch
from fairseq.incremental_decoding_utils import with_incremental_state
from torch import Tensor, nn
from torch.nn import functional as F


def halves(lengths: Tensor, max_length: int) -> list[Tensor]:
    """Masks of the first and of the second half of every source.

    Of S real tokens, 1 … ceil(S / 2) are the first half and the rest the second, so a source of one
    token has an empty second half.

    Args:
        lengths: ``(batch,)``, S of each source.
        max_length: number of columns; sources are padded on the right.

    Returns:
        Two masks ``(batch, max_length)``, True where the half is.
    """
    columns = torch.arange(max_length, device=lengths.device)
    lengths = lengths.unsqueeze(1)
    middle = (lengths + 1) // 2
    return [columns < middle, (columns >= middle) & (columns < lengths)]


def whole(lengths: Tensor, max_length: int) -> list[Tensor]:
    """One mask ``(batch, max_length)`` of all real tokens; arguments as in ``halves``."""
    return [torch.arange(max_length, device=lengths.device) < lengths.unsqueeze(1)]


@with_incremental_state
class SourceAttention(nn.Module):
    """Multi-head scaled dot-product attentions (Vaswani et al. 2017, equation 1), one to each part.

    The attentions share their projections, and the parts compete: with a_i the softmax of the
    scores over all parts, part k's context is sum_{i in k} a_i v_i. That is its own attention, a
    softmax inside the part, times the share of the evidence that lies in the part: the
    hierarchical combination of Libovicky and Helcl 2017 (https://arxiv.org/abs/1704.06567), with
    the log-sum-exp of a part's scores as its score. A part that has nothing to say can be silent.

    Keys and values are projected once a sentence, also when decoding step by step. Nothing
    follows the heads: whoever joins the contexts of the parts projects them.

    Args:
        query_dim: width of the queries, and of the contexts.
        source_dim: width of the source's states.
        num_heads: attention heads; they must divide ``query_dim``.
        dropout: dropout on the attention weights.
    """

    def __init__(self, query_dim: int, source_dim: int, num_heads: int, dropout: float) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.dropout = nn.Dropout(dropout)
        self.query_proj = nn.Linear(query_dim, query_dim)
        self.key_proj = nn.Linear(source_dim, query_dim)
        self.value_proj = nn.Linear(source_dim, query_dim)

    def forward(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        parts: list[Tensor],
        incremental_state: dict | None = None,
    ) -> tuple[list[Tensor], list[Tensor]]:
        """
        Args:
            query: ``(batch, time, query_dim)``.
            key, value: ``(batch, source length, source_dim)``.
            parts: masks ``(batch, source length)``, True where the attention to the part may go.
                They do not overlap, and one of them has a token in every sentence.
            incremental_state: cache of the projected keys and values.

        Returns:
            For each part the context ``(batch, time, query_dim)``, 0 where the part is empty, and
            the weights, averaged over heads, ``(batch, time, source length)``: 0 outside the part;
            those of all parts sum to 1. No weights in training, where nobody looks at them.
        """
        source = self.get_incremental_state(incremental_state, "source")
        if source is None:
            source = {
                "key": self._split(self.key_proj(key)),
                "value": self._split(self.value_proj(value)),
            }
            self.set_incremental_state(incremental_state, "source", source)
        heads = self._split(self.query_proj(query))
        scores = heads @ source["key"].transpose(2, 3) / heads.size(-1) ** 0.5
        masks = torch.stack(parts)[:, :, None, None, :]
        joint = F.softmax(scores.masked_fill(~masks.any(dim=0), -torch.inf), dim=-1)
        contexts, weights = [], []
        for mask in masks:
            own = joint * mask
            contexts.append((self.dropout(own) @ source["value"]).transpose(1, 2).flatten(2))
            if not self.training:
                weights.append(own.mean(dim=1))
        return contexts, weights

    def _split(self, x: Tensor) -> Tensor:
        """``(batch, time, dim)`` to ``(batch, heads, time, dim / heads)``."""
        return x.unflatten(2, (self.num_heads, -1)).transpose(1, 2)

    def reorder_incremental_state(self, incremental_state: dict, new_order: Tensor) -> None:
        """Moves the projected keys and values to the beams of ``new_order``, ``(new batch,)``."""
        source = self.get_incremental_state(incremental_state, "source")
        if source is not None:
            reordered = {name: part.index_select(0, new_order) for name, part in source.items()}
            self.set_incremental_state(incremental_state, "source", reordered)
