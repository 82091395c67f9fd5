"""A user's own experiment, run by Snakemake: what is done, done again, stopped, and refused."""

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
import yaml
from commands import RECIPES, run_recipe
from conftest import SIZES

README = (RECIPES / "README.md").read_text(encoding="utf-8")
EXAMPLE = re.search(r"```yaml\n(title: .*?)```", README, re.DOTALL)[1]
NUMBER = 30  # samples


@pytest.fixture(scope="module")
def texts(corpus, tmp_path_factory):
    """A folder, whose name has a blank, with the example of recipes/README.md and its sentences."""
    folder = tmp_path_factory.mktemp("my experiment")
    (folder / "sentences").mkdir()
    for split in ("train", "test"):
        text = (corpus / f"{split}.en").read_text()
        (folder / "sentences" / f"{split}.txt").write_text(text + "\n")
    (folder / "mine.yaml").write_text(EXAMPLE)
    return folder


def compare(folder, *argv, **options):
    """The finished command, in ``folder``."""
    return run_recipe("compare.sh", "mine.yaml", "--output", "out", *argv, cwd=folder, **options)


@pytest.fixture(scope="module")
def made(texts):
    done = compare(texts)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return texts, done


def planned(folder, *argv):
    """How often each rule would run, by a dry run."""
    done = compare(folder, *argv, "--", "--dry-run")
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    counts = re.findall(r"^(\w+) +(\d+)$", done.stdout + done.stderr, re.MULTILINE)
    return {rule: int(number) for rule, number in counts if rule != "total"}


def trained(folder, run):
    return json.loads((folder / "out" / "trained" / f"{run}.json").read_text())


def test_the_documented_example_ends_in_a_report(made):
    folder, done = made
    experiment = yaml.safe_load(EXAMPLE)
    figures = json.loads((folder / "out/report/report.json").read_text())
    assert set(experiment["report"]) <= set(figures)
    for name, system in experiment["systems"].items():
        measured = json.loads((folder / "out/measured" / f"{name}.1.json").read_text())
        assert all(0 <= point["bleu_3"] <= 1 for point in measured["points"])
        if "train" in system:
            assert f"== train-{name}.1" in done.stdout
    gan = next(name for name, system in experiment["systems"].items() if "start" in system)
    start = experiment["systems"][gan]["start"]
    assert f"{start}.1/checkpoint_best.pt" in trained(folder, f"{gan}.1")["flags"]
    # The report tells the flags that were given, with all that was not known before.
    assert figures["systems"][gan]["flags"] == {"1": trained(folder, f"{gan}.1")["flags"]}
    assert done.stdout.splitlines()[-1].startswith("report: ")
    # A validation set is split off, and empty lines are left out.
    data = json.loads((folder / "out/data/mine/data.json").read_text())
    valid = SIZES["train"] // 20
    assert data["lines"] == {
        "train": SIZES["train"] - valid, "valid": valid, "test": SIZES["test"],
    }  # fmt: skip


def test_run_again_it_does_nothing_and_only_what_something_changed_for(made, tmp_path):
    folder, _ = made
    text = (folder / "mine.yaml").read_text()
    experiment = yaml.safe_load(text)
    gan = next(name for name, system in experiment["systems"].items() if "start" in system)
    sentences = folder / "sentences" / "train.txt"
    before = sentences.read_text()
    try:
        assert planned(folder) == {}
        # The title is the report's alone.
        (folder / "mine.yaml").write_text(text.replace(experiment["title"], "Another title"))
        assert planned(folder) == {"report": 1}
        # What the report alone knows of a system; braces are no wildcards.
        changed = yaml.safe_load(text)
        changed["systems"][gan]["family"] = "likelihood"
        changed["notes"] = ["{train,test}.txt are mine"]
        (folder / "mine.yaml").write_text(yaml.safe_dump(changed, sort_keys=False))
        assert planned(folder) == {"report": 1}
        # The flags of a system that nothing starts from.
        changed = yaml.safe_load(text)
        changed["systems"][gan]["train"] += " --clip-norm 1"
        (folder / "mine.yaml").write_text(yaml.safe_dump(changed, sort_keys=False))
        again = planned(folder)
        assert again["train"] == 1 and again["report"] == 1 and "data" not in again
        # The number of samples.
        changed = yaml.safe_load(text)
        changed["sample"]["number"] = NUMBER + 1
        (folder / "mine.yaml").write_text(yaml.safe_dump(changed, sort_keys=False))
        again = planned(folder)
        assert "train" not in again and again["sample"] >= 3 and again["measure"] >= 4
        assert again["unigram"] == 1
        (folder / "mine.yaml").write_text(text)
        # The data, even if the file is older than what was made of the last one.
        sentences.write_text(before + "she saw them\n")
        os.utime(sentences, (0, 0))
        again = planned(folder)
        assert again["data"] == 1 and again["train"] == sum(
            "train" in system for system in experiment["systems"].values()
        )
    finally:
        (folder / "mine.yaml").write_text(text)
        sentences.write_text(before)


def test_the_budget_counts(made):
    """An option's value changes the trainings, and back again."""
    folder, _ = made
    (option,) = yaml.safe_load(EXAMPLE)["options"]
    again = planned(folder, f"--{option}", 7)
    assert again["train"] >= 2 and "data" not in again
    assert planned(folder) == {}


def test_the_code_of_a_metric_counts(made, tmp_path):
    """In a copy of the project, whose checkout may be changed."""
    folder, _ = made
    checkout = tmp_path / "checkout"
    shutil.copytree(RECIPES, checkout / "recipes")
    package = RECIPES.parent / "fairseq_genext"
    shutil.copytree(package, checkout / "fairseq_genext", ignore=shutil.ignore_patterns("*.pyc"))
    command = [
        sys.executable, checkout / "recipes/lib/compare.py", "mine.yaml", "--output", "out", "--",
        "-np",
    ]  # fmt: skip
    environment = os.environ | {"PYTHONPATH": str(checkout)}

    def plan():
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr[-3000:]
        return dict(re.findall(r"^(\w+) +(\d+)$", done.stdout + done.stderr, re.MULTILINE))

    before = plan()
    with (checkout / "fairseq_genext/evaluation/metrics/diversity.py").open("a") as file:
        file.write("# counted otherwise\n")
    after = plan()
    assert "measure" not in before and int(after["measure"]) >= 4
    assert not {"train", "sample", "data"} & after.keys()


def test_samples_made_elsewhere_at_several_temperatures_and_a_system_with_its_own(made):
    """The same text is measured alike, whoever has brought it."""
    folder, _ = made
    changed = yaml.safe_load(EXAMPLE)
    name = next(name for name, system in changed["systems"].items() if "train" in system)
    changed["systems"] = {
        name: changed["systems"][name] | {"temperatures": [0.5, 1.0]},
        "others": {"samples": "brought", "seeds": "first"},
    }
    changed["report"] = ["quality", "curves"]
    changed["language_model_score"] = {"updates": 3, "points": "all"}
    shutil.rmtree(folder / "brought", ignore_errors=True)
    shutil.copytree(folder / "out/samples" / f"{name}.1", folder / "brought")
    (folder / "brought.yaml").write_text(yaml.safe_dump(changed, sort_keys=False))
    done = run_recipe("compare.sh", "brought.yaml", "--output", "brought out", cwd=folder)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    own, brought = (
        json.loads((folder / "brought out/measured" / f"{run}.1.json").read_text())["points"]
        for run in (name, "others")
    )
    assert [point["temperature"] for point in own] == [0.5, 1.0]
    files = {path.name for path in (folder / "brought").glob("*.txt")}
    assert {Path(point["samples"]).name for point in brought} == files and len(files) > 1
    plain = [
        next(p for p in points if p["temperature"] == p["top_p"] == 1) for points in (own, brought)
    ]
    assert plain[0]["bleu_3"] == plain[1]["bleu_3"]
    # Real text's scorer reads every point; one trained on samples only those of a trained system.
    assert plain[0]["lm_score"] == plain[1]["lm_score"]
    assert all({"lm_score", "reverse_lm_score"} <= point.keys() for point in own)
    assert all("lm_score" in point and "reverse_lm_score" not in point for point in brought)
    assert own[0]["reverse_lm_score"] != own[1]["reverse_lm_score"]


def test_a_checkout_may_have_a_blank_in_its_name(texts, tmp_path):
    checkout = tmp_path / "my checkout"
    shutil.copytree(RECIPES, checkout / "recipes")
    shutil.copytree(RECIPES.parent / "fairseq_genext", checkout / "fairseq_genext")
    command = [
        sys.executable, checkout / "recipes/lib/compare.py", "mine.yaml", "--output",
        tmp_path / "out", "--", "-np",
    ]  # fmt: skip
    done = subprocess.run(command, cwd=texts, capture_output=True, text=True)
    scripts = re.findall(r"python (\S.*/lib'?/\w+.py)", done.stdout + done.stderr)
    assert scripts and all(Path(shlex.split(script)[0]).is_file() for script in scripts)


def test_held_out_text_is_not_scored_by_the_model_that_has_read_it(made, tmp_path):
    folder, _ = made
    changed = yaml.safe_load(EXAMPLE) | {"language_model_score": {"updates": 5}}
    (folder / "scored.yaml").write_text(yaml.safe_dump(changed, sort_keys=False))
    done = run_recipe(
        "compare.sh", "scored.yaml", "--output", "out", "--", "--dry-run", "--printshellcmds",
        cwd=folder,
    )  # fmt: skip
    scored = re.findall(r"measure samples/(\S+).json .*--scored data/mine/test.txt", done.stdout)
    assert set(scored) == {"held_out"}


def test_on_a_cluster_the_same_steps_are_planned(made):
    folder, _ = made
    option = next(iter(yaml.safe_load(EXAMPLE)["options"]))
    argv = (f"--{option}", 7, "--", "--executor", "slurm", "--jobs", 20, "--dry-run")
    done = compare(folder, *argv)
    assert done.returncode == 0, done.stderr[-3000:]
    assert re.search(r"^train +[2-9]$", done.stdout + done.stderr, re.MULTILINE)


LONG = """
title: A training to stop
data: {mine: {kind: sentences, folder: sentences, vocabulary: 36}}
systems:
  gpt:
    train: >-
      --task unconditional_generation --criterion cross_entropy --optimizer fused_adamw
      --batch-size 32 --max-update 120 --arch gpt_doc_tiny --lr 0.01 --save-interval-updates 15
sample: {number: 30, max_length: 20}
report: [quality]
"""


def processes_in(folder):
    """Those whose working directory is below the folder."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            where = os.readlink(process / "cwd")
        except OSError:
            continue
        if where.startswith(f"{folder.resolve()}/"):
            found.append(process.name)
    return found


def wait_for(condition, seconds=300):
    for _ in range(10 * seconds):
        if condition():
            return
        time.sleep(0.1)
    raise AssertionError("waited in vain")


def test_stopped_or_killed_it_goes_on_to_the_same_end(texts, tmp_path):
    """SIGTERM, then SIGKILL, then to the end; against one that ran through, twice."""
    (texts / "long.yaml").write_text(LONG)
    command = [sys.executable, RECIPES / "lib/compare.py", "long.yaml", "--train-only", "--output"]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    stopped, through = tmp_path / "stopped", tmp_path / "through"
    saved = stopped / "models/gpt.1/checkpoint_last.pt"
    for number in (signal.SIGTERM, signal.SIGKILL):
        written = saved.stat().st_mtime_ns if saved.exists() else 0
        process = subprocess.Popen(
            [*command, stopped], cwd=texts, env=environment, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        wait_for(lambda before=written: saved.exists() and saved.stat().st_mtime_ns > before)
        process.send_signal(number)
        _, error = process.communicate(timeout=180)
        if number == signal.SIGTERM:
            assert process.returncode == 130
            assert error.splitlines()[-1].endswith("the same command goes on")
            assert "failed" not in error and not processes_in(stopped)
        wait_for(lambda: not processes_in(stopped))
        assert not (stopped / "trained/gpt.1.json").exists()
    for folder in (stopped, through, through):
        # Killed after its last update, before that was noted.
        for note in ("trained/gpt.1.json", "models/gpt.1/finished"):
            (folder / note).unlink(missing_ok=True)
        done = subprocess.run([*command, folder], cwd=texts, env=environment, capture_output=True)
        assert done.returncode == 0, done.stderr[-3000:]
    states = [
        torch.load(folder / "models/gpt.1/checkpoint_last.pt", weights_only=True)["model"]
        for folder in (stopped, through)
    ]
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[1])
    figures = [json.loads((f / "trained/gpt.1.json").read_text()) for f in (stopped, through)]
    for name in ("updates", "checkpoint_updates", "parameters"):
        assert figures[0][name] == figures[1][name]


def test_two_runs_in_one_folder_are_refused(tmp_path, texts):
    import fcntl

    (tmp_path / "out").mkdir()
    with (tmp_path / "out/.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = run_recipe(
            "compare.sh", texts / "mine.yaml", "--output", tmp_path / "out", cwd=tmp_path
        )
    assert done.returncode == 1 and "another run works in" in done.stderr


@pytest.mark.parametrize(
    ("change", "says", "step"),
    [
        (
            ("vocabulary: 36", "vocabulary: 3600"),
            "error: sentencepiece: Vocabulary size too high (3600)",
            "data-mine",
        ),
        (
            ("--lr 0.01", "--rate 0.01"),
            "fairseq-train: error: unrecognized arguments: --rate 0.01",
            "train-gpt.1",
        ),
    ],
)
def test_a_failing_step_is_one_line(change, says, step, texts, tmp_path):
    (texts / "wrong.yaml").write_text(LONG.replace(*change))
    output = tmp_path / "out"
    done = run_recipe("compare.sh", "wrong.yaml", "--output", output, cwd=texts)
    assert done.returncode == 1
    reason, where = done.stderr.splitlines()
    assert reason.startswith(says)
    assert where == f"error: {step} failed; its log is {output}/logs/{step}.log"


@pytest.mark.parametrize(
    ("argv", "says"),
    [
        ((), "name an experiment: a file, or one of"),
        (("nowhere.yaml",), "nowhere.yaml does not exist or cannot be read"),
        (("quickstart", "--seed", "none"), "none is not a positive whole number"),
        (("--help",), "name an experiment file first"),
        (("quickstart", "--output", "/dev/null"), "--output /dev/null cannot be written to"),
        (("quickstart", "--output", "/dev/null/x"), "--output /dev/null/x cannot be written to"),
        (("quickstart", "--samples"), "expected one argument"),
        (("translation", "nowhere"), "nowhere does not exist: DATA must name a file or folder"),
        (("conditional_gan", "--generators", "lstm"), "there is nothing to compare"),
    ],
)
def test_bad_arguments_leave_nothing(argv, says, tmp_path):
    done = run_recipe("compare.sh", *argv, cwd=tmp_path)
    assert done.returncode == 1, done.stderr
    assert len(done.stderr.splitlines()) == 1 and says in done.stderr
    assert not list(tmp_path.iterdir())


def test_help_lists_the_options_of_the_experiment(tmp_path):
    done = run_recipe("gpt_vs_gan.sh", "--help", cwd=tmp_path)
    assert done.returncode == 0 and "--vocabulary VOCABULARY" in done.stdout
