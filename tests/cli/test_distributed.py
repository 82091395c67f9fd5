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


GPT = (
    "lm", "--task", "unconditional_generation", "--arch", "gpt_doc_tiny", "--optimizer",
    "fused_adamw", "--lr", 0.01, "--weight-decay", 0.1, "--clip-norm", 0.5,
)  # fmt: skip


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


def test_both_wrappers_train_a_gan_alike(corpus, whole):
    """``whole`` has fairseq's default, pytorch_ddp."""
    legacy = train(corpus, "two-legacy", 6, (*GAN, "--ddp-backend", "legacy_ddp"))
    for name, value in whole["model"].items():
        torch.testing.assert_close(legacy["model"][name], value, rtol=1e-3, atol=1e-5)


def test_a_sharded_model_trains_as_a_whole_one(corpus):
    """Samples of validation too, which the processes draw in different numbers of steps; resumed
    exactly, and its checkpoint is whole.
    """
    sharded = (*GPT, "--valid-samples", 4, "--max-sample-length", 8, "--ddp-backend")
    one = train(corpus, "gpt-ddp", 4, (*sharded, "legacy_ddp"))
    sharded += ("fully_sharded", "--save-interval-updates", 2)
    through = train(corpus, "gpt-sharded", 4, sharded)
    sharded += ("--restore-file", "gpt-sharded/checkpoint_1_2.pt")
    resumed = train(corpus, "gpt-resumed", 4, sharded)
    assert equal(resumed["model"], through["model"])
    assert equal(resumed["last_optimizer_state"], through["last_optimizer_state"])
    for name, value in one["model"].items():
        torch.testing.assert_close(through["model"][name], value, rtol=1e-3, atol=1e-4)
    for index, state in one["last_optimizer_state"]["state"].items():
        for name, value in state.items():
            found = through["last_optimizer_state"]["state"][index][name]
            torch.testing.assert_close(found, value, rtol=1e-2, atol=1e-4)


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (GAN, "is not for GANs: choose pytorch_ddp"),
        ((*GPT, "--use-sharded-state"), "--use-sharded-state is of fairscale"),
    ],
)
def test_what_cannot_be_sharded(corpus, flags, says):
    with pytest.raises(AssertionError, match=says):
        train(corpus, "unborn", 1, (*flags, "--ddp-backend", "fully_sharded"))
