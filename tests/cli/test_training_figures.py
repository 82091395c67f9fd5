"""What the training log says beyond fairseq's: bits per byte and model-flop utilisation."""

import math

import pytest
from commands import run
from conftest import SIZES

PEAK = 1e9
# d = 32, two blocks of 12 d² each, and 64 positions at most.
WIDTH, LAYERS = 32, 2


def known_gpu():
    """A GPU of a thousandth of a teraflop in place of the CPU."""
    from fairseq_genext.patches import training_figures

    training_figures.peak = lambda trainer: PEAK


@pytest.fixture(scope="module")
def characters(corpus):
    """The corpus in characters, with a letter of two bytes; ``odd`` has one unknown."""
    for split in ("train", "valid"):
        lines = (corpus / f"{split}.en").read_text().replace("a", "ä").splitlines()
        (corpus / f"{split}.text").write_text("".join(f"{line}\n" for line in lines))
        cut = [" ".join(line.replace(" ", "▁")) for line in lines]
        (corpus / f"{split}.char").write_text("".join(f"{line}\n" for line in cut))
    (corpus / "odd.char").write_text("t h e ▁ ß\nt h e\n")
    run(
        "fairseq-preprocess", "--only-source", "--trainpref", "train.char", "--validpref",
        "valid.char,odd.char", "--destdir", "char", folder=corpus,
    )  # fmt: skip
    return corpus


def test_bits_per_byte_and_utilisation(characters):
    result = run(
        "fairseq-train", "char", "--task", "unconditional_generation", "--arch", "gpt_doc_tiny",
        "--criterion", "cross_entropy", "--optimizer", "fused_adamw", "--lr", "0.01",
        "--batch-size", 16, "--max-update", 102, "--log-format", "json", "--log-interval", 100,
        "--validate-interval", 1000, "--no-save", "--valid-subset", "valid,valid1",
        folder=characters, before=known_gpu,
    )  # fmt: skip
    text = (characters / "valid.text").read_text()
    tokens = len(text)
    bits = result.logged("valid_loss")[0] * tokens
    (valid,) = result.logged("valid_bits_per_byte")
    assert valid == pytest.approx(bits / len(text.encode()), rel=1e-3)
    assert len(text.encode()) > 1.05 * tokens
    assert not result.logged("valid1_bits_per_byte") and result.logged("valid1_loss")
    assert result.logged("bits_per_byte") and result.logged("train_bits_per_byte")

    words = 4 + len((characters / "char" / "dict.txt").read_text().splitlines())
    (speed,), (used,) = result.logged("wps"), result.logged("mfu")
    length = tokens / SIZES["valid"]  # about that of training
    per_token = 6 * (12 * LAYERS * WIDTH**2 + words * WIDTH) + 12 * LAYERS * WIDTH * length
    # Two clocks, on a machine that may have other work: hence a hundred updates.
    assert used == pytest.approx(speed * per_token / PEAK, rel=0.08)


def test_label_smoothing_and_words(characters):
    """fairseq's own model and task; smoothed losses are no likelihood, and words have no bytes."""
    flags = (
        "--task", "language_modeling", "--arch", "transformer_lm_gpt", "--decoder-layers", 1,
        "--decoder-embed-dim", 16, "--decoder-ffn-embed-dim", 16, "--decoder-attention-heads", 2,
        "--criterion", "label_smoothed_cross_entropy", "--label-smoothing", 0.3, "--optimizer",
        "adam", "--lr", 0.01, "--batch-size", 16, "--max-update", 2, "--tokens-per-sample", 64,
        "--log-format", "json", "--no-save", "--ignore-unused-valid-subsets",
    )  # fmt: skip
    result = run("fairseq-train", "char", *flags, folder=characters)
    text = (characters / "valid.text").read_text()
    bits = result.logged("valid_nll_loss")[0] * len(text)
    (valid,) = result.logged("valid_bits_per_byte")
    assert valid == pytest.approx(bits / len(text.encode()), rel=1e-3)
    assert not math.isclose(result.logged("valid_loss")[0] * len(text), bits, rel_tol=0.01)
    assert not result.logged("mfu")
    words = run("fairseq-train", "lm", *flags, folder=characters)
    assert words.logged("valid_loss") and not words.logged("valid_bits_per_byte")
