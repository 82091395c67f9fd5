"""Schedules of the learning rate that end in a division by zero, or take sums for unequal."""

import math

from fairseq.optim.lr_scheduler.cosine_lr_scheduler import CosineLRSchedule
from fairseq.optim.lr_scheduler.tri_stage_lr_scheduler import TriStageLRSchedule
from omegaconf import open_dict

from fairseq_genext.errors import UsageError
from fairseq_genext.patches.patch import patch


@patch(TriStageLRSchedule, "__init__")
def round_phases(init, self, cfg, optimizer) -> None:
    """(0.3, 0.6, 0.1) do not add up to 1 as numbers of a computer.

    Raises:
        UsageError: a share is missing or they do not add up, or nothing is left for the decay.
    """
    shares = cfg.phase_ratio
    if shares is not None:
        if len(shares) != 3 or min(shares) < 0 or not math.isclose(sum(shares), 1):
            raise UsageError(
                f"--phase-ratio is {tuple(shares)}; it must be three shares that add up to 1, of "
                "warmup, a stable rate and decay"
            )
        warmup, stable, _ = shares
        with open_dict(cfg):
            cfg.phase_ratio = (warmup, stable, 1 - (warmup + stable))
    try:
        init(self, cfg, optimizer)
    except ZeroDivisionError:
        raise UsageError(
            "--lr-scheduler tri_stage has no update for its decay: give it --decay-steps, or more "
            "of --phase-ratio"
        ) from None


@patch(CosineLRSchedule, "__init__")
def leave_a_period(init, self, cfg, optimizer) -> None:
    """Where ``--warmup-updates`` is ``--max-update``, the last update is that of the full rate."""
    init(self, cfg, optimizer)
    self.period = max(self.period, 1)
