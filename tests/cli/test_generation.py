"""The commands of a comparison that sample, translate and measure, against fairseq's own."""

import json
import math
import re

import pytest
from commands import run

from fairseq_genext.evaluation import answer, measure, sample, translate, unigram
from fairseq_genext.evaluation.hypotheses import hypotheses

NUMBER = 30
SEQ2SEQ = (
    "mt", "--task", "translation", "--arch", "lstm_seq2seq_doc_tiny", "--criterion",
    "cross_entropy", "--optimizer", "fused_adamw", "--lr", "0.01", "--batch-size", 32,
    "--max-update", 20, "--save-dir", "seq2seq",
)  # fmt: skip
GPT = (
    "lm", "--task", "unconditional_generation", "--arch", "gpt_doc_tiny", "--criterion",
    "cross_entropy", "--optimizer", "fused_adamw", "--lr", "0.01", "--batch-size", 32,
    "--max-update", 30, "--save-dir", "lm-gpt",
)  # fmt: skip


def call(command, folder, monkeypatch, *argv):
    """A command of the package, in this process."""
    monkeypatch.chdir(folder)
    monkeypatch.setattr("sys.argv", ["command", *map(str, argv)])
    command.main()


@pytest.mark.parametrize("flags", ["--beam 1", "--beam 5 --max-len-a 1.5 --max-len-b 3"])
def test_translations_are_those_of_the_command(corpus, monkeypatch, flags):
    if not (corpus / "seq2seq").exists():
        run("fairseq-train", *SEQ2SEQ, folder=corpus)
    call(
        translate, corpus, monkeypatch, "mt", "--checkpoint", "seq2seq/checkpoint_last.pt",
        "--decoding", f"some way={flags}", "--output", "translated", "--json", "translated.json",
    )  # fmt: skip
    (point,) = json.loads((corpus / "translated.json").read_text())["points"]
    assert point["decoding"] == "some way" and point["sentences_per_second"] > 0
    result = run(
        "fairseq-generate", "mt", "--task", "translation", "--path", "seq2seq/checkpoint_last.pt",
        *flags.split(), folder=corpus,
    )  # fmt: skip
    expected = hypotheses(result.stdout.split("\n"))
    assert (corpus / point["translations"]).read_text().splitlines() == expected


def test_answers_are_translations_of_questions(corpus, monkeypatch):
    """Scored against the answers of the TSV: here every second one is what the model says."""
    if not (corpus / "seq2seq").exists():
        run("fairseq-train", *SEQ2SEQ, folder=corpus)
    command = (
        "mt", "--checkpoint", "seq2seq/checkpoint_last.pt", "--form", "pairs", "--questions",
        "asked.tsv", "--output", "answers.txt", "--json", "answers.json", "--max-length", 9,
    )  # fmt: skip
    said = ["?"] * 21
    for expected in (0.0, 11 / 21):
        rows = [f"\ta question\t{text if n % 2 == 0 else '?'}" for n, text in enumerate(said)]
        (corpus / "asked.tsv").write_text("\n".join(rows) + "\n")
        call(answer, corpus, monkeypatch, *command)
        said = (corpus / "answers.txt").read_text().splitlines()
        (point,) = json.loads((corpus / "answers.json").read_text())["points"]
        assert point["exact_match"] == pytest.approx(expected) and point["questions"] == 21


@pytest.fixture(scope="module")
def trained(corpus):
    run("fairseq-train", *GPT, folder=corpus)
    return corpus


def test_samples_perplexity_and_figures_of_a_checkpoint(trained, monkeypatch):
    checkpoint = ("--checkpoint", "lm-gpt/checkpoint_last.pt")
    settings = ("--num-samples", NUMBER, "--max-length", 20, "--seed", 2)
    for name, flags in (("gpt", ()), ("fresh", ("--untrained",))):
        call(
            sample, trained, monkeypatch, "lm", *checkpoint, *settings, *flags,
            "--temperatures", 0.7, 1.0, "--output", name,
        )  # fmt: skip
    cold, plain = json.loads((trained / "gpt.json").read_text())["points"]
    assert (cold["temperature"], plain["temperature"]) == (0.7, 1.0)
    assert len((trained / cold["samples"]).read_text().splitlines()) == NUMBER
    result = run(
        "fairseq-eval-lm", "lm", "--task", "unconditional_generation", "--path", checkpoint[1],
        "--gen-subset", "test", folder=trained,
    )  # fmt: skip
    told = float(re.search(r"Perplexity: ([\d.]+)", result.stdout + result.stderr)[1])
    assert plain["perplexity"] == pytest.approx(told, abs=0.006) and "perplexity" not in cold
    _, fresh = json.loads((trained / "fresh.json").read_text())["points"]
    assert fresh["perplexity"] > 2 * plain["perplexity"]
    call(
        measure, trained, monkeypatch, "gpt.json", "--references", "test.en", "--train",
        "train.en", "--output", "measured.json",
    )  # fmt: skip
    measured = json.loads((trained / "measured.json").read_text())
    assert measured["settings"]["num_references"] == 21
    cold, plain = measured["points"]
    assert cold["self_bleu_3"] > plain["self_bleu_3"]  # colder is less varied
    assert plain["perplexity"] == pytest.approx(told, abs=0.006)
    # As a language-model score in nats, of a text in place of the samples.
    scorer = ("--scorer", checkpoint[1], "--scorer-data", "lm", "--scored", "test.en")
    call(
        measure, trained, monkeypatch, "gpt.json", "--references", "test.en", *scorer,
        "--output", "scored.json",
    )  # fmt: skip
    _, plain = json.loads((trained / "scored.json").read_text())["points"]
    assert math.exp(plain["lm_score"]) == pytest.approx(told, rel=0.002)


def test_unigram_writes_points_like_a_checkpoint(trained, monkeypatch, capsys):
    call(
        unigram, trained, monkeypatch, "train.en", "test.en", "--number", 9, "--samples",
        "unigram.txt", "--json", "unigram.json",
    )  # fmt: skip
    (point,) = json.loads((trained / "unigram.json").read_text())["points"]
    assert point["perplexity"] == json.loads(capsys.readouterr().out)["perplexity"]
    assert len((trained / point["samples"]).read_text().splitlines()) == 9
