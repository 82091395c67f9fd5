"""What a sequence or a token earns by the discriminator's logit; by name in ``REWARDS``."""

from collections.abc import Callable

import torch
from torch import Tensor


def probability(logits: Tensor) -> Tensor:
    """sigmoid(D), 0 to 1 (SeqGAN, Yu et al. 2017, equation 4)."""
    return torch.sigmoid(logits)


def signed(logits: Tensor) -> Tensor:
    """2 sigmoid(D) - 1, -1 to 1 (ScratchGAN, de Masson d'Autume et al. 2019, section 3)."""
    return torch.tanh(logits / 2)


def logit(logits: Tensor) -> Tensor:
    """D itself, the reward of a Wasserstein or hinge critic."""
    return logits


def constant(logits: Tensor) -> Tensor:
    """1 whatever the discriminator says: the control.

    It teaches nothing, and yet lowers NLL_oracle, since a policy gradient from few samples makes
    likely what was drawn.
    """
    return torch.ones_like(logits)


REWARDS: dict[str, Callable[[Tensor], Tensor]] = {
    "probability": probability,
    "signed": signed,
    "logit": logit,
    "constant": constant,
}
