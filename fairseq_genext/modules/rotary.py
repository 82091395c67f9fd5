"""Rotary positions (Su et al. 2021, https://arxiv.org/abs/2104.09864, eq. 34).

Dimensions i and i + d/2 of a query or key at position m are turned by the angle m · 10000^(-2i/d),
so that a product of query and key depends on the distance of their positions only.
"""

import torch
from torch import Tensor

BASE = 10000.0


def rotation(positions: Tensor, head_dim: int) -> tuple[Tensor, Tensor]:
    """Cosines and sines of the angles, each ``(time, head_dim / 2)``, in float32.

    Args:
        positions: ``(time,)``.
        head_dim: width of a head, even.
    """
    exponents = torch.arange(0, head_dim, 2, device=positions.device).float() / head_dim
    angles = positions.float().unsqueeze(1) * BASE**-exponents
    return angles.cos(), angles.sin()


def rotate(heads: Tensor, rotation: tuple[Tensor, Tensor]) -> Tensor:
    """Turns ``(batch, heads, time, head_dim)`` queries or keys."""
    cos, sin = (part.to(heads.dtype) for part in rotation)
    first, second = heads.chunk(2, dim=-1)
    return torch.cat([first * cos - second * sin, second * cos + first * sin], dim=-1)
