"""The sinusoidal timing signal (Vaswani et al. 2017, https://arxiv.org/abs/1706.03762, 3.5).

signal(t, 2i) = sin(t / 10000^(2i / dim)),   signal(t, 2i + 1) = cos(t / 10000^(2i / dim))
"""

import torch
from torch import Tensor


def timing_signal(start: int, end: int, like: Tensor) -> Tensor:
    """The signal at times ``start`` to ``end - 1``.

    Args:
        start, end: times, counted from 0.
        like: a tensor ``(…, dim)`` that gives width, device and type; ``dim`` must be even.

    Returns:
        ``(end - start, dim)``, values in [-1, 1].
    """
    dim = like.size(-1)
    times = torch.arange(start, end, device=like.device, dtype=torch.float32)
    exponents = torch.arange(0, dim, 2, device=like.device, dtype=torch.float32) / dim
    angles = times.unsqueeze(1) / 10_000**exponents
    return torch.stack([angles.sin(), angles.cos()], dim=-1).flatten(1).to(like.dtype)
