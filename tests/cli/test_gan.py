"""The GAN: whose parameters move when, exact resume, generation, validation."""

import json
import re
import shutil
from pathlib import Path

import pytest
import torch
from commands import USER_DIR, run
from gan_states import (
    PLAYERS,
    check_moves,
    checkpoints_by_update,
    equal,
    states,
    states_by_update,
)

# Likelihood for updates 0-2, discriminator alone for 3-4, then D D G D D G …
TRAIN = (
    "lm", "--task", "gan", "--arch", "gan_doc_tiny", "--criterion", "adversarial",
    "--optimizer", "two_player_adamw", "--lr", "0.01", "--discriminator-lr", "0.005",
    "--weight-decay", "0.01", "--batch-size", "16", "--generator-pretrain-updates", 3,
    "--discriminator-warmup-updates", 2, "--discriminator-steps", 2, "--generator-steps", 1,
    "--max-sample-length", 12, "--valid-samples", 40,
)  # fmt: skip
# The player of each of the first 11 updates.
MOVES = [*["decoder"] * 3, *["discriminator"] * 2, *["discriminator"] * 2, "decoder",
         *["discriminator"] * 2, "decoder"]  # fmt: skip


@pytest.fixture(scope="module")
def steps(corpus):
    """A checkpoint after every update of one run."""
    run(
        "fairseq-train", *TRAIN, "--max-update", len(MOVES), "--save-dir", "steps",
        "--save-interval-updates", 1, "--log-format", "json", "--log-interval", 1,
        "--log-file", "steps.log", folder=corpus,
    )  # fmt: skip
    found = checkpoints_by_update(corpus / "steps")
    return [found[update] for update in sorted(found)]


def test_each_update_moves_its_own_player_alone(steps):
    assert len(steps) == len(MOVES)
    for update in range(1, len(MOVES)):
        before, after = states(steps[update - 1]), states(steps[update])
        for prefix in PLAYERS:
            if prefix == MOVES[update]:
                changed = [
                    n
                    for n in before[prefix][0]
                    if not torch.equal(before[prefix][0][n], after[prefix][0][n])
                ]
                assert len(changed) > 3, (update, prefix)
            else:
                assert equal(before[prefix], after[prefix]), (update, prefix)


def test_resume_at_any_update_is_exact(corpus, steps):
    """Both players' parameters and optimizer states, at every boundary and between."""
    for stop in (1, 3, 4, 5, 7, 8, 10, len(MOVES)):  # each goes on from the one before
        run("fairseq-train", *TRAIN, "--max-update", stop, "--save-dir", "resumed", folder=corpus)
        resumed = torch.load(corpus / "resumed" / "checkpoint_last.pt", weights_only=True)
        assert equal(states(resumed), states(steps[stop - 1])), stop


def test_training_text_may_have_another_name(corpus, tmp_path):
    """With --train-subset it is mixed likewise, and is no reference of validation's samples."""
    shutil.copytree(corpus / "lm", tmp_path / "lm")
    found = {}
    for name in ("train", "other"):
        flags = ["--train-subset", name, "--max-update", 4, "--log-format", "json"]
        logged = run("fairseq-train", *TRAIN, *flags, "--save-dir", name, folder=tmp_path)
        figures = re.findall(r'"valid_sample_\w+": "[^"]+"', logged.stdout + logged.stderr)
        last = torch.load(tmp_path / name / "checkpoint_last.pt", weights_only=True)
        found[name] = states(last), figures
        for path in sorted((tmp_path / "lm").glob("train.*")):
            path.rename(path.with_name(path.name.replace("train", "other")))
    assert equal(found["train"][0], found["other"][0])
    assert found["train"][1] == found["other"][1] != []


def test_log_names_each_phase(corpus, steps):
    lines = re.findall(r"\{\"epoch.*\}", (corpus / "steps.log").read_text())
    inner = {}
    for figures in map(json.loads, lines):
        if "num_updates" in figures:
            inner.setdefault(int(figures["num_updates"]), figures)
    assert [int(float(inner[u]["phase"])) for u in range(1, 12)] == [0] * 3 + [1] * 2 + [2] * 6
    assert float(inner[1]["nll_loss"]) > 3 and "nll_loss" not in inner[4]
    assert float(inner[4]["d_loss"]) == pytest.approx(0.69, abs=0.1)
    assert 0 <= float(inner[6]["d_accuracy_real"]) <= 1
    assert float(inner[8]["g_loss"]) > 0 and float(inner[8]["gumbel_temperature"]) == 1
    valid = [figures for figures in map(json.loads, lines) if "valid_ppl" in figures][-1]
    assert {"valid_d_loss", "valid_d_accuracy_fake", "valid_sample_bleu_3"} <= valid.keys()
    assert 0 < float(valid["valid_sample_bleu_3"]) < 1


def test_pretraining_learns_and_samples_repeat(corpus):
    run(
        "fairseq-train", *TRAIN, "--generator-pretrain-updates", 80, "--max-update", 90,
        "--generator-turns-lr-scale", 0.01, "--generator-hidden-dim", 32,
        "--save-dir", "pretrained",
        "--no-epoch-checkpoints", folder=corpus,
    )  # fmt: skip
    task = ("lm", "--task", "unconditional_generation", "--path", "pretrained/checkpoint_last.pt")
    sampled = [
        run(
            "fairseq-generate", *task, "--num-samples", 19, "--sampling", "--beam", 1, "--seed", 5,
            "--batch-size", 8, "--max-len-b", 20, folder=corpus,
        ).lines("H")
        for _ in range(2)
    ]  # fmt: skip
    assert sorted(sampled[0]) == list(range(19)) and sampled[0] == sampled[1]
    assert len({text for _, text in sampled[0].values()}) > 10
    found = []
    for seed in (1, 1, 2):
        scored = run(
            "fairseq-eval-lm", *task, "--gen-subset", "valid", "--seed", seed, folder=corpus
        )
        logged = scored.stdout + scored.stderr
        found += re.findall(r"Loss \(base 2\): ([\d.]+), Perplexity: ([\d.]+)", logged)
    assert float(found[0][1]) < 5
    assert found[0] == found[1] != found[2]

    typed = run(
        "fairseq-interactive", *task, "--sampling", "--beam", 1, "--nbest", 1, "--seed", 1,
        "--buffer-size", 3, "--batch-size", 3, "--max-len-b", 20, folder=corpus,
        stdin="\n\nthe king\n",
    ).lines("H")  # fmt: skip
    assert sorted(typed) == [0, 1, 2] and all(text for _, text in typed.values())
    assert typed[0][1] and typed[0] != typed[1]

    for subset in ("valid", "train"):
        result = run(
            "fairseq-validate", "lm", "--task", "gan", "--path", "pretrained/checkpoint_last.pt",
            "--valid-subset", subset, "--batch-size", 16, folder=corpus,
        )  # fmt: skip
        assert "sample_bleu_3" in result.stdout + result.stderr


def test_accumulated_batches_are_one_turn(corpus):
    """With --update-freq 2 an update is still one player's, also after a resume at a boundary.

    By another loss, with penalties.
    """
    r3gan = ("--gan-loss", "rsgan", "--r1-weight", 0.1, "--r2-weight", 0.1)
    flags = [*TRAIN, *r3gan, "--update-freq", 2, "--save-interval-updates", 1]
    run("fairseq-train", *flags, "--max-update", 8, "--save-dir", "freq", folder=corpus)
    found = states_by_update(corpus / "freq")
    check_moves(found, MOVES[:8])
    for until in (5, 8):
        run("fairseq-train", *flags, "--max-update", until, "--save-dir", "freq2", folder=corpus)
    assert equal(states_by_update(corpus / "freq2")[8], found[8])


def test_hydra_train_with_the_shipped_yaml(corpus):
    """A key in the last release's spelling too, which the log translates."""
    configs = Path(USER_DIR).parent / "recipes" / "config"
    run(
        "fairseq-hydra-train", "--config-dir", configs, "--config-name", "gan_doc",
        f"task.data={corpus}/lm", f"common.user_dir={USER_DIR}", "optimization.max_update=7",
        "task.generator_pretrain_updates=3", "+task.discriminator_pretrain_updates=2",
        "task.max_sample_length=12", "model.generator_hidden_dim=16",
        f"checkpoint.save_dir={corpus}/hydra-gan", f"hydra.run.dir={corpus}/hydra-gan",
        "dataset.batch_size=32", folder=corpus,
    )  # fmt: skip
    state = torch.load(corpus / "hydra-gan" / "checkpoint_best.pt", weights_only=True)
    assert 0 < state["extra_state"]["best"] < 1  # BLEU of samples
    log = (corpus / "hydra-gan" / "hydra_train.log").read_text()
    assert "--discriminator-pretrain-updates is now --discriminator-warmup-updates" in log
