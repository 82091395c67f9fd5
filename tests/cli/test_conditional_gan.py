"""Conditional GANs through fairseq's commands: start, turns, resume, translation, wrong flags."""

import json
import re
import shutil

import pytest
import torch
from commands import refusal, run

TRAIN = (
    "mt", "--task", "conditional_gan", "--arch", "gan_seq2seq_tiny", "--criterion", "adversarial",
    "--optimizer", "two_player_adamw", "--lr", "0.01", "--batch-size", "16",
    "--discriminator-warmup-updates", 1, "--max-sample-length", 12, "--valid-samples", 30,
)  # fmt: skip
GENERATORS = {
    "lstm_seq2seq_doc": ("--criterion", "cross_entropy"),
    "dbam": ("--criterion", "dbam"),
}
START = {name: f"{name}-likelihood/checkpoint_last.pt" for name in GENERATORS}
# The player of each of the first 5 updates.
MOVES = ["discriminator", "discriminator", "generator", "discriminator", "generator"]
PREFIXES = {"generator": ("encoder.", "decoder."), "discriminator": ("discriminator.",)}


@pytest.fixture(scope="module")
def folder(corpus):
    """The corpus with a translation model of each kind, trained by likelihood."""
    for name, flags in GENERATORS.items():
        run(
            "fairseq-train", "mt", "--task", "translation", "--arch", f"{name}_tiny", *flags,
            "--optimizer", "fused_adamw", "--lr", "0.01", "--batch-size", 16, "--max-update", 30,
            "--no-epoch-checkpoints", "--save-dir", f"{name}-likelihood", folder=corpus,
        )  # fmt: skip
    return corpus


@pytest.fixture(scope="module")
def steps(folder):
    """Checkpoints after every update, and the log, of one run that starts from dbam."""
    run(
        "fairseq-train", *TRAIN, "--generator-checkpoint", START["dbam"],
        "--max-update", len(MOVES), "--save-interval-updates", 1, "--save-dir", "pairs",
        "--eval-bleu", "--eval-bleu-args", '{"beam": 1, "max_len_b": 12}',
        "--best-checkpoint-metric", "bleu", "--maximize-best-checkpoint-metric",
        "--log-format", "json", "--log-file", "pairs.log", folder=folder,
    )  # fmt: skip
    found = {}
    for path in (folder / "pairs").glob("checkpoint_*_*.pt"):
        found[int(path.stem.split("_")[-1])] = load(path)
    return [found[update] for update in sorted(found)]


def load(path):
    return torch.load(path, weights_only=True)


def weights(checkpoint, player):
    model = checkpoint["model"]
    return {name: model[name] for name in model if name.startswith(PREFIXES[player])}


def equal(one, other) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def moments(checkpoint, player):
    """AdamW's state of a player, tensors by name."""
    state = checkpoint["last_optimizer_state"]
    own = [group for group in state["param_groups"] if group["player"] == player]
    return {
        f"{index}.{name}": torch.as_tensor(value)
        for group in own
        for index in group["params"]
        for name, value in state["state"].get(index, {}).items()
    }


def translate(folder, path, *flags):
    task = ("mt", "--task", "translation", "--path", path, "--beam", 1, "--max-len-b", 12)
    return run("fairseq-generate", *task, *flags, folder=folder).lines("H")


def test_each_update_moves_its_own_player_alone(steps):
    assert len(steps) == len(MOVES)
    for update, mover in enumerate(MOVES[1:], start=1):
        before, after = steps[update - 1], steps[update]
        idle = ({*PREFIXES} - {mover}).pop()
        assert equal(weights(before, idle), weights(after, idle)), update
        assert equal(moments(before, idle), moments(after, idle)), update
        assert not equal(weights(before, mover), weights(after, mover)), update


def test_validation_logs_figures_and_bleu_chooses_the_best(folder, steps):
    lines = re.findall(r"\{\"epoch.*\}", (folder / "pairs.log").read_text())
    valid = [figures for figures in map(json.loads, lines) if "valid_nll_loss" in figures][-1]
    for name in ("sample_bleu_2", "sample_self_bleu_4", "sample_duplicates", "d_accuracy_real"):
        assert 0 <= float(valid[f"valid_{name}"]) <= 1, name
    assert 0 < float(valid["valid_sample_reference_bleu"]) < 1
    assert 0 < float(valid["valid_bleu"]) <= 100
    best = load(folder / "pairs" / "checkpoint_best.pt")
    assert best["extra_state"]["best"] == pytest.approx(float(valid["valid_best_bleu"]))


@pytest.mark.parametrize("name", GENERATORS)
def test_starts_as_the_trained_model_and_no_longer_needs_it(folder, steps, name):
    """The first update is the discriminator's; then training goes on without the first file.

    That of dbam ends as ``steps`` did, which were never stopped.
    """
    path = f"{name}-first/checkpoint_last.pt"
    shutil.copy(folder / START[name], folder / f"{name}.pt")
    started = (
        *TRAIN, "--save-dir", f"{name}-first", "--no-epoch-checkpoints", "--generator-checkpoint",
        f"{name}.pt",
    )  # fmt: skip
    run("fairseq-train", *started, "--max-update", 1, folder=folder)
    trained, gan = load(folder / START[name]), load(folder / path)
    assert equal(weights(gan, "generator"), trained["model"])
    assert translate(folder, path) == translate(folder, START[name])

    (folder / f"{name}.pt").unlink()
    run("fairseq-train", *started, "--max-update", len(MOVES), folder=folder)
    resumed = load(folder / path)
    if name == "dbam":
        for player in PREFIXES:
            assert equal(weights(resumed, player), weights(steps[-1], player))
            assert equal(moments(resumed, player), moments(steps[-1], player))
    assert not equal(weights(resumed, "generator"), trained["model"])


def test_translates_as_an_ordinary_model(folder, steps):
    shutil.move(folder / START["dbam"], folder / "away.pt")
    try:
        found = translate(folder, "pairs/checkpoint_last.pt")
        sampled = translate(folder, "pairs/checkpoint_best.pt", "--sampling", "--seed", 3)
        typed = run(
            "fairseq-interactive", "mt", "--task", "translation", "--path",
            "pairs/checkpoint_last.pt", "--max-len-b", 12, stdin="the king saw them\n",
            folder=folder,
        ).lines("H")  # fmt: skip
        validate = ("mt", "--task", "conditional_gan", "--path", "pairs/checkpoint_last.pt")
        result = run("fairseq-validate", *validate, "--batch-size", 16, folder=folder)
    finally:
        shutil.move(folder / "away.pt", folder / START["dbam"])
    assert sorted(found) == sorted(sampled) == list(range(21)) and typed[0][1]
    assert "sample_reference_bleu" in result.stdout + result.stderr


ESTIMATORS = {
    "soft": (
        "--gradient-estimator",
        "gumbel",
        "--gumbel-samples",
        "soft",
        "--gan-loss",
        "rsgan",
        "--max-sample-length",
        9,
    ),
    "rollouts": ("--rollouts", 2, "--discriminator", "cnn"),
    "mali": ("--gradient-estimator", "mali", "--discriminator", "transformer"),
}


@pytest.mark.parametrize("name", ESTIMATORS)
def test_estimators_train(folder, name):
    generator = "dbam" if name == "rollouts" else "lstm_seq2seq_doc"
    result = run(
        "fairseq-train", *TRAIN, *ESTIMATORS[name], "--generator-checkpoint", START[generator],
        "--max-update", 3, "--no-epoch-checkpoints", "--save-dir", f"by-{name}", folder=folder,
    )  # fmt: skip
    assert ("the discriminator learns the cut" in result.stdout) == (name == "soft")
    after = load(folder / f"by-{name}" / "checkpoint_last.pt")
    before = load(folder / START[generator])["model"]
    for prefix in ("encoder.", "decoder."):
        own = [key for key in before if key.startswith(prefix)]
        assert any(not torch.equal(before[key], after["model"][key]) for key in own), prefix


WRONG = {
    "no generator": ((), "a conditional GAN needs --generator-checkpoint"),
    "no file": (("--generator-checkpoint", "none.pt"), "none.pt does not exist"),
    "no checkpoint": (("--generator-checkpoint", "train.en"), "is not a fairseq checkpoint"),
    "fixed length": (("--fixed-length",), "--fixed-length is for --task gan"),
    "padding": (("--left-pad-target",), "--left-pad-target: a discriminator's sequences"),
    "long samples": (
        ("--generator-checkpoint", START["dbam"], "--max-sample-length", 30,
         "--max-target-positions", 20), "--max-sample-length 30: the model reads 20 tokens",
    ),
    "mali by tokens": (
        ("--generator-checkpoint", START["dbam"], "--gradient-estimator", "mali"),
        "take --discriminator cnn",
    ),
    "one player": (("--arch", "dbam_tiny"), "choose --arch gan_seq2seq"),
    "one player's criterion": (
        ("--generator-checkpoint", START["dbam"], "--criterion", "cross_entropy"),
        "--task conditional_gan needs --criterion adversarial",
    ),
    "one player's optimizer": (
        ("--generator-checkpoint", START["dbam"], "--optimizer", "fused_adamw"),
        "--task conditional_gan moves one player at a time",
    ),
    "another model": (
        ("--generator-checkpoint", "other/checkpoint_last.pt"),
        "holds lstm; the generator of a conditional GAN is lstm_seq2seq_doc or dbam",
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def other(folder):
    """A translation model that cannot be a generator."""
    run(
        "fairseq-train", "mt", "--task", "translation", "--arch", "lstm", "--criterion",
        "cross_entropy", "--optimizer", "fused_adamw", "--batch-size", 16, "--max-update", 1,
        "--save-dir", "other", "--encoder-embed-dim", 8, "--encoder-hidden-size", 8,
        "--decoder-embed-dim", 8, "--decoder-hidden-size", 8, "--decoder-out-embed-dim", 8,
        folder=folder,
    )  # fmt: skip
    return folder


BY_COMMAND = ("no generator", "one player's optimizer")


@pytest.mark.parametrize("name", [name for name in WRONG if name not in BY_COMMAND])
def test_wrong_flags(other, name):
    flags, says = WRONG[name]
    assert says in refusal(*TRAIN, *flags, folder=other)


@pytest.mark.parametrize("name", BY_COMMAND)
def test_wrong_flags_end_with_one_line(other, name):
    flags, says = WRONG[name]
    save_dir = other / f"wrong {name}"
    result = run(
        "fairseq-train", *TRAIN, *flags, "--max-update", 2, "--save-dir", save_dir,
        folder=other, expect=1,
    )  # fmt: skip
    errors = [line for line in result.stderr.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1 and says in errors[0], result.stderr[-2000:]
    assert "Traceback" not in result.stdout + result.stderr
    assert not save_dir.exists() or not list(save_dir.iterdir())
