"""A model may rewrite text, and then both sides of every comparison are rewritten alike."""

import argparse
import json

import pytest
from fairseq.data import encoders
from fairseq.tokenizer import tokenize_line

from fairseq_genext.data import pieces
from fairseq_genext.evaluation import __main__ as evaluate
from fairseq_genext.evaluation import translation
from fairseq_genext.files import read_lines, write_lines

# Ligatures, full width, fractions, signs put together, a letter's long s; blanks of several kinds.
TEXT = [
    "the ﬁne ﬂour of the land", "ＡＢＣ and ½ of it  twice", "cafe\u0301 or café №５",
    "ſo ſaith the king …", "one\ttwo\u00a0three\u3000four five", "日本語の文です。 全角　空白",
]  # fmt: skip


def copy(folder, normalization: str) -> list[str]:
    """What a system says that copies perfectly: cut, read by fairseq, and joined by it."""
    write_lines(folder / "text", TEXT * 5)
    pieces.train(str(folder / "m"), [str(folder / "text")], 50, normalization)
    pieces.encode(f"{folder}/m.model", str(folder / "text"), str(folder / "cut"))
    bpe = encoders.build_bpe(
        argparse.Namespace(
            bpe="sentencepiece",
            sentencepiece_model=f"{folder}/m.model",
            sentencepiece_enable_sampling=False,
            sentencepiece_alpha=None,
        )
    )
    lines = [bpe.decode(" ".join(tokenize_line(line))) for line in read_lines(folder / "cut")]
    write_lines(folder / "copied", lines)
    return lines


def test_text_comes_back_as_it_was(tmp_path):
    expected = [line.translate(dict.fromkeys(map(ord, "\t\u00a0\u3000"), " ")) for line in TEXT]
    assert copy(tmp_path, "identity") == expected * 5


@pytest.mark.parametrize("normalization", pieces.NORMALIZATIONS)
def test_a_copy_counts_as_one(tmp_path, monkeypatch, capsys, normalization):
    text, copied = str(tmp_path / "text"), str(tmp_path / "copied")
    changed = copy(tmp_path, normalization)
    assert ("the fine flour of the land" in changed) == (normalization != "identity")
    model = f"{tmp_path}/m.model"
    flags = ["--hypotheses", copied, "--references", text, "--source", text]
    monkeypatch.setattr("sys.argv", ["translation", *flags, "--sentencepiece-model", model])
    translation.main()
    figures = json.loads(capsys.readouterr().out)
    assert figures["bleu"] == figures["copy_of_source"]["bleu"] == pytest.approx(100)
    flags = [copied, "--references", text, "--train", text, "--encoder", "none"]
    output = str(tmp_path / "figures.json")
    monkeypatch.setattr("sys.argv", ["evaluate", *flags, "--pieces", model, "--json", output])
    evaluate.main()
    figures = json.loads((tmp_path / "figures.json").read_text())["figures"]["copied"]
    assert figures["copied"] == 1 and figures["bleu_3"] == pytest.approx(1)
    assert figures["unigram_divergence"] == 0
