"""Keys and values of the tokens that a decoder has read, kept for those that follow.

They stand in buffers with room for more, which double when they are full, so that the cost of a
token does not grow with what has to be copied.
"""

import torch
from torch import Tensor

Cache = dict  # {"key": (batch, heads, room, head_dim), "value": likewise, "length": tokens}
LEAST_ROOM = 64


def cached_length(cache: Cache | None) -> int:
    """Number of tokens in it."""
    return cache["length"] if cache else 0


def append(
    cache: Cache | None, key: Tensor, value: Tensor, most: int
) -> tuple[Cache, Tensor, Tensor]:
    """Adds tokens.

    Args:
        cache: what there is, which must not be used again; None at the start.
        key: ``(batch, heads, new tokens, head_dim)``.
        value: of the same shape.
        most: tokens that there can ever be.

    Returns:
        The new cache, and all its keys and values ``(batch, heads, tokens, head_dim)``.
    """
    start = cached_length(cache)
    end = start + key.size(2)
    new = {"length": end}
    for name, added in (("key", key), ("value", value)):
        buffer = cache[name] if cache else added[:, :, :0]
        if torch.is_grad_enabled() and added.requires_grad:
            # The backward pass reads what was attended to: nothing may be written over it.
            new[name] = torch.cat([buffer[:, :, :start], added], dim=2)
            continue
        if buffer.size(2) < end:
            room = min(max(LEAST_ROOM, 2 * end), max(most, end))
            wider = added.new_empty(*added.shape[:2], room, added.size(3))
            wider[:, :, :start] = buffer[:, :, :start]
            buffer = wider
        buffer[:, :, start:end] = added
        new[name] = buffer
    return new, new["key"][:, :, :end], new["value"][:, :, :end]


def reordered(cache: Cache, order: Tensor) -> Cache:
    """The cache of the sequences ``order``, ``(new batch,)``, in that order."""
    return {
        name: kept.index_select(0, order) if name != "length" else kept
        for name, kept in cache.items()
    }
