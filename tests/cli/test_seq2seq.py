"""lstm_seq2seq_doc through fairseq's commands."""

import pytest
import torch
from commands import run
from conftest import SIZES

TRAIN = (
    "mt", "--task", "translation", "--arch", "lstm_seq2seq_doc_tiny", "--encoder-hidden-dim", 32,
    "--decoder-hidden-dim", 64, "--criterion", "sequence_mean_cross_entropy",
    "--optimizer", "fused_adamw", "--clip-value", 1.0, "--lr", "0.02", "--batch-size", "32",
)  # fmt: skip
PATH = ("--path", "s2s/checkpoint_last.pt")


@pytest.fixture(scope="module")
def trained(corpus):
    run("fairseq-train", *TRAIN, "--max-update", 250, "--save-dir", "s2s", folder=corpus)
    return corpus


@pytest.mark.parametrize("beam", [1, 4])
def test_translates_every_line(trained, beam):
    """The whole test set, whose size is no multiple of 8, in one command."""
    result = run(
        "fairseq-generate", "mt", "--task", "translation", *PATH, "--beam", beam, "--batch-size", 8,
        folder=trained,
    )  # fmt: skip
    hypotheses, targets = result.lines("H"), result.lines("T")
    assert sorted(hypotheses) == sorted(targets) == list(range(SIZES["test"]))
    right = sum(hypotheses[number][1] == target for number, (target,) in targets.items())
    assert right > 0.8 * SIZES["test"]


def test_batching_does_not_change_translations(trained):
    """Padding and company of a sentence leave its translation and score alone."""
    together, alone = (
        run(
            "fairseq-generate", "mt", "--task", "translation", *PATH, "--beam", 3,
            "--batch-size", size, folder=trained,
        ).lines("H")
        for size in (SIZES["test"], 1)
    )  # fmt: skip
    assert together.keys() == alone.keys()
    for number, (score, text) in together.items():
        assert alone[number][1] == text
        assert float(alone[number][0]) == pytest.approx(float(score), abs=1e-4)


def test_interactive_agrees_with_generate(trained):
    lines = (trained / "test.en").read_text().splitlines()[:5]
    typed = run(
        "fairseq-interactive", "mt", "--task", "translation", *PATH, "--beam", 1,
        "--buffer-size", 5, "--batch-size", 5, folder=trained, stdin="\n".join(lines) + "\n",
    ).lines("H")  # fmt: skip
    generated = run(
        "fairseq-generate", "mt", "--task", "translation", *PATH, "--beam", 1, folder=trained
    ).lines("H")
    assert [typed[i][1] for i in range(5)] == [generated[i][1] for i in range(5)]


def test_validate(trained):
    result = run(
        "fairseq-validate", "mt", "--task", "translation", *PATH, "--batch-size", 8, folder=trained
    )
    assert "ppl" in result.stdout + result.stderr


@pytest.mark.parametrize("cell", ["gru", "rnn"])
def test_other_cells_train_and_translate(corpus, cell):
    run(
        "fairseq-train", *TRAIN, "--rnn-cell", cell, "--max-update", 2, "--save-dir", cell,
        folder=corpus,
    )  # fmt: skip
    result = run(
        "fairseq-generate", "mt", "--task", "translation", "--path", f"{cell}/checkpoint_last.pt",
        folder=corpus,
    )  # fmt: skip
    assert len(result.lines("H")) >= SIZES["test"]


def test_checkpoint_loads_in_weights_only_mode(trained):
    state = torch.load(trained / "s2s" / "checkpoint_last.pt", weights_only=True)
    assert state["cfg"]["model"]["encoder_hidden_dim"] == 32
