"""genext-sweep over checkpoints that fairseq trained, and the report made from it."""

import json
import subprocess
import sys

import experiments
import pytest
from commands import run
from PIL import Image

from fairseq_genext.errors import UsageError
from fairseq_genext.evaluation import report
from fairseq_genext.evaluation import sweep as command
from fairseq_genext.evaluation.hypotheses import hypotheses
from fairseq_genext.evaluation.metrics.samples import measure
from fairseq_genext.files import read_tokens

NUMBER = 70  # no multiple of the batch
SAMPLED = ("--num-samples", NUMBER, "--batch-size", 32, "--seed", 3)
LOG = ("--log-format", "json", "--log-interval", 2)
COMMON = ("--batch-size", 32, *LOG)
GPT = (
    "lm", "--task", "unconditional_generation", "--arch", "gpt_doc_tiny", "--criterion",
    "cross_entropy", "--optimizer", "fused_adamw", "--lr", "0.01", "--max-update", 60, *COMMON,
)  # fmt: skip
GAN = (
    "lm", "--task", "gan", "--arch", "gan_doc_tiny", "--criterion", "adversarial", "--optimizer",
    "two_player_adamw", "--lr", "0.01", "--discriminator-lr", "0.005",
    "--generator-pretrain-updates", 30, "--discriminator-pretrain-updates", 4, "--max-update", 40,
    "--max-sample-length", 12, "--valid-samples", 20, *COMMON,
)  # fmt: skip


def sweep(folder, monkeypatch, *argv):
    """The command again, in this process."""
    monkeypatch.chdir(folder)
    monkeypatch.setattr("sys.argv", ["genext-sweep", *map(str, argv)])
    command.main()


FLAGS = (
    "lm", "--checkpoints", "gpt=gpt/checkpoint_last.pt", "gan=gan/checkpoint_last.pt",
    "--references", "test.en", "--train", "train.en", "--held-out", "valid.en", "--output", "swept",
    "--temperatures", 0.3, 1, "--top-p", 0.5, "--max-length", 20, *SAMPLED,
)  # fmt: skip


@pytest.fixture(scope="module")
def swept(corpus):
    run("fairseq-train", *GPT, "--save-dir", "gpt", "--log-file", "gpt.log", folder=corpus)
    run("fairseq-train", *GAN, "--save-dir", "gan", "--log-file", "gan.log", folder=corpus)
    module = [sys.executable, "-m", "fairseq_genext.evaluation.sweep"]
    done = subprocess.run([*module, *map(str, FLAGS)], cwd=corpus, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    return corpus, done


def systems(folder):
    return json.loads((folder / "swept/sweep.json").read_text())["systems"]


@pytest.mark.parametrize(
    ("name", "point", "flags"),
    [
        ("gpt", "t1.00", ()),
        ("gan", "t0.30", ("--temperature", 0.3)),
        ("gpt", "p0.50", ("--sampling-topp", 0.5)),
    ],
)
def test_samples_are_those_of_the_command(swept, name, point, flags):
    folder, _ = swept
    result = run(
        "fairseq-generate", "lm", "--task", "unconditional_generation",
        "--path", f"{name}/checkpoint_last.pt", "--sampling", "--beam", 1, "--max-len-b", 20,
        *SAMPLED, *flags, folder=folder,
    )  # fmt: skip
    expected = hypotheses(result.stdout.split("\n"), NUMBER)
    assert (folder / f"swept/{name}/{point}.txt").read_text().split("\n")[:-1] == expected


def test_figures_are_those_of_the_samples(swept):
    folder, done = swept
    references, train = read_tokens(folder / "test.en"), read_tokens(folder / "train.en")
    for name, points in systems(folder).items():
        assert [(p["temperature"], p["top_p"]) for p in points] == [(0.3, 1), (1, 1), (1, 0.5)]
        for point in points:
            samples = read_tokens(folder / "swept" / point["samples"])
            expected = measure(samples, references, train)
            assert len(samples) == NUMBER
            assert {key: point[key] for key in expected} == pytest.approx(expected)
            assert point["frechet"] >= 0 and point["tokens_per_second"] > 0
            assert f"{point['bleu_3']:.3f}" in done.stdout and name in done.stdout
    held_out = json.loads((folder / "swept/sweep.json").read_text())["held_out"]
    assert held_out["num_samples"] == 37
    assert "held-out text (37 lines)" in done.stdout and "valid.en has 37 lines" in done.stderr
    for order in (3, 4):
        with Image.open(folder / f"swept/quality_diversity_{order}.png") as image:
            assert len(set(image.convert("L").resize((64, 64)).tobytes())) > 5


def test_a_colder_model_repeats_itself(swept):
    folder, _ = swept
    cold, plain, cut = systems(folder)["gpt"]
    for lower in (cold, cut):
        assert lower["self_bleu_3"] > plain["self_bleu_3"] + 0.02
        assert lower["distinct_2"] < plain["distinct_2"]
        assert lower["bleu_3"] > plain["bleu_3"]


def test_samples_once_and_again_where_settings_or_checkpoint_changed(swept, monkeypatch):
    folder, _ = swept
    texts = sorted((folder / "swept").glob("*/*.txt"))
    (folder / "swept/gan/t1.00.txt").unlink()
    before = {path: path.stat().st_mtime_ns for path in texts if path.exists()}
    had = systems(folder)
    sweep(folder, monkeypatch, *FLAGS)
    assert all(path.stat().st_mtime_ns == time for path, time in before.items())
    assert len(before) == len(texts) - 1 and (folder / "swept/gan/t1.00.txt").is_file()
    for name, points in systems(folder).items():
        for now, then in zip(points, had[name], strict=True):
            if now["samples"] != "gan/t1.00.txt":
                assert now["tokens_per_second"] == then["tokens_per_second"]
                assert now["bleu_3"] == pytest.approx(then["bleu_3"])

    # Another checkpoint by that name, and the first again.
    gan, gpt = (folder / f"swept/{name}/t1.00.txt" for name in ("gan", "gpt"))
    was = gan.read_text()
    sweep(folder, monkeypatch, *(str(flag).replace("=gan/", "=gpt/") for flag in FLAGS))
    assert gan.read_text() == gpt.read_text() != was
    sweep(folder, monkeypatch, *FLAGS)
    assert gan.read_text() == was


def test_report_of_a_real_sweep(swept, monkeypatch):
    folder, _ = swept
    written = json.loads((folder / "swept/sweep.json").read_text())
    points = {
        name: {3: [point | {"samples": f"swept/{point['samples']}"} for point in measured]}
        for name, measured in written["systems"].items()
    }
    held_out = {"temperature": None, "samples": "valid.en", **written["held_out"]}
    plain = {"data": "text", "seeds": [3]}
    experiments.write_experiment(
        folder,
        {
            "gpt": {**plain, "family": "likelihood"},
            "gan": {**plain, "family": "gan", "start": "gpt"},
        },
        {**points, "held_out": {None: [held_out]}},
        written["settings"],
        {"gpt": {3: {"log": "gpt.log"}}, "gan": {3: {"log": "gan.log", "parameters": 1234}}},
        data={"text": {"kind": "sentences", "folder": "."}},
        report=["quality", "curves", "gains", "training"],
    )
    monkeypatch.setattr("sys.argv", ["report", str(folder)])
    report.main()
    figures = json.loads((folder / "report/report.json").read_text())
    gan = figures["quality"]["systems"]["gan"]
    assert gan["bleu_3"]["values"] == {"3": systems(folder)["gan"][1]["bleu_3"]}
    assert figures["gains"]["systems"][0]["verdict"].endswith("one seed alone")
    assert figures["quality"]["systems"]["held_out"]["bleu_3"]["mean"] == pytest.approx(
        written["held_out"]["bleu_3"]
    )
    assert any(line.startswith("Caution") for line in figures["findings"])
    assert len(list((folder / "report").glob("training_*.png"))) == 2


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"lm": "."}, "dict.txt does not exist"),
        ({"test.en": "test.up"}, "no word in common with the references"),
    ],
)
def test_one_line_for_what_is_wrong(swept, monkeypatch, change, says):
    folder, _ = swept
    flags = [change.get(flag, flag) for flag in FLAGS]
    flags[flags.index("swept")] = "wrong"
    with pytest.raises(UsageError, match=says):
        sweep(folder, monkeypatch, *flags)
    assert not (folder / "wrong/sweep.json").exists()
