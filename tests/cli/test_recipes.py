"""The shipped experiments from nothing to the report, with a handful of updates."""

import gzip
import json
import math
import re
from itertools import islice

import numpy as np
import pytest
import yaml
from commands import RECIPES, run_recipe
from conftest import SIZES

from fairseq_genext.data import questions
from fairseq_genext.data.digits import write
from fairseq_genext.data.images import Images


def report_of(name, folder, *argv):
    """The JSON and the Markdown of a recipe's report, and what the recipe printed."""
    done = run_recipe(name, *argv, "--output", folder / "out", cwd=folder)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    figures, page = (folder / f"out/report/report.{ending}" for ending in ("json", "md"))
    return json.loads(figures.read_text()), page.read_text(), done.stdout


def trained(folder, run):
    return json.loads((folder / f"out/trained/{run}.json").read_text())


def measured(folder, run):
    return json.loads((folder / f"out/measured/{run}.json").read_text())["points"]


def test_quickstart(tmp_path):
    argv = ("--budget", 1, "--samples", 30, "--verses", 15000)
    figures, page, printed = report_of("quickstart.sh", tmp_path, *argv)
    perplexity = {
        name: measured(tmp_path, f"{name}.1")[0]["perplexity"]
        for name in ("gpt_doc", "gpt_doc_untrained", "rnn_lm", "gan_doc", "unigram")
    }
    # Five updates are enough to leave the untrained model behind, not to beat word frequencies.
    assert perplexity["gpt_doc"] < 0.7 * perplexity["gpt_doc_untrained"]
    assert 150 < perplexity["unigram"] < 300
    assert trained(tmp_path, "gpt_doc.1")["updates"] == 5
    assert trained(tmp_path, "gan_doc.1")["updates"] == 3
    assert len(page.split("## ")) > 4 and "gpt_doc, untrained" in page and "dbam" in page
    assert set(figures) >= {"quality", "translation", "samples", "costs"}
    # The first samples are shown as soon as there are some.
    assert re.search(r"^   gpt_doc\.1: .", printed, re.MULTILINE)
    assert printed.splitlines()[-1].startswith("report: ")


@pytest.fixture
def pairs(corpus, tmp_path):
    """Multi30k's layout, some of it packed."""
    folder = tmp_path / "pairs of text"
    folder.mkdir()
    for split, name in (("train", "train"), ("valid", "val"), ("test", "test_2016_flickr")):
        (folder / f"{name}.en").write_text((corpus / f"{split}.en").read_text())
        with gzip.open(folder / f"{name}.up.gz", "wt") as file:
            file.write((corpus / f"{split}.up").read_text())
    return folder


def test_translation(pairs, tmp_path):
    argv = (
        pairs, "--source", "en", "--target", "up", "--vocabulary", 60, "--budget", 3,
        "--seeds", "5", "--systems", "lstm dbam",
    )  # fmt: skip
    _, page, _ = report_of("translation.sh", tmp_path, *argv)
    for name in ("lstm", "dbam"):
        assert trained(tmp_path, f"{name}.5")["updates"] == 3
        points = measured(tmp_path, f"{name}.5")
        assert [point["decoding"] for point in points] == ["greedy", "beam 5"]
        for point in points:
            lines = (tmp_path / "out" / point["translations"]).read_text().splitlines()
            assert len(lines) == SIZES["test"] and point["sentences_per_second"] > 0
    assert "tok:13a" in page and "'lstm dbam'" in page


@pytest.mark.full
def test_conditional_gan(pairs, tmp_path):
    """Before, after, and the control, each against the before of its own generator."""
    argv = (
        pairs, "--source", "en", "--target", "up", "--vocabulary", 60, "--likelihood-updates", 3,
        "--gan-updates", 2, "--generators", "dbam",
    )  # fmt: skip
    _, page, _ = report_of("conditional_gan.sh", tmp_path, *argv)
    figures = {
        name: trained(tmp_path, f"{name}.1")
        for name in ("dbam_likelihood", "dbam_gan", "dbam_constant")
    }
    assert [row["updates"] for row in figures.values()] == [3, 4, 4]
    assert figures["dbam_gan"]["parameters"] > figures["dbam_likelihood"]["parameters"]
    own = {row["generator_parameters"] for row in figures.values()}
    assert own == {figures["dbam_likelihood"]["parameters"]}
    assert "tok:13a" in page and "the control" in page


@pytest.mark.parametrize(
    "systems",
    [
        ("gpt_doc",),
        pytest.param(("gpt_doc_pretrained", "lstm_seq2seq_doc", "dbam"), marks=pytest.mark.full),
    ],
)
def test_question_answering(tmp_path, systems):
    """A folder of one's own; what goes on from text spends half of the operations on it."""
    asked = list(islice(questions.generate(2, list(questions.TASKS)), 60))
    sizes = {"train": 40, "valid": 8, "test": 12}
    questions.write_questions(tmp_path / "mine", iter(asked), sizes)
    argv = ("mine", "--budget", 2, "--vocabulary", 60, "--seeds", 4, "--systems", " ".join(systems))
    figures, page, _ = report_of("question_answering.sh", tmp_path, *argv)
    assert figures["question_answering"]["most_frequent_answer"]["questions"] == 12
    for name in ("pretrained", *systems) if "gpt_doc_pretrained" in systems else systems:
        operations = 1e9 if "pretrained" in name else 2e9
        flops = json.loads((tmp_path / f"out/flops/{name}.json").read_text())["likelihood"]
        assert trained(tmp_path, f"{name}.4")["updates"] == max(2, operations // flops)
        (point,) = measured(tmp_path, f"{name}.4")
        answers = (tmp_path / "out" / point["answers"]).read_text().splitlines()
        right = [answer == one.answer for answer, one in zip(answers, asked[48:], strict=True)]
        assert point["exact_match"] == pytest.approx(sum(right) / 12)
        assert set(point["by_task"]) == set(questions.TASKS)
        assert figures["systems"][name]["label"] in page
    assert "to combine" in page and (tmp_path / "out/report/facts.png").exists()


@pytest.fixture
def texts(corpus, tmp_path):
    """A folder of sentences."""
    folder = tmp_path / "texts"
    folder.mkdir()
    for split in ("train", "test"):
        (folder / f"{split}.txt").write_text((corpus / f"{split}.en").read_text())
    return folder


@pytest.mark.parametrize(
    "systems",
    [
        ("residual_16", "strict_8"),
        pytest.param(("gan_textgail", "ddo"), marks=pytest.mark.full),
    ],
)
def test_past_the_curve(texts, tmp_path, systems):
    argv = (
        texts, "--budget", 1, "--samples", 20, "--vocabulary", 36, "--layers", 1, "--width", 16,
        "--seeds", 4, "--systems", " ".join(systems),
    )  # fmt: skip
    figures, page, _ = report_of("past_the_curve.sh", tmp_path, *argv)
    for name in systems:
        points = measured(tmp_path, f"{name}.4")
        assert len(points) == {"residual_16": 1, "strict_8": 3}.get(name, 6)  # temperatures
        assert all({"lm_score", "reverse_lm_score"} <= point.keys() for point in points)
        assert {row["system"] for row in figures["gains"]["systems"]} >= {name}
    if "strict_8" in systems:
        figures = figures["residual"]["gan_residual"]
        low, middle, high = (
            figures[f"residual_nll{which}"]["mean"] for which in ("_low", "", "_high")
        )
        assert low <= middle <= high
        assert figures["generator_nll"]["mean"] == pytest.approx(
            math.log(measured(tmp_path, "gan_residual.4")[0]["perplexity"]), abs=1e-4
        )
        assert (tmp_path / "out/report/reliability.png").exists() and "calibrated" in page
        texts = {
            (tmp_path / f"out/samples/{name}.4/t1.00.txt").read_text()
            for name in ("gan_residual", *systems)
        }
        assert len(texts) == 3


def test_samples_made_elsewhere(texts, tmp_path):
    """Both are real text, repeated more or less, so that the curve has every Self-BLEU."""
    lines = (texts / "train.txt").read_text().splitlines()[:40]
    for name, temperatures in (
        ("likelihood", {"0.50": lines[:5] * 8, "1.00": lines}),
        ("gan", {"0.50": lines[:10] * 4, "1.00": lines[:20] * 2}),
    ):
        (tmp_path / name).mkdir()
        for temperature, texts_of in temperatures.items():
            (tmp_path / name / f"t{temperature}.txt").write_text("\n".join(texts_of) + "\n")
    argv = (
        texts, "--samples", 40, "--vocabulary", 36,
        "--systems", "gan_elsewhere likelihood_elsewhere",
        "--other-gan", tmp_path / "gan", "--other-likelihood", tmp_path / "likelihood",
    )  # fmt: skip
    figures, page, _ = report_of("past_the_curve.sh", tmp_path, *argv)
    (row,) = figures["curves"]["gaps"]
    assert row["system"] == "gan_elsewhere" and row["curve"] == "likelihood_elsewhere"
    (low, high), points = (
        measured(tmp_path, f"{name}_elsewhere.1") for name in ("likelihood", "gan")
    )
    slope = (high["bleu_3"] - low["bleu_3"]) / (high["self_bleu_3"] - low["self_bleu_3"])
    gaps = [
        point["bleu_3"] - high["bleu_3"] - slope * (point["self_bleu_3"] - high["self_bleu_3"])
        for point in points
    ]
    assert row["gap"] == pytest.approx([gaps[1]]) and row["mean_gap"] == pytest.approx(
        [sum(gaps) / 2]
    )
    assert "GAN, made elsewhere" in page


def test_shakespeare(tmp_path):
    """A text whose last tenth is held out, character by character."""
    (tmp_path / "input.txt").write_text("to be or not to be\nthat is the question\n" * 50)
    argv = (tmp_path, "--updates", 8, "--systems", "gpt_doc modern_muon")
    figures, page, _ = report_of("shakespeare.sh", tmp_path, *argv)
    assert trained(tmp_path, "gpt_doc.1")["updates"] == 8
    assert trained(tmp_path, "modern_muon.1")["updates"] == 4
    for system in figures["likelihood"]["systems"].values():
        # Each character, and each end of a line, is a byte.
        nats, bits = (system[key]["mean"] for key in ("held_out_loss", "bits_per_byte"))
        assert nats / math.log(2) == pytest.approx(bits, abs=2e-3)
    held_out = (tmp_path / "out/data/text/valid.pieces").read_text().splitlines()
    assert held_out[-1] == " ".join("that▁is▁the▁question")
    characters = 50 * (19 + 21)
    assert sum(len(line.split()) + 1 for line in held_out) == characters - int(0.9 * characters)
    assert "Muon" not in page.split("| gpt_doc ")[1].split("\n")[0] and "all of it" in page


def test_oracle_gan(tmp_path):
    argv = ("--budget", "tiny", "--length", 5, "--seeds", "4", "--samples", 50)
    systems = ("gan_seqgan", "gan_seqgan_constant")
    _, page, _ = report_of("oracle_gan.sh", tmp_path, *argv, "--systems", " ".join(systems))
    for name in ("mle", "mle_tuned"):
        assert len(measured(tmp_path, f"{name}.4")) == 8
    for name, updates in zip(systems, (6, 4), strict=True):
        # Two rounds of one update a player after two of the discriminator alone, or none.
        figures = trained(tmp_path, f"{name}.4")
        assert figures["updates"] == updates and 0 < figures["checkpoint_updates"] <= updates
        (point,) = measured(tmp_path, f"{name}.4")
        # Thirty words: a generator that knows nothing has log 30 = 3.4.
        assert 2 < point["oracle_nll"] < 5 and 2 < point["test_nll"] < 5
    assert "NLL_oracle" in page


def test_image_gan(tmp_path):
    draw = np.random.default_rng(1)
    images = Images(
        draw.integers(0, 256, (90, 4, 5), np.uint8), np.arange(90) % 2, "noise of two classes"
    )
    write(tmp_path / "images", {"train": images, "valid": images})
    argv = ("images", "--updates", 8, "--samples", 30)
    _, page, _ = report_of("image_gan.sh", tmp_path, *argv)
    points = measured(tmp_path, "gan_image_doc.1")
    # Four updates an epoch: fairseq leaves out the checkpoint that falls on its end.
    assert [point["updates"] for point in points] == [2, 6, 8]
    assert all(point["number"] == 30 and len(point["shares"]) == 2 for point in points)
    assert [point["updates"] for point in measured(tmp_path, "rsgan_r1_r2.1")] == [2, 6, 8]
    assert "Fréchet distance" in page and "noise of two classes" in page
    assert re.search(r"rsgan \+ R1 \+ R2 +\| 1 +\| 8 ", page)
    html = (tmp_path / "out/report/report.html").read_text()
    assert html.count("data:image/png") >= len(points) + 1


FEW = {"training": (0, 3, 4), "sampling": (0,)}


@pytest.mark.parametrize(
    "chosen",
    [FEW, pytest.param(FEW | {"sampling": (0, 1), "gan": (0,)}, marks=pytest.mark.full)],
    ids=["few", "more"],
)
def test_bench(tmp_path, chosen):
    """Sides of several kinds on models of a few numbers."""
    entries = yaml.safe_load((RECIPES / "experiments" / "bench.yaml").read_text())
    groups = entries["groups"] = {name: entries["groups"][name] for name in chosen}
    turns = {"discriminator": 2, "generator": 1}
    small = {"layers": 1, "width": 16, "heads": 2, "length": 8, "batch": 2, "new": 4, **turns}
    for name, sides in chosen.items():
        every = list(groups[name]["sides"].items())
        groups[name]["sides"] = dict(every[number] for number in sides)
        groups[name]["shapes"] = {"small": small}
        groups[name]["data"] |= {"words": 30, "lines": 40}
    if "gan" in groups:
        groups["gan"]["sides"]["gan_doc"] |= {"work": turns}
    (tmp_path / "small.yaml").write_text(yaml.safe_dump(entries, sort_keys=False))
    argv = ("small.yaml", "--rounds", 2, "--seconds", 0.01)
    figures, page, _ = report_of("bench.sh", tmp_path, *argv)
    measured = {
        (record["group"], record["side"]): record
        for record in figures["speed"]["records"]
        if "rounds" in record
    }
    sides = [side for group, side in measured if group == "training"]
    assert sides == ["gpt_doc", "fairseq's transformer_lm_gpt", "matrix product, float32"]
    assert "nanoGPT: left out: give --nanogpt FOLDER" in page
    for (group, side), record in measured.items():
        work = record["work"]
        assert set(work) == (set(turns) if group == "gan" else {"update"})
        assert len(record["rounds"]) == 2
        for cost in record["rounds"]:
            for kind, updates in work.items():
                assert cost[kind]["processor"] > 0 and cost[kind]["peak_mib"] > 100
                if group == "training" and side in sides[:2]:
                    assert cost[kind]["units"] == pytest.approx(updates * 2 * 8, abs=8)
                if group == "sampling":
                    assert cost[kind]["units"] == 2 * 4
    for side in sides[:2]:
        done = measured["training", side]["parts"]["update"]
        assert set(done["parts"]) >= {"data", "forward", "backward", "optimizer", "logging"}
        assert sum(done["parts"].values()) < done["processor"]
    assert 0 < figures["speed"]["groups"]["training"]["rows"][0]["utilisation"] < 1
