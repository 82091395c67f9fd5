"""Judges that the recipes' helper trains, and what they say of good and bad samples."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from commands import USER_DIR

LIBRARY = Path(USER_DIR).parent / "recipes/lib"
PRELUDE = f"""
set -euo pipefail
source "{LIBRARY}/environment.sh"
source "{LIBRARY}/steps.sh"
source "{LIBRARY}/judges.sh"
OUTPUT="$PWD/out" SEED=1 JUDGE_DATA=lm JUDGE_UPDATES=40
"""


def bash(script, folder):
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    return subprocess.run(
        ["bash", "-c", PRELUDE + script],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
    )


@pytest.fixture(scope="module")
def judged(corpus):
    # One sentence over and over: likely, but it teaches a judge nothing about the rest.
    line = (corpus / "valid.en").read_text().splitlines()[0]
    (corpus / "repeated.txt").write_text(f"{line}\n" * 60)
    done = bash("train_judge real train.en\ntrain_judge repeated repeated.txt\n", corpus)
    assert done.returncode == 0, done.stdout + done.stderr
    return corpus


def test_the_two_scores_see_different_things(judged):
    def checkpoint(name):
        return f"out/models/judge-{name}/checkpoint_last.pt"

    subprocess.run(
        [
            sys.executable, "-m", "fairseq_genext.evaluation", "valid.en", "repeated.txt",
            "--references", "test.en", "--encoder", "none", "--json", "judged.json",
            "--judge-data", "lm", "--judge", checkpoint("real"),
            "--reverse-judges", checkpoint("real"), checkpoint("repeated"),
        ],
        cwd=judged, check=True, capture_output=True,
    )  # fmt: skip
    figures = json.loads((judged / "judged.json").read_text())["figures"]
    real, repeated = figures["valid"], figures["repeated"]
    assert repeated["lm_score"] < real["lm_score"] + 0.3  # a good sentence, however often
    assert repeated["reverse_lm_score"] > real["reverse_lm_score"] + 0.5


def test_done_judges_are_not_trained_again(judged):
    done = bash("train_judge real train.en", judged)
    assert done.stdout.count("done before") == 2


def test_what_is_missing_is_named(judged):
    done = bash("train_judge other nowhere.txt", judged)
    assert done.returncode == 1
    assert done.stderr == "error: nowhere.txt, the text of the judge other, does not exist\n"
    done = bash("JUDGE_DATA=nowhere\ntrain_judge other train.en", judged)
    assert done.returncode == 1 and "nowhere/dict.txt, of the judges, does not exist" in done.stderr
