"""Low-rank adapters (LoRA; Hu et al. 2021, https://arxiv.org/abs/2106.09685, eq. 3).

    y = W x + b + (alpha / r) · B A x

W and b stay as they are, A starts from random numbers and B from 0, so that training starts from
the model that there was.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

A, B = "lora_a", "lora_b"


class LoRALinear(nn.Linear):
    """A linear layer with an adapter, which alone is trained.

    Args:
        inputs: width of the input.
        outputs: width of the output.
        bias: whether it has one.
        rank: r.
        alpha: numerator of the adapter's scale.
    """

    def __init__(self, inputs: int, outputs: int, bias: bool, rank: int, alpha: float) -> None:
        super().__init__(inputs, outputs, bias)
        self.scale = alpha / rank
        self.lora_a = nn.Parameter(torch.empty(rank, inputs))
        self.lora_b = nn.Parameter(torch.zeros(outputs, rank))
        nn.init.kaiming_uniform_(self.lora_a, a=math.sqrt(5))

    def forward(self, x: Tensor) -> Tensor:
        """``(…, inputs)`` to ``(…, outputs)``."""
        return super().forward(x) + self.scale * F.linear(F.linear(x, self.lora_a), self.lora_b)

    def upgrade_state_dict_named(self, state_dict: dict, name: str) -> None:
        """A checkpoint without adapters gets those that training starts from."""
        state_dict.setdefault(f"{name}.{A}", self.lora_a.detach().clone())
        state_dict.setdefault(f"{name}.{B}", self.lora_b.detach().clone())


def freeze_all_but_adapters(model: nn.Module) -> None:
    """From now on training moves adapters alone."""
    for name, param in model.named_parameters():
        param.requires_grad_(name.rpartition(".")[2] in (A, B))


def merged(state_dict: dict[str, Tensor], scale: float) -> dict[str, Tensor]:
    """The weights of the same model without adapters.

    Args:
        state_dict: names to weights, with adapters.
        scale: alpha / r.
    """
    weights = {}
    for name, weight in state_dict.items():
        layer, _, kind = name.rpartition(".")
        if kind in (A, B):
            continue
        if kind == "weight" and f"{layer}.{A}" in state_dict:
            weight = weight + scale * state_dict[f"{layer}.{B}"] @ state_dict[f"{layer}.{A}"]
        weights[name] = weight
    return weights
