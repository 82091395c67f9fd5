"""Says once that training in turns has gone wrong, and which flags to change."""

import logging
from collections import deque
from collections.abc import Callable

import torch

logger = logging.getLogger(__name__)

# Updates of a player in turns over which a figure is averaged, and the mean that is a bad one. The
# article's image GAN, which becomes a good one, has a lead of 0.995 over 100 updates on the way.
LEAD = (200, 0.998)  # of the discriminator
SPREAD = (50, 1e-3)  # standard deviation of rewards, in units of their mean
VARIETY = (200, 0.1)  # spread of generated images, in units of that of real ones


class Watch:
    """Warns once when the mean of a figure over some turns is a bad one.

    Args:
        turns: how many.
        bad: whether a mean is.
        warning: what to say of it; ``{}`` stands for the mean.
    """

    def __init__(self, turns: int, bad: Callable[[float], bool], warning: str) -> None:
        self.bad = bad
        self.warning = warning
        self.recent: deque[float] = deque(maxlen=turns)
        self.told = False

    def note(self, figure: float) -> None:
        """Takes the figure of one more turn."""
        self.recent.append(float(figure))
        if self.told or len(self.recent) < self.recent.maxlen:
            return
        mean = sum(self.recent) / len(self.recent)
        if self.bad(mean):
            self.told = True
            warn(self.warning.format(mean))


def warn(warning: str) -> None:
    """Warns, on one of several processes."""
    if not torch.distributed.is_initialized() or torch.distributed.get_rank() == 0:
        logger.warning(warning)


def watch_lead(instead: str) -> Watch:
    """Of ``Loss.lead``; ``instead`` names the flags to change."""
    turns, outright = LEAD
    return Watch(
        turns,
        lambda lead: lead >= outright,
        f"the discriminator wins outright: over its last {turns} updates in turns it tells "
        "{:.1%} of real and generated right, which leaves the generator little to learn from; try "
        + instead,
    )


def watch_rewards() -> Watch:
    """Of the standard deviation of rewards, in units of their mean."""
    turns, flat = SPREAD
    return Watch(
        turns,
        lambda spread: spread <= flat,
        f"the reward has no spread: over the generator's last {turns} updates in turns all samples "
        "earn the same, so that none becomes likelier; try --reward logit, which does not "
        "saturate, a smaller --discriminator-lr or fewer --discriminator-warmup-updates",
    )


def watch_images() -> Watch:
    """Of the spread of generated images, in units of that of real ones."""
    turns, alike = VARIETY
    return Watch(
        turns,
        lambda spread: spread <= alike,
        f"mode collapse: over the discriminator's last {turns} updates generated images differ "
        "from each other {:.1%} as much as real ones; try a smaller --lr, more "
        "--discriminator-steps or a larger --batch-size",
    )
