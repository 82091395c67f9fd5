"""genext-evaluate with language models that fairseq trained, and --scoring of fairseq-generate."""

import json
import math
import re
import subprocess
import sys

import pytest
from commands import run

from fairseq_genext.evaluation import __main__ as evaluation
from fairseq_genext.evaluation.metrics.ngram_bleu import bleu_scores, self_bleu_scores

TRAIN = (
    "--task", "unconditional_generation", "--arch", "gpt_doc_tiny", "--criterion",
    "cross_entropy", "--optimizer", "fused_adamw", "--lr", "0.01", "--batch-size", "32",
)  # fmt: skip
TASK = ("lm", "--task", "unconditional_generation", "--path", "scorer/checkpoint_last.pt")


@pytest.fixture(scope="module")
def scored(corpus):
    run(
        "fairseq-train", "lm", *TRAIN, "--max-update", 40, "--save-dir", "scorer", folder=corpus
    )  # fmt: skip
    return corpus


FLAGS = ("--references", "test.en", "--encoder", "none", "--json", "figures.json")


def figures_in(folder):
    return json.loads((folder / "figures.json").read_text())["figures"]


def test_lm_scores_are_those_of_fairseq_eval_lm(scored):
    checkpoint = "scorer/checkpoint_last.pt"
    command = [
        sys.executable, "-m", "fairseq_genext.evaluation", "valid.en", "--scorer", checkpoint,
        "--reverse-scorers", checkpoint, "--scorer-data", "lm", *FLAGS,
    ]  # fmt: skip
    subprocess.run(command, cwd=scored, capture_output=True, text=True, check=True)
    figures = figures_in(scored)["valid"]
    for split, name in (("valid", "lm_score"), ("test", "reverse_lm_score")):
        result = run("fairseq-eval-lm", *TASK, "--gen-subset", split, folder=scored)
        bits = float(re.findall(r"\(base 2\): ([\d.]+)", result.stdout + result.stderr)[-1])
        assert figures[name] == pytest.approx(bits * math.log(2), abs=1e-3)
        assert 0 < figures[f"{name}_ci"] < figures[name]


def test_a_language_model_prefers_its_language_to_shuffled_words(scored, monkeypatch):
    lines = (scored / "valid.en").read_text().splitlines()
    (scored / "turned.txt").write_text(
        "".join(" ".join(line.split()[::-1]) + "\n" for line in lines)
    )
    texts = (
        "valid.en",
        "turned.txt",
        "--scorer",
        "scorer/checkpoint_last.pt",
        "--scorer-data",
        "lm",
    )
    monkeypatch.chdir(scored)
    monkeypatch.setattr("sys.argv", ["genext-evaluate", *texts, *FLAGS])
    evaluation.main()
    figures = figures_in(scored)
    assert figures["turned"]["lm_score"] > figures["valid"]["lm_score"] + 1


@pytest.mark.parametrize("scoring", ["sample_bleu", "self_bleu"])
def test_free_samples_scored_by_fairseq_generate(scored, scoring):
    result = run(
        "fairseq-generate", *TASK, "--gen-subset", "test", "--sampling", "--beam", 1, "--seed", 1,
        "--max-len-b", 20, "--scoring", scoring, "--scoring-order", 3, folder=scored,
    )  # fmt: skip
    made = [fields[1].split() for fields in result.lines("H").values()]
    targets = [fields[0].split() for fields in result.lines("T").values()]
    if scoring == "sample_bleu":
        scores, name = bleu_scores(made, targets, 3), "BLEU"
    else:
        scores, name = self_bleu_scores(made, 3), "Self-BLEU"
    mean = sum(values[2] for values in scores) / len(scores)
    assert f" {name}-3 = {mean:.4f}" in result.stdout.splitlines()[-1]


def test_signatures_from_fairseq_generate(scored):
    result = run(
        "fairseq-generate", *TASK, "--gen-subset", "test", "--prefix-size", 2, "--beam", 2,
        "--scoring", "bleu_chrf", "--tokenize", "char", folder=scored,
    )  # fmt: skip
    assert re.search(
        r": BLEU = [\d.]+ \(nrefs:1\|.*tok:char\|.*\), chrF = [\d.]+ \(nrefs:1\|", result.stdout
    )
