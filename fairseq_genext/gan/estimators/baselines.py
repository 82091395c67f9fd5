"""What a reward is compared with before it moves the generator; by name in ``BASELINES``."""

import torch
from torch import Tensor


class NoBaseline:
    """b = 0 (SeqGAN)."""

    def __init__(self, decay: float) -> None:
        pass

    def __call__(self, earned: Tensor, mask: Tensor) -> Tensor:
        """
        Args:
            earned: what each token earns, ``(batch, time)``, 0 in the padding.
            mask: ``(batch, time)``, True at tokens.

        Returns:
            The baseline of each token, ``(batch, time)``.
        """
        return torch.zeros_like(earned)

    def state_dict(self) -> dict:
        """What a resumed run must know."""
        return {}

    def load_state_dict(self, state: dict) -> None:
        """Takes back what ``state_dict`` gave."""


class LeaveOneOutBaseline(NoBaseline):
    """Leave-one-out: the mean of the batch's other samples at the same position; unbiased.

    Kool et al. 2019, "Buy 4 REINFORCE samples, get a baseline for free". Alone at its position, a
    token is compared with 0.
    """

    def __call__(self, earned: Tensor, mask: Tensor) -> Tensor:
        """As ``NoBaseline``."""
        others = mask.sum(dim=0) - mask.long()
        return (earned.sum(dim=0) - earned) / others.clamp(min=1)


class ExponentialMovingAverage(NoBaseline):
    """An exponential moving average over updates: b = decay * b + (1 - decay) * mean.

    ScratchGAN (de Masson d'Autume et al. 2019), which keeps 0.92. It starts at 0.
    """

    def __init__(self, decay: float) -> None:
        self.decay = decay
        self.value = 0.0

    def __call__(self, earned: Tensor, mask: Tensor) -> Tensor:
        """As ``NoBaseline``; moves the average first, with the mean over all processes."""
        sums = torch.stack([earned.sum(), mask.sum().to(earned.dtype)])
        if torch.distributed.is_initialized():
            torch.distributed.all_reduce(sums)
        mean = (sums[0] / sums[1]).item()
        self.value = self.decay * self.value + (1 - self.decay) * mean
        return torch.full_like(earned, self.value)

    def state_dict(self) -> dict:
        """The average."""
        return {"baseline": self.value}

    def load_state_dict(self, state: dict) -> None:
        """Takes the average back."""
        self.value = state["baseline"]


BASELINES = {
    "none": NoBaseline,
    "leave-one-out": LeaveOneOutBaseline,
    "ema": ExponentialMovingAverage,
}
