"""Two processes on the CPU; ``test_gan_image.py`` starts its own two by the recipe's launcher."""

from pathlib import Path

import pytest
import torch
from commands import run, run_together
from gan_states import check_moves, equal, states, states_by_update

GAN = (
    "lm", "--task", "gan", "--arch", "gan_doc_tiny", "--criterion", "adversarial", "--optimizer",
    "two_player_adamw", "--lr", "0.01", "--generator-pretrain-updates", 2,
    "--discriminator-warmup-updates", 1, "--max-sample-length", 8, "--clip-value", 0.1,
    "--save-interval-updates", 1,
)  # fmt: skip
MOVES = ["decoder", "decoder", "discriminator", "discriminator", "decoder", "discriminator"]


DBAM = (
    "mt", "--task", "translation", "--arch", "dbam_tiny", "--criterion", "dbam",
    "--draft-loss-weight", 0.1, "--optimizer", "fused_adamw", "--lr", 0.001,
)  # fmt: skip


def train(folder: Path, save_dir: str, updates: int, flags: tuple = GAN) -> dict:
    run_together(
        2, "fairseq-train", *flags, "--batch-size", 8, "--max-update", updates,
        "--save-dir", save_dir, "--num-workers", 0, folder=folder,
    )  # fmt: skip
    return torch.load(folder / save_dir / "checkpoint_last.pt", weights_only=True)


@pytest.fixture(scope="module")
def whole(corpus):
    return train(corpus, "two", 6)


def test_two_processes_move_one_player_at_a_time(corpus, whole):
    check_moves(states_by_update(corpus / "two"), MOVES)


def test_two_processes_resume_exactly_at_the_boundaries(corpus, whole):
    """Stopped where each pretraining ends and between two turns."""
    found = states_by_update(corpus / "two")
    for stop in (2, 3, 4, 6):
        resumed = train(corpus, "two-resumed", stop)
        assert resumed["optimizer_history"][-1]["num_updates"] == stop
        assert equal(states(resumed), found[stop]), stop
    assert equal(states(resumed), states(whole))
    assert equal(resumed["model"], whole["model"])  # progress too, which is no player's


def test_two_processes_train_a_dbam_as_one_that_accumulates(corpus):
    """Each process's batches in turn are those of --update-freq 2, and so are the gradients."""
    two = train(corpus, "dbam-two", 5, DBAM)["model"]
    run(
        "fairseq-train", *DBAM, "--batch-size", 8, "--update-freq", 2, "--max-update", 5,
        "--save-dir", "dbam-one", "--num-workers", 0, folder=corpus,
    )  # fmt: skip
    one = torch.load(corpus / "dbam-one" / "checkpoint_last.pt", weights_only=True)["model"]
    for name, value in one.items():
        torch.testing.assert_close(two[name], value, rtol=1e-3, atol=1e-5)
