"""`gold` through fairseq's commands: a model of the reward, exact resume, what is refused."""

import shutil

import pytest
import torch
from commands import run
from gan_states import equal, start_from

MT = (
    "mt", "--task", "translation", "--optimizer", "fused_adamw", "--lr", 0.005, "--batch-size", 32,
    "--num-workers", 0, "--no-epoch-checkpoints", "--dropout", 0.1,
)  # fmt: skip
LSTM = ("--arch", "lstm_seq2seq_doc_tiny")
TRANSFORMER = (
    "--arch", "transformer", "--encoder-layers", 1, "--decoder-layers", 1, "--encoder-embed-dim",
    8, "--decoder-embed-dim", 8, "--encoder-ffn-embed-dim", 8, "--decoder-ffn-embed-dim", 8,
    "--encoder-attention-heads", 2, "--decoder-attention-heads", 2,
)  # fmt: skip
GOLD = ("--criterion", "gold", "--log-format", "json", "--log-interval", 1)
REWARD = ("--gold-reward-checkpoint", "likelihood/checkpoint_last.pt")


@pytest.fixture(scope="module")
def likelihood(corpus):
    run(
        "fairseq-train", *MT, *LSTM, "--criterion", "cross_entropy", "--max-update", 11,
        "--disable-validation", "--save-dir", "likelihood", folder=corpus,
    )  # fmt: skip


def held(path):
    saved = torch.load(path / "checkpoint_last.pt", weights_only=True)
    return saved["model"], saved["last_optimizer_state"]


@pytest.mark.parametrize(
    ("arch", "reward"),
    [(TRANSFORMER, "s"), (("--arch", "dbam_tiny"), "p")],
    ids=["transformer", "dbam"],
)
def test_it_trains_and_goes_on_exactly(corpus, likelihood, request, arch, reward):
    name = request.node.callspec.id
    flags = (*MT, *arch, *GOLD, *REWARD, "--gold-reward", reward, "--disable-validation")
    # The second batch of an update drops after the reward's model is loaded.
    flags += ("--update-freq", 2, "--max-update", 5, "--save-interval-updates", 2, "--save-dir")
    result = run("fairseq-train", *flags, name, folder=corpus)
    parts = start_from(corpus / name, 2, corpus / f"{name}-parts")
    run("fairseq-train", *flags, parts, folder=corpus)
    assert equal(held(corpus / name), held(parts))
    assert len(result.logged("gold_reward")) == 5
    assert all(0.2 <= weight <= 1 for weight in result.logged("gold_weight"))


def test_its_checkpoint_does_not_need_the_model_of_the_reward(corpus, likelihood):
    shutil.copy(corpus / REWARD[1], corpus / "moved.pt")
    run(
        "fairseq-train", *MT, *LSTM, *GOLD, "--gold-reward-checkpoint", "moved.pt", "--max-update",
        1, "--eval-bleu", "--eval-bleu-args", '{"beam": 1}', "--save-dir", "alone", folder=corpus,
    )  # fmt: skip
    (corpus / "moved.pt").unlink()
    task = ("mt", "--task", "translation", "--path", "alone/checkpoint_last.pt")
    result = run("fairseq-validate", *task, "--batch-size", 16, folder=corpus)
    assert "| nll_loss " in result.stdout and "| gold_reward " not in result.stdout
    assert len(run("fairseq-generate", *task, "--beam", 1, folder=corpus).lines("H")) == 21


WRONG = {
    "no file": (("--gold-reward-checkpoint", "none.pt"), "none.pt does not exist"),
    "no checkpoint": (("--gold-reward-checkpoint", "train.en"), "is not a fairseq checkpoint"),
    "another mean": (
        (*REWARD, "--sentence-avg"), "--sentence-avg: --criterion gold has its own mean",
    ),
    "no number": (("--gold-weight-floor", "nan"), "--gold-weight-floor is nan"),
    "other words": (
        ("--source-lang", "up", "--target-lang", "en", *REWARD), "in the other direction",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_what_is_refused_is_one_line(corpus, likelihood, name):
    flags, says = WRONG[name]
    result = run(
        "fairseq-train", *MT, *LSTM, *GOLD, *flags, "--save-dir", "refused", folder=corpus, expect=1
    )
    errors = [line for line in result.stderr.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1 and says in errors[0]
    assert "Traceback" not in result.stdout + result.stderr
    assert not list((corpus / "refused").glob("*.pt"))
