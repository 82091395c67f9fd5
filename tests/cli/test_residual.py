"""The discriminator kept after training: a language model, and one that learns to correct it."""

import json
import math
import re
from pathlib import Path

import pytest
import torch
from commands import run
from gan_states import equal, states

from fairseq_genext.evaluation import sample
from fairseq_genext.evaluation.__main__ import main as evaluate
from fairseq_genext.evaluation.checkpoints import load_model
from fairseq_genext.evaluation.hypotheses import hypotheses
from fairseq_genext.files import read_lines

LM = (
    "lm", "--task", "unconditional_generation", "--arch", "gpt_doc_tiny", "--criterion",
    "cross_entropy", "--optimizer", "fused_adamw", "--lr", 0.01, "--max-update", 15,
    "--batch-size", 32, "--save-dir", "gpt",
)  # fmt: skip
GAN = (
    "lm", "--task", "gan", "--arch", "gan_residual_tiny", "--generator-checkpoint",
    "gpt/checkpoint_last.pt", "--discriminator-checkpoint", "gpt/checkpoint_last.pt",
    "--criterion", "adversarial", "--optimizer", "two_player_adamw", "--lr", 0.01,
    "--batch-size", 32, "--max-sample-length", 30, "--valid-samples", 0,
)  # fmt: skip
SAMPLE = (
    "lm", "--task", "gan", "--path", "gan/checkpoint_last.pt", "--sampling", "--beam", 1,
    "--num-samples", 40, "--batch-size", 40, "--max-len-b", 20, "--seed", 5,
)  # fmt: skip


@pytest.fixture(scope="module")
def trained(corpus):
    run("fairseq-train", *LM, folder=corpus)
    run("fairseq-train", *GAN, "--save-dir", "begun", "--max-update", 1, "--lr", 0, folder=corpus)
    run("fairseq-train", *GAN, "--save-dir", "gan", "--max-update", 40, folder=corpus)
    return corpus


def generate(folder, *flags):
    done = run("fairseq-generate", *SAMPLE, *flags, folder=folder)
    return hypotheses(done.stdout.splitlines()), done.stdout


def test_both_players_start_from_the_language_model(trained):
    """And its own features are what the discriminator scores, bit by bit."""
    gan, _ = load_model(str(trained / "begun/checkpoint_last.pt"), str(trained / "lm"))
    gpt, _ = load_model(str(trained / "gpt/checkpoint_last.pt"), str(trained / "lm"))
    tokens = torch.tensor([[5, 9, 7, 2], [11, 2, 1, 1]])
    read = torch.cat([torch.full((2, 1), 2), tokens], dim=1)
    features = gpt.decoder.extract_features(read)[0]
    assert torch.equal(gan.discriminator.features(tokens, tokens.ne(1)), features)
    assert torch.equal(gan.decoder(read)[0], gpt.decoder(read)[0])


def test_only_the_discriminator_learns(trained):
    begun, gan = (
        torch.load(trained / f"{name}/checkpoint_last.pt", weights_only=True)
        for name in ("begun", "gan")
    )
    for name, weight in begun["model"].items():
        if name.startswith("decoder."):
            assert torch.equal(weight, gan["model"][name]), name
    assert not torch.equal(
        begun["model"]["discriminator.output.weight"], gan["model"]["discriminator.output.weight"]
    )
    # Whoever loads it needs no other file.
    assert gan["cfg"]["model"]["discriminator_checkpoint"] == ""


def test_one_candidate_is_plain_sampling(trained):
    plain, log = generate(trained)
    assert generate(trained, "--resample", 1)[0] == plain and len(plain) == 40
    assert "effective sample size" not in log


def test_resampling_repeats_under_a_seed_and_prefers_what_the_discriminator_does(trained):
    plain, _ = generate(trained)
    kept, log = generate(trained, "--resample", 8)
    assert kept == generate(trained, "--resample", 8)[0] and kept != plain
    worth = float(re.search(r"effective sample size ([\d.]+) of 8", log)[1])
    assert 1 <= worth < 7.9
    model, task = load_model(str(trained / "gan/checkpoint_last.pt"), str(trained / "lm"))

    def mean_score(texts):
        scores = []
        for text in texts:
            tokens = task.dictionary.encode_line(text, add_if_not_exist=False).long()[None]
            scores.append(model.discriminator(tokens, tokens.ne(1)).mean().item())
        return sum(scores) / len(scores)

    assert mean_score(kept) > mean_score(plain) + 0.1
    # At another temperature and top-p too.
    cool = ("--temperature", 0.7, "--sampling-topp", 0.9)
    assert generate(trained, *cool)[0] != generate(trained, *cool, "--resample", 4)[0]


def test_a_prompt_is_part_of_what_is_scored(trained):
    lines = "\n".join((trained / "test.en").read_text().splitlines()[:3]) + "\n"
    flags = (
        "lm", "--task", "gan", "--path", "gan/checkpoint_last.pt", "--sampling", "--beam", 1,
        "--buffer-size", 3, "--batch-size", 3, "--max-len-b", 5, "--seed", 5, "--resample", 4,
    )  # fmt: skip
    done = run("fairseq-interactive", *flags, folder=trained, stdin=lines)
    assert len(hypotheses(done.stdout.splitlines())) == 3
    assert "effective sample size" in done.stdout


def test_eval_lm_tells_the_likelihood_of_both(trained):
    flags = ("lm", "--path", "gan/checkpoint_last.pt", "--gen-subset", "test", "--max-tokens", 4000)
    done = run(
        "fairseq-eval-lm", *flags, "--task", "gan", "--partition-samples", 400, folder=trained
    )
    plain = float(re.search(r"Perplexity: ([\d.]+)", done.stdout)[1])
    found = re.search(r"model: ([\d.]+) nats a token \(([\d.]+) to ([\d.]+)", done.stdout)
    nll, low, high = map(float, found.groups())
    alone = float(re.search(r"alone: ([\d.]+) nats", done.stdout)[1])
    gain = float(re.search(r"gain (-?[\d.]+) ±", done.stdout)[1])
    assert alone == pytest.approx(math.log(plain), abs=2e-3)
    assert low <= nll <= high and gain == pytest.approx(alone - nll, abs=2e-4)
    assert 0 < float(re.search(r"discriminator: loss ([\d.]+)", done.stdout)[1]) < 1


def test_a_resumed_run_is_the_whole_one(trained):
    """Weights of both players and the optimizer, bitwise."""
    dropout = ("--discriminator-dropout", 0.2)
    run("fairseq-train", *GAN, *dropout, "--save-dir", "w", "--max-update", 4, folder=trained)
    for updates in (2, 4):
        run(
            "fairseq-train", *GAN, *dropout, "--save-dir", "r", "--max-update", updates,
            folder=trained,
        )  # fmt: skip
    whole, resumed = (
        states(torch.load(trained / f"{name}/checkpoint_last.pt", weights_only=True))
        for name in ("w", "r")
    )
    assert equal(whole, resumed)


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (("--resample", 0), "--resample is 0"),
        (("--resample", 4, "--beam", 2, "--nbest", 2), "--sampling --beam 1"),
        (
            (
                "--resample",
                4,
                "--path",
                "gpt/checkpoint_last.pt",
                "--task",
                "unconditional_generation",
            ),
            "without a discriminator",
        ),
    ],
)
def test_what_cannot_be_resampled(trained, flags, says):
    done = run("fairseq-generate", *SAMPLE, *flags, folder=trained, expect=1)
    assert says in done.stderr.splitlines()[-1]


def test_texts_of_one_length_are_the_oracle_commands(trained, tmp_path):
    state = torch.load(trained / "gan/checkpoint_last.pt", weights_only=True)
    state["cfg"]["task"]["fixed_length"] = True
    torch.save(state, tmp_path / "fixed.pt")
    done = run(
        "fairseq-eval-lm", "lm", "--task", "gan", "--path", tmp_path / "fixed.pt",
        "--partition-samples", 10, folder=trained, expect=1,
    )  # fmt: skip
    assert "use python -m fairseq_genext.evaluation.oracle" in done.stderr.splitlines()[-1]


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (("--discriminator", "cnn"), "a cnn is no language model"),
        (("--discriminator-embed-dim", 16), "--discriminator-checkpoint gpt/checkpoint_last.pt"),
        (("--discriminator-heads", 4), "was trained with --decoder-attention-heads 2"),
        (("--discriminator-checkpoint", "none.pt"), "none.pt"),
    ],
)
def test_a_discriminator_that_does_not_fit(trained, flags, says):
    done = run(
        "fairseq-train", *GAN, *flags, "--max-update", 1, "--save-dir", "x", folder=trained,
        expect=1,
    )  # fmt: skip
    assert says in done.stderr.splitlines()[-1]
    assert not any((trained / "x").iterdir())


def test_evaluation_samples_so_too(trained, monkeypatch):
    flags = (
        "lm", "--checkpoint", "gan/checkpoint_last.pt", "--output", "kept", "--temperatures", 1,
        "--num-samples", 40, "--batch-size", 40, "--max-length", 20, "--seed", 5, "--resample", 8,
        "--partition-samples", 300,
    )  # fmt: skip
    monkeypatch.chdir(trained)
    monkeypatch.setattr("sys.argv", ["sample", *map(str, flags)])
    sample.main()
    (point,) = json.loads(Path("kept.json").read_text())["points"]
    assert point["residual_nll_low"] <= point["residual_nll"] < point["generator_nll"] + 1
    assert read_lines("kept/t1.00.txt") == generate(trained, "--resample", 8)[0]


def test_evaluate_tells_the_likelihood_of_both(trained, monkeypatch, capsys):
    flags = (
        "valid.en", "test.en", "--references", "test.en", "--encoder", "none", "--data", "lm",
        "--checkpoints", "gan/checkpoint_last.pt", "gpt/checkpoint_last.pt",
        "--partition-samples", 300, "--json", "figures.json",
    )  # fmt: skip
    monkeypatch.chdir(trained)
    monkeypatch.setattr("sys.argv", ["genext-evaluate", *map(str, flags)])
    evaluate()
    figures = json.loads(Path("figures.json").read_text())["figures"]
    gan, gpt = figures["valid"], figures["test"]
    assert gan["perplexity"] == pytest.approx(gpt["perplexity"])
    assert gan["residual_nll"] == pytest.approx(gan["generator_nll"] - gan["residual_gain"])
    (row,) = (line for line in capsys.readouterr().out.splitlines() if line.startswith("| gain"))
    assert row.split("|")[2].strip() == (
        f"{gan['residual_gain']:.3f} ± {gan['residual_gain_ci']:.3f}"
    )
    assert row.split("|")[3].strip() == "–"
