"""Generators and discriminators through fairseq's commands: training, reloading, a GPT's start."""

import shutil

import pytest
import torch
from commands import run

TRAIN = (
    "lm", "--task", "gan", "--criterion", "adversarial", "--optimizer", "two_player_adamw",
    "--lr", "0.01", "--batch-size", 16, "--generator-pretrain-updates", 1,
    "--discriminator-warmup-updates", 1, "--max-update", 4, "--max-sample-length", 12,
    "--no-epoch-checkpoints",
)  # fmt: skip
PLAYERS = {
    "relational": (
        "--arch", "gan_doc_tiny", "--generator", "relational", "--noise-input", "none",
        "--discriminator", "multi_representation", "--discriminator-representations", 8,
    ),
    "rnn": ("--arch", "gan_doc_tiny", "--noise-input", "step", "--discriminator", "rnn"),
    "gpt": ("--arch", "gan_gpt_tiny", "--noise-input", "step", "--discriminator", "transformer"),
}  # fmt: skip


def generate(folder, path, *flags):
    task = ("lm", "--task", "unconditional_generation", "--path", path, "--num-samples", 9)
    drawn = ("--seed", 5, "--max-len-b", 12, *flags)
    return run("fairseq-generate", *task, *drawn, folder=folder).lines("H")


@pytest.mark.parametrize("name", PLAYERS)
def test_players_train_and_generate_again(corpus, name):
    run("fairseq-train", *TRAIN, *PLAYERS[name], "--save-dir", f"players-{name}", folder=corpus)
    path = f"players-{name}/checkpoint_last.pt"
    sampled = generate(corpus, path, "--sampling", "--beam", 1)
    assert sorted(sampled) == list(range(9))
    assert sampled == generate(corpus, path, "--sampling", "--beam", 1)
    assert len({text for _, text in sampled.values()}) > 5
    assert sorted(generate(corpus, path, "--beam", 3)) == list(range(9))


def test_gan_starts_from_a_gpt_and_no_longer_needs_it(corpus):
    run(
        "fairseq-train", "lm", "--task", "unconditional_generation", "--arch", "gpt_doc_tiny",
        "--criterion", "cross_entropy", "--optimizer", "fused_adamw", "--lr", 0.01,
        "--batch-size", 16, "--max-update", 20, "--save-dir", "gpt-start", folder=corpus,
    )  # fmt: skip
    flags = (
        *TRAIN, "--arch", "gan_gpt_tiny", "--generator-checkpoint", "gpt-start/checkpoint_last.pt",
        "--generator-pretrain-updates", 0, "--save-dir", "from-gpt",
    )  # fmt: skip
    # The first update is the discriminator's alone, so the generator is still the GPT.
    run("fairseq-train", *flags, "--max-update", 1, folder=corpus)
    gpt, gan = (
        torch.load(corpus / name / "checkpoint_last.pt", weights_only=True)["model"]
        for name in ("gpt-start", "from-gpt")
    )
    assert all(torch.equal(gan[name], weight) for name, weight in gpt.items())
    run("fairseq-train", *flags, "--max-update", 4, folder=corpus)
    shutil.rmtree(corpus / "gpt-start")
    assert len(generate(corpus, "from-gpt/checkpoint_last.pt", "--sampling", "--beam", 1)) == 9
    validate = ("lm", "--task", "gan", "--path", "from-gpt/checkpoint_last.pt", "--batch-size", 16)
    run("fairseq-validate", *validate, folder=corpus)

    run("fairseq-train", *flags, "--max-update", 5, folder=corpus)  # goes on
    anew = ("--max-update", 5, "--save-dir", "from-gpt-anew")
    result = run("fairseq-train", *flags, *anew, folder=corpus, expect=1)
    errors = [line for line in result.stderr.splitlines() if line.startswith("error: ")]
    assert errors == ["error: gpt-start/checkpoint_last.pt does not exist"]
    assert "Traceback" not in result.stdout + result.stderr
