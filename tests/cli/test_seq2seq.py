"""Every seq2seq architecture through fairseq's commands."""

import shutil
import subprocess
import sys

import pytest
import torch
from commands import run
from conftest import SIZES
from PIL import Image

from fairseq_genext.errors import UsageError
from fairseq_genext.evaluation import attention_maps, checkpoints

COMMON = (
    "mt", "--task", "translation", "--optimizer", "fused_adamw", "--clip-value", 1.0,
    "--batch-size", 32,
)  # fmt: skip
ARCHITECTURES = {
    "lstm_seq2seq_doc": (
        "--arch", "lstm_seq2seq_doc_tiny", "--encoder-hidden-dim", 32, "--decoder-hidden-dim", 64,
        "--criterion", "sequence_mean_cross_entropy", "--lr", 0.02, "--max-update", 250,
    ),
    "dbam": (
        "--arch", "dbam_tiny", "--encoder-embed-dim", 32, "--decoder-embed-dim", 32,
        "--criterion", "dbam", "--label-smoothing", 0.1, "--arlm-loss-weight", 0.1,
        "--draft-loss-weight", 0.1, "--lr", 0.01, "--max-update", 150,
    ),
}  # fmt: skip


@pytest.fixture(scope="module", params=ARCHITECTURES)
def trained(request, corpus):
    """Folder with a model of each architecture, and what names it in a command."""
    name = request.param
    logged = run(
        "fairseq-train", *COMMON, *ARCHITECTURES[name], "--save-dir", name, "--log-format", "json",
        folder=corpus,
    )  # fmt: skip
    return corpus, ("mt", "--task", "translation", "--path", f"{name}/checkpoint_last.pt"), logged


@pytest.mark.parametrize("beam", [1, 4])
def test_translates_every_line(trained, beam):
    """The whole test set, whose size is no multiple of 8, in one command."""
    folder, model, _ = trained
    result = run("fairseq-generate", *model, "--beam", beam, "--batch-size", 8, folder=folder)
    hypotheses, targets = result.lines("H"), result.lines("T")
    assert sorted(hypotheses) == sorted(targets) == list(range(SIZES["test"]))
    right = sum(hypotheses[number][1] == target for number, (target,) in targets.items())
    assert right > 0.8 * SIZES["test"]


def test_batching_does_not_change_translations(trained):
    """Padding and company of a sentence leave its translation and score alone."""
    folder, model, _ = trained
    together, alone = (
        run(
            "fairseq-generate", *model, "--beam", 3, "--batch-size", size, folder=folder
        ).lines("H")
        for size in (SIZES["test"], 1)
    )  # fmt: skip
    assert together.keys() == alone.keys()
    for number, (score, text) in together.items():
        assert alone[number][1] == text
        assert float(alone[number][0]) == pytest.approx(float(score), abs=1e-4)


def test_interactive_agrees_with_generate(trained):
    folder, model, _ = trained
    lines = (folder / "test.en").read_text().splitlines()[:5]
    typed = run(
        "fairseq-interactive", *model, "--beam", 1, "--buffer-size", 5, "--batch-size", 5,
        folder=folder, stdin="\n".join(lines) + "\n",
    ).lines("H")  # fmt: skip
    generated = run("fairseq-generate", *model, "--beam", 1, folder=folder).lines("H")
    assert [typed[i][1] for i in range(5)] == [generated[i][1] for i in range(5)]


def test_odd_lines_are_translated_and_named(trained):
    """An empty one, one that is no UTF-8, and one that Python would cut at a carriage return."""
    folder, model, _ = trained
    (folder / "typed").write_bytes(b"\nthe king \xff saw them\nshe saw\rthe bread\n")
    result = run("fairseq-interactive", *model, "--input", "typed", folder=folder)
    assert sorted(result.lines("H")) == [0, 1, 2]
    said = result.stdout + result.stderr
    assert said.count("a source line is empty") == 1
    assert said.count("line 2 of the input is not UTF-8") == 1


def test_validate(trained):
    folder, model, _ = trained
    result = run("fairseq-validate", *model, "--batch-size", 8, folder=folder)
    assert "ppl" in result.stdout + result.stderr


def test_checkpoint_loads_in_weights_only_mode(trained):
    folder, (*_, path), _ = trained
    state = torch.load(folder / path, weights_only=True)
    assert state["cfg"]["model"]["_name"] in path.replace("/", "_tiny/")


@pytest.mark.parametrize(
    ("name", "cell"), [("lstm_seq2seq_doc", "gru"), ("lstm_seq2seq_doc", "rnn"), ("dbam", "lstm")]
)
def test_other_cells_train_and_translate(corpus, name, cell):
    run(
        "fairseq-train", *COMMON, *ARCHITECTURES[name], "--rnn-cell", cell, "--max-update", 2,
        "--save-dir", f"{name}-{cell}", folder=corpus,
    )  # fmt: skip
    result = run(
        "fairseq-generate", "mt", "--task", "translation",
        "--path", f"{name}-{cell}/checkpoint_last.pt", folder=corpus,
    )  # fmt: skip
    assert len(result.lines("H")) >= SIZES["test"]


@pytest.fixture(scope="module")
def dbam(corpus):
    """A dbam that keeps words in order, so that alignments have one right answer."""
    copies = corpus / "copies"
    copies.mkdir()
    for split in SIZES:
        for side in ("en", "up"):
            shutil.copy(corpus / f"{split}.en", copies / f"{split}.{side}")
    splits = [item for split in SIZES for item in (f"--{split}pref", split)]
    run("fairseq-preprocess", "-s", "en", "-t", "up", *splits, "--destdir", "mt", folder=copies)
    run("fairseq-train", *COMMON, *ARCHITECTURES["dbam"], "--save-dir", "dbam", folder=copies)
    return copies


def test_alignment_is_of_the_source_as_given(dbam):
    """Padded in a batch and alone alike; the words of a copy align with themselves."""
    flags = ("mt", "--task", "translation", "--path", "dbam/checkpoint_last.pt", "--beam", 2)

    def alignments(kind, size):
        result = run(
            "fairseq-generate", *flags, "--print-alignment", kind, "--batch-size", size,
            folder=dbam,
        )  # fmt: skip
        assert len(result.lines("A")) == SIZES["test"]
        return result, {number: fields[0].split() for number, fields in result.lines("A").items()}

    _, together = alignments("soft", SIZES["test"])
    _, alone = alignments("soft", 1)
    for number, rows in together.items():
        padded, single = (
            torch.tensor([[float(weight) for weight in row.split(",")] for row in weights])
            for weights in (rows, alone[number])
        )
        torch.testing.assert_close(padded, single, atol=1e-4, rtol=0)
        # One column for every source word and its end of sentence.
        torch.testing.assert_close(padded.sum(dim=1), torch.ones(len(rows)), atol=1e-4, rtol=0)

    result, pairs = alignments("hard", SIZES["test"])
    right = total = 0
    for number, found in pairs.items():
        source = result.lines("S")[number][0].split()
        hypothesis = result.lines("H")[number][1].split()
        for source_word, target_word in (map(int, pair.split("-")) for pair in found):
            right += source[source_word] == hypothesis[target_word]
            total += 1
    assert total > 5 * SIZES["test"] and right / total > 0.3  # a sixth would be chance


def test_attention_is_drawn(dbam):
    """The command of the README; its figures are those of the model's own forward pass."""
    sentences = ["the old priest took away all the land", "she saw them"]
    command = [
        sys.executable, "-m", "fairseq_genext.evaluation.attention_maps", "mt", *sentences,
        "--path", "dbam/checkpoint_last.pt", "--output", "maps/maps.png",
    ]  # fmt: skip
    done = subprocess.run(command, cwd=dbam, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.splitlines()[-1] == "wrote maps/maps.png"
    with Image.open(dbam / "maps" / "maps.png") as image:
        assert image.size[0] > 1000 and len(set(image.convert("L").resize((64, 64)).tobytes())) > 20

    model, task = checkpoints.load_model(
        str(dbam / "dbam/checkpoint_last.pt"), str(dbam / "mt"), only="dbam"
    )
    maps = attention_maps.read_maps(model, task, sentences[0])
    assert maps.source == [*sentences[0].split(), "</s>"] and maps.target[-1] == "</s>"
    for first, second in maps.attentions:
        middle = (len(maps.source) + 1) // 2
        assert (first[:, middle:] == 0).all() and (second[:, :middle] == 0).all()
        both = first.sum(dim=1) + second.sum(dim=1)
        torch.testing.assert_close(both, torch.ones(len(maps.target)))
    for scale, shift in maps.modulations:
        assert (scale > 0).all() and (shift > 0).all()


def test_attention_of_another_architecture(trained):
    folder, (*_, path), _ = trained
    if "lstm" in path:
        with pytest.raises(UsageError, match="holds a LSTMSeq2SeqDoc; only dbam will do"):
            checkpoints.load_model(str(folder / path), str(folder / "mt"), only="dbam")
