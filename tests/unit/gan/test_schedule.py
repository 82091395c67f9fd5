"""Whose turn it is, at every boundary, and pretraining that ends at a plateau."""

import pytest
import torch

from fairseq_genext.gan.progress import Progress
from fairseq_genext.gan.schedule import Phase, Schedule


def test_schedule_at_every_boundary():
    schedule = Schedule(2, 3, discriminator_steps=2, generator_steps=1)
    turns = [schedule.turn(update) for update in range(12)]
    assert [turn.phase for turn in turns] == [0, 0, 1, 1, 1, *[Phase.TURNS] * 7]
    assert "".join(turn.player[0] for turn in turns) == "ggddd" + "ddgddgd"
    assert [turn.updates_in_turns for turn in turns] == [0] * 5 + list(range(7))
    assert Schedule(0, 0).turn(0).player == "discriminator"
    assert Schedule(0, 0).turn(1).player == "generator"


@pytest.mark.parametrize(
    "lengths", [(-1, 0, 1, 1), (0, -1, 1, 1), (0, 0, 0, 1), (0, 0, 1, 0), (1, 1, 1, 1, -1)]
)
def test_impossible_schedules(lengths):
    with pytest.raises(ValueError, match=r"^--\w[\w-]+ is -?\d; it must be at least [01]$"):
        Schedule(*lengths)


def order_of_players(schedule, losses, every, updates, restart_at=()):
    """The player of each update, with a validation loss after every ``every`` updates."""
    progress = Progress(Progress.empty())
    players, losses = "", iter(losses)
    for update in range(updates):
        if update in restart_at:  # what a checkpoint keeps
            progress = Progress(progress.buffer.clone())
        schedule.apply_patience(update, progress)
        players += schedule.turn(update, progress).player[0]
        if (update + 1) % every == 0:
            progress.set(valid_sum=next(losses) * 7, valid_weight=7.0)
    return players


@pytest.mark.parametrize("restart_at", [(), range(20)])
def test_a_plateau_ends_each_pretraining(restart_at):
    schedule = Schedule(100, 100, 1, 1, pretrain_patience=2)
    # Lower, not, lower, not, not: the generator's ends after 10 updates. Then the discriminator's
    # first is its best, and two that are not follow: it ends after 6 more.
    losses = [5.0, 6.0, 4.0, 4.0, 4.5, 0.7, 0.7, 0.8, 0.1, 0.1, 0.1]
    assert order_of_players(schedule, losses, 2, 20, restart_at) == "g" * 10 + "d" * 6 + "dgdg"


def test_the_discriminators_best_is_its_own():
    """Also where no validation falls on the end of the generator's pretraining."""
    schedule = Schedule(3, 100, 1, 1, pretrain_patience=2)
    losses = [0.5, 0.8, 0.7, 0.7, 0.7, 0.7]
    assert order_of_players(schedule, losses, 2, 13) == "ggg" + "d" * 7 + "dgd"


def test_patience_does_not_outlast_the_lengths():
    schedule = Schedule(3, 2, 1, 1, pretrain_patience=9)
    assert order_of_players(schedule, [1.0] * 9, 1, 9) == "ggg" + "dd" + "dgdg"


def test_progress_keeps_numbers_in_half_precision_models():
    module = torch.nn.Module()
    module.register_buffer("progress", Progress.empty())
    progress = Progress(module.progress)
    assert progress.get("baseline", 0.5) == 0.5
    progress.set(baseline=0.123456789, best=3.0)
    module.half()
    kept = Progress(module.state_dict()["progress"])
    assert kept.get("baseline") == 0.123456789 and kept.get("best") == 3.0
