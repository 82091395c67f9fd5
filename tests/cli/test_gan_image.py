"""The image GAN: turns, exact resume, sampling, on tiny images."""

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from architectures import write_images
from commands import USER_DIR, launch, refusal, run
from gan_states import equal
from PIL import Image

from fairseq_genext.errors import UsageError
from fairseq_genext.evaluation import image_samples

UPDATES = 7
TRAIN = (
    "images", "--task", "gan_image", "--arch", "gan_image_doc_tiny", "--criterion",
    "adversarial_image", "--optimizer", "two_player_adamw", "--lr", 0.01, "--weight-decay", 0.01,
    "--image-height", 4, "--image-width", 5, "--batch-size", 16, "--num-workers", 0,
)  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A data folder, and a run with a checkpoint after every update."""
    folder = tmp_path_factory.mktemp("gan-image")
    write_images(folder / "images")
    run(
        "fairseq-train", *TRAIN, "--max-update", UPDATES, "--save-dir", "steps",
        "--save-interval-updates", 1, "--log-format", "json", "--log-interval", 1,
        "--log-file", "steps.log", folder=folder,
    )  # fmt: skip
    return folder


@pytest.fixture(scope="module")
def steps(folder):
    return checkpoints(folder / "steps")


def checkpoints(folder: Path) -> list[dict]:
    """Every numbered checkpoint, in order."""
    # At the end of an epoch it is named after the epoch alone.
    paths = folder.glob("checkpoint*[0-9].pt")
    found = [torch.load(path, weights_only=True) for path in paths]
    found.sort(key=lambda checkpoint: checkpoint["optimizer_history"][-1]["num_updates"])
    return found


def differing(one: dict, other: dict) -> set[str]:
    return {
        name for name, value in one["model"].items() if not torch.equal(value, other["model"][name])
    }


def check_turns(steps: list[dict]) -> None:
    """The discriminator moves first, then one after the other, nothing but the mover's state."""
    every = {
        player: {name for name in steps[0]["model"] if name.startswith(player)}
        for player in ("generator", "discriminator")
    }
    assert any("running_mean" in name for name in every["generator"])
    for update in range(1, len(steps)):
        moved = "generator" if update % 2 == 1 else "discriminator"
        assert differing(steps[update - 1], steps[update]) == every[moved], update


def test_each_turn_leaves_the_other_player_bitwise_still(steps):
    assert len(steps) == UPDATES
    check_turns(steps)


def test_accumulated_batches_are_one_turn(folder):
    run(
        "fairseq-train", *TRAIN, "--update-freq", 2, "--max-update", 4, "--save-dir", "freq",
        "--save-interval-updates", 1, folder=folder,
    )  # fmt: skip
    found = checkpoints(folder / "freq")
    assert len(found) == 4
    check_turns(found)


def test_two_processes_take_the_same_turns(folder):
    """Four and three batches an epoch: one process has none left for the last update."""
    started = launch(
        2, *TRAIN, "--user-dir", USER_DIR, "--batch-size", 8, "--max-update", 5, "--save-dir",
        "two", "--save-interval-updates", 1, folder=folder,
    )  # fmt: skip
    output, _ = started.communicate()
    assert started.returncode == 0, output[-3000:]
    found = checkpoints(folder / "two")
    assert len(found) == 5
    check_turns(found)


def test_resume_is_exact(folder, steps):
    """Before and after the end of an epoch of four updates, and at either player's turn."""
    for stop in (1, 2, 4, 5, UPDATES):  # each goes on from the one before
        run("fairseq-train", *TRAIN, "--max-update", stop, "--save-dir", "resumed", folder=folder)
        resumed = torch.load(folder / "resumed" / "checkpoint_last.pt", weights_only=True)
        whole = steps[stop - 1]
        assert not differing(resumed, whole)
        states = [one["last_optimizer_state"]["state"] for one in (resumed, whole)]
        assert states[0].keys() == states[1].keys()
        for index, state in states[0].items():
            assert all(torch.equal(value, states[1][index][name]) for name, value in state.items())


def test_training_images_may_have_another_name(folder, steps, tmp_path):
    """With --train-subset they come in the same order."""
    shutil.copytree(folder / "images", tmp_path / "images")
    for path in sorted((tmp_path / "images").glob("train*")):
        path.rename(path.with_name(path.name.replace("train", "other")))
    flags = ("--max-update", UPDATES, "--train-subset", "other", "--save-dir", "other")
    run("fairseq-train", *TRAIN, *flags, folder=tmp_path)
    last = torch.load(tmp_path / "other" / "checkpoint_last.pt", weights_only=True)
    assert not differing(last, steps[-1])


def test_resume_with_another_loss_is_exact(folder):
    flags = ("--gan-loss", "rsgan", "--r1-weight", 0.3, "--r2-weight", 0.2, "--save-dir")
    for run_of, stops in (("r3", (4,)), ("r3-resumed", (1, 4))):
        for stop in stops:
            run("fairseq-train", *TRAIN, *flags, run_of, "--max-update", stop, folder=folder)
    whole, resumed = (
        torch.load(folder / name / "checkpoint_last.pt", weights_only=True)
        for name in ("r3", "r3-resumed")
    )
    assert equal(whole["model"], resumed["model"])
    assert equal(*(saved["last_optimizer_state"]["state"] for saved in (whole, resumed)))


def test_log_has_both_players(folder):
    lines = [
        json.loads(found)
        for found in re.findall(r"\{\"epoch.*\}", (folder / "steps.log").read_text())
    ]
    first = next(line for line in lines if line.get("num_updates") == "1")
    assert float(first["d_loss"]) == pytest.approx(0.69, abs=0.15) and "g_loss" not in first
    assert 0 <= float(first["d_accuracy_real"]) <= 1
    second = next(line for line in lines if line.get("num_updates") == "2")
    assert float(second["g_loss"]) == pytest.approx(0.69, abs=0.3)
    valid = [line for line in lines if "valid_d_loss" in line][-1]
    assert {"valid_g_loss", "valid_d_accuracy_real", "valid_d_accuracy_fake"} <= valid.keys()


def test_fairseq_validate_loads_the_checkpoint(folder):
    done = run(
        "fairseq-validate", "images", "--task", "gan_image", "--path", "steps/checkpoint_last.pt",
        "--image-height", 4, "--image-width", 5, "--batch-size", 8, folder=folder,
    )  # fmt: skip
    assert "d_accuracy_fake" in done.stdout + done.stderr


def draw_images(monkeypatch, folder, *argv) -> None:
    """The command in this process; the recipe starts it in one of its own."""
    monkeypatch.chdir(folder)
    monkeypatch.setattr("sys.argv", ["image_samples", *map(str, argv)])
    image_samples.main()


def test_samples_follow_the_seed(folder, monkeypatch):
    last = "steps/checkpoint_last.pt"
    drawn = {}
    for output, seed in (("one", 1), ("again", 1), ("other", 2)):
        argv = (last, "--num-samples", 13, "--seed", seed, "--output", output)
        draw_images(monkeypatch, folder, *argv)
        drawn[output] = np.load(folder / f"{output}.npy")
    assert drawn["one"].shape == (13, 4, 5) and drawn["one"].dtype == np.uint8
    assert np.array_equal(drawn["one"], drawn["again"])
    assert not np.array_equal(drawn["one"], drawn["other"])
    with Image.open(folder / "one.png") as image:
        assert image.size == (2 * (10 * 6 + 1), 2 * (2 * 5 + 1))


@pytest.mark.parametrize(
    ("argv", "says"),
    [
        (("gone.pt", "--output", "x"), "gone.pt does not exist"),
        (("steps.log", "--output", "x"), "steps.log is not a fairseq checkpoint"),
        (("steps.log", "--output", "x", "--num-samples", 0), "--num-samples is 0"),
    ],
)
def test_samples_of_nothing(folder, monkeypatch, argv, says):
    with pytest.raises(UsageError, match=says):
        draw_images(monkeypatch, folder, *argv)


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (
            ("--image-width", 6),
            "are 4 x 5 pixels, the model's 4 x 6: give --image-height 4",
        ),
        (("--criterion", "cross_entropy"), "needs --criterion adversarial_image"),
        (("--optimizer", "fused_adamw"), "choose --optimizer two_player_adamw"),
        (("--valid-subset", "test"), "has no split 'test'"),
        (("--r2-weight", "nan"), "--r2-weight is nan"),
    ],
)
def test_bad_flags(folder, flags, says):
    done = run(
        "fairseq-train", *TRAIN, *flags, "--max-update", 1, "--save-dir", "none", folder=folder,
        expect=1,
    )  # fmt: skip
    assert says in done.stderr and "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (("--image-height", 0), "--image-height is 0"),
        (("--generator-steps", 0), "--generator-steps is 0; it must be at least 1"),
        (("--arch", "gan_doc_tiny"), "choose --arch gan_image_doc"),
    ],
)
def test_more_bad_flags(folder, flags, says):
    assert says in refusal(*TRAIN, *flags, folder=folder)
