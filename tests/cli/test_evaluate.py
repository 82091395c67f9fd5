"""genext-evaluate with language models that fairseq trained, and --scoring of fairseq-generate."""

import json
import math
import re
import subprocess
import sys

import pytest
from architectures import ARCHITECTURES, FAIRSEQ_LM
from commands import run
from fairseq import utils
from fairseq_cli.eval_lm import eval_lm

from fairseq_genext.errors import UsageError
from fairseq_genext.evaluation import __main__ as evaluation
from fairseq_genext.evaluation import score_text
from fairseq_genext.evaluation.checkpoints import load_model
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
    printed = r": BLEU = [\d.]+ \(nrefs:1\|.*tok:char\|.*\), chrF = [\d.]+ \(nrefs:1\|"
    assert re.search(printed, result.stdout)


def score(monkeypatch, capsys, folder, *argv):
    """What the command prints, in this process."""
    monkeypatch.chdir(folder)
    monkeypatch.setattr("sys.argv", ["score_text", *map(str, argv)])
    score_text.main()
    return capsys.readouterr().out


@pytest.mark.parametrize("model", ["scorer", "fairseq", "gan"])
def test_raw_text_scores_as_fairseq_eval_lm_says(scored, monkeypatch, capsys, model):
    """One of fairseq's own, whose sentences begin with a token that does not count, and a GAN."""
    flags = {
        "fairseq": ("lm", *FAIRSEQ_LM, "--add-bos-token"),
        "gan": (*ARCHITECTURES["gan"], "--max-update", 1, "--batch-size", 32),
    }
    if model in flags:
        run("fairseq-train", *flags[model], "--save-dir", model, folder=scored)
    path = f"{model}/checkpoint_last.pt"
    printed = score(
        monkeypatch, capsys, scored, "test.en", "--checkpoint", path, "--format", "json"
    )
    *rows, total = map(json.loads, printed.splitlines())
    network, task = load_model(path, "lm")
    task.load_dataset("test")
    utils.set_torch_seed(1)
    expected = eval_lm(
        [network], task.dictionary, task.eval_lm_dataloader(task.dataset("test")),
        remove_bos_token=task.args.add_bos_token,
    )  # fmt: skip
    noise = 0.05 if model == "gan" else 1e-5  # another draw of it
    assert math.log(total["perplexity"]) == pytest.approx(
        float(expected["loss"]) * math.log(2), rel=noise
    )
    assert len(rows) == 21 and total["line"] == "total" and total["unknown"] == 0
    for key in ("log_probability", "tokens"):
        assert sum(row[key] for row in rows) == pytest.approx(total[key])


def test_bits_of_raw_text_by_hand(scored, monkeypatch, capsys):
    flags = ("--checkpoint", "scorer/checkpoint_last.pt", "--data", "lm", "--output", "scores.tsv")
    (scored / "raw.txt").write_text("the king saw them\n\nthe\tkönig\u3000saw\n")
    with open(scored / "raw.txt") as typed:
        monkeypatch.setattr("sys.stdin", typed)
        assert score(monkeypatch, capsys, scored, "-", *flags) == ""
    head, *lines = (scored / "scores.tsv").read_text().splitlines()
    rows = [dict(zip(head.split("\t"), line.split("\t"), strict=True)) for line in lines]
    assert [row["line"] for row in rows] == ["1", "2", "3", "total"]
    assert [row["tokens"] for row in rows] == ["5", "1", "4", "10"]
    assert [row["unknown"] for row in rows] == ["0", "0", "1", "1"]
    for row, characters, size in zip(rows, (18, 1, 14, 33), (18, 1, 15, 34), strict=True):
        bits = -float(row["log_probability"]) / math.log(2)
        assert float(row["bits_per_character"]) == pytest.approx(bits / characters)
        assert float(row["bits_per_byte"]) == pytest.approx(bits / size)
        perplexity = 2 ** (bits / int(row["tokens"]))
        assert float(row["perplexity"]) == pytest.approx(perplexity)


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (("nowhere.en", "--checkpoint", "scorer/checkpoint_last.pt"), "nowhere.en does not exist"),
        (("test.en", "--checkpoint", "nowhere.pt"), "nowhere.pt does not exist"),
        (("test.en", "--checkpoint", "test.en"), "test.en is no checkpoint"),
        (("test.en", "--checkpoint", "scorer/checkpoint_last.pt", "--data", "no"), "no/dict.txt"),
        (("long.en", "--checkpoint", "scorer/checkpoint_last.pt"), "at most 64 tokens, and a"),
    ],
)
def test_raw_text_that_cannot_be_scored(scored, monkeypatch, capsys, flags, says):
    (scored / "long.en").write_text("the king\n" + "the " * 64 + "\n")
    with pytest.raises(UsageError, match=says) as error:
        score(monkeypatch, capsys, scored, *flags)
    assert "\n" not in str(error.value)
