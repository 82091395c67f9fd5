"""PPO through fairseq's commands: what a buffer holds outlives the run."""

import pytest
import torch
from commands import refusal, run, run_together
from gan_states import checkpoints_by_update, equal, start_from, states

# Likelihood, discriminator, then in turns. Three updates of the generator read a buffer: those that
# make updates 4, 6 and 8 of the run; another is drawn for update 10.
TRAIN = (
    "lm", "--task", "gan", "--arch", "gan_doc_tiny", "--criterion", "adversarial", "--optimizer",
    "two_player_adamw", "--lr", 0.01, "--gan-loss", "rsgan", "--gradient-estimator", "ppo",
    "--reward", "share", "--reward-baseline", "ema", "--advantage-scale", "deviation",
    "--ppo-buffer", 40, "--human-share", 0.3, "--human-share-updates", 20, "--batch-size", 16,
    "--generator-pretrain-updates", 1, "--discriminator-warmup-updates", 1,
    "--max-sample-length", 8, "--disable-validation", "--num-workers", 0,
)  # fmt: skip
UPDATES = 12


def held(checkpoint):
    return [states(checkpoint), checkpoint["extra_state"].get("criterion_state")]


def last(folder):
    return held(torch.load(folder / "checkpoint_last.pt", weights_only=True))


def test_resume_is_exact_within_a_buffers_life(corpus):
    """After each phase, when a buffer is drawn, half read, read, and replaced."""
    result = run(
        "fairseq-train", *TRAIN, "--max-update", UPDATES, "--save-interval-updates", 1,
        "--save-dir", "whole", "--log-format", "json", "--log-interval", 1, folder=corpus,
    )  # fmt: skip
    whole = checkpoints_by_update(corpus / "whole")
    (before,), (drawn,), (half,), (replaced,) = (
        whole[update]["extra_state"].get("criterion_state", [{}]) for update in (3, 4, 6, 10)
    )
    assert before == {} and drawn["read"] == 16 and half["read"] == 32 and replaced["read"] == 16
    assert len(drawn["order"]) == 40 and len(drawn["rewards"]) == 29  # 0.3 * (1 - 1 / 20) of 40
    assert torch.equal(drawn["order"], half["order"])
    assert not torch.equal(drawn["texts"]["noise"][:9], replaced["texts"]["noise"][:9])
    assert all(0 < reward < 1 for reward in result.logged("reward_mean"))
    assert len(result.logged("ppo_clipped")) == 5
    for stop in (1, 2, 5, 9):
        parts = start_from(corpus / "whole", stop, corpus / f"from-{stop}")
        run("fairseq-train", *TRAIN, "--max-update", UPDATES, "--save-dir", parts, folder=corpus)
        assert equal(last(parts), held(whole[UPDATES])), stop


def test_two_processes_go_on_with_a_buffer_each(corpus):
    flags = (*TRAIN, "--save-interval-updates", 6, "--save-dir")
    run_together(2, "fairseq-train", *flags, "two", "--max-update", UPDATES, folder=corpus)
    parts = start_from(corpus / "two", 6, corpus / "two-parts")
    run_together(2, "fairseq-train", *flags, parts, "--max-update", UPDATES, folder=corpus)
    whole = last(corpus / "two")
    assert equal(whole, last(parts))
    one, other = whole[1]
    assert not torch.equal(one["texts"]["tokens"], other["texts"]["tokens"])
    # One process goes on from two.
    run("fairseq-train", *flags, parts, "--max-update", UPDATES + 1, folder=corpus)


@pytest.mark.parametrize("wrong", [("--ppo-clip", 1.5), ("--human-share", "nan")], ids=str)
def test_wrong_numbers_are_one_line(corpus, wrong):
    line = refusal(*TRAIN, "--discriminator", "rnn", *wrong, folder=corpus)
    assert line.startswith(f"error: {wrong[0]} is {wrong[1]}; it must be")
