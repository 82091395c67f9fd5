"""Schedules of the learning rate at the edges of their flags."""

import pytest
import torch
from fairseq.optim import lr_scheduler
from omegaconf import OmegaConf

import fairseq_genext.plugin  # noqa: F401  as --user-dir does
from fairseq_genext.errors import UsageError
from fairseq_genext.optim.fused_adamw import FusedAdamW, FusedAdamWConfig


def rates(name, updates, **flags):
    """The learning rate after each update, of a peak of 1."""
    settings = lr_scheduler.LR_SCHEDULER_DATACLASS_REGISTRY[name](_name=name, **flags)
    optimizer = FusedAdamW(FusedAdamWConfig(lr=[1.0]), [torch.nn.Parameter(torch.ones(2))])
    cfg = OmegaConf.create({**vars(settings), "lr": [1.0], "max_update": updates})
    schedule = lr_scheduler.build_lr_scheduler(cfg, optimizer)
    return [schedule.step_update(update) for update in range(updates + 1)]


def test_shares_that_add_up_but_for_rounding():
    found = rates("tri_stage", 10, phase_ratio=(0.3, 0.6, 0.1), init_lr_scale=0.0)
    assert sum((0.3, 0.6, 0.1)) != 1
    assert found == pytest.approx([0, 1 / 3, 2 / 3, *[1] * 7, 0.01])


def test_warmup_to_the_end():
    found = rates("cosine", 4, warmup_updates=4, warmup_init_lr=0.0)
    assert found == pytest.approx([0, 0.25, 0.5, 0.75, 1])


@pytest.mark.parametrize(
    ("name", "flags", "says"),
    [
        ("tri_stage", {"phase_ratio": (0.1, 0.9)}, "it must be three shares that add up to 1"),
        ("tri_stage", {"phase_ratio": (0.1, 0.7, 0.3)}, "--phase-ratio is .0.1, 0.7, 0.3.; it"),
        ("tri_stage", {"phase_ratio": (-0.5, 1.0, 0.5)}, "it must be three shares"),
        ("tri_stage", {"phase_ratio": (0.5, 0.5, 0.0)}, "has no update for its decay"),
        ("tri_stage", {"hold_steps": 3}, "has no update for its decay"),
        ("tri_stage", {}, "does not fit: please specify steps or phase_ratio"),
        ("inverse_sqrt", {"warmup_updates": 0}, "schedule of the learning rate, .*does not fit"),
    ],
)
def test_schedules_that_cannot_be(name, flags, says):
    with pytest.raises(UsageError, match=says):
        rates(name, 10, **flags)
