"""What all recipes share, driven by small recipes of their own: arguments, steps, jobs."""

import os
import signal
import subprocess
import time

import pytest
from commands import RECIPES

HEAD = f"""
set -euo pipefail
for file in environment arguments steps jobs; do source "{RECIPES}/lib/$file.sh"; done
usage() {{ echo "how to use it"; }}
OUTPUT="$PWD/out" DATA="" SEEDS="1 2" FAST="" SEED=1
"""
PARSE = """
take_arguments "DATA --seeds=SEEDS
    --fast+FAST" "$@"
require_distinct --seeds $SEEDS
require_positive $SEEDS
echo "$DATA|$SEEDS|$FAST|$COMMAND"
"""


def start(folder, text, *argv):
    """The running recipe, in a process group of its own, as a terminal starts it."""
    (folder / "recipe.sh").write_text(HEAD + text)
    return subprocess.Popen(
        ["bash", "recipe.sh", *argv], cwd=folder, text=True, start_new_session=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        # Tests that run in the background ignore it, and bash cannot take that back.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )  # fmt: skip


def finish(process):
    output, error = process.communicate(timeout=60)
    return process.returncode, output.splitlines(), error.splitlines()


@pytest.mark.parametrize(
    ("argv", "says"),
    [
        ((), "|1 2||bash recipes/recipe.sh"),
        (("here",), "here|1 2||bash recipes/recipe.sh here"),
        (
            ("--fast", "--seeds", "3 4", "a b"),
            'a b|3 4|1|bash recipes/recipe.sh --fast --seeds "3 4" "a b"',
        ),
        (("a$b",), r"a$b|1 2||bash recipes/recipe.sh a\$b"),
        (("--help",), "how to use it"),
    ],
)
def test_arguments(tmp_path, argv, says):
    assert finish(start(tmp_path, PARSE, *argv)) == (0, [says], [])


@pytest.mark.parametrize(
    ("argv", "says"),
    [
        (("",), "an argument is empty"),
        (("a", "b"), "one argument at most, not a and b"),
        (("--seeds",), "--seeds needs a value"),
        (("--seed", "1"), "unknown argument --seed"),
        (("--seeds", "1 1"), "--seeds has 1 twice"),
        (("--seeds", " "), "--seeds is empty"),
        (("--seeds", "1 0"), "0 is not a positive whole number"),
    ],
)
def test_bad_arguments(tmp_path, argv, says):
    status, output, error = finish(start(tmp_path, PARSE, *argv))
    assert (status, output) == (1, []) and error == [f"error: {says}; see --help"]


def test_a_folder_of_another_run_is_refused(tmp_path):
    text = 'mkdir -p "$OUTPUT"; same_settings "seed $1"; step work touch "$OUTPUT/made"'
    assert finish(start(tmp_path, text, "1"))[0] == 0
    status, output, error = finish(start(tmp_path, text, "2"))
    assert (status, output) == (1, [])
    assert len(error) == 1 and "has another run (seed 1; now seed 2)" in error[0]
    assert finish(start(tmp_path, text, "1"))[1] == ["-- work: done before"]


LONG = """
work() { sleep 300.25; touch "$OUTPUT/ended"; }
"""
SIDE_BY_SIDE = "side_by_side 2; job step one work; job step two work; finish_jobs"


def wait_for_sleepers(number):
    for _ in range(200):
        found = subprocess.run(["pgrep", "-f", "^sleep 300.25"], capture_output=True, text=True)
        if len(found.stdout.split()) == number:
            return
        time.sleep(0.1)
    raise AssertionError(f"{len(found.stdout.split())} steps are running, not {number}")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize(("text", "sleepers"), [("step one work", 1), (SIDE_BY_SIDE, 2)])
def test_what_a_step_has_started_stops_with_the_recipe(tmp_path, text, sleepers, number):
    process = start(tmp_path, LONG + text)
    wait_for_sleepers(sleepers)
    os.kill(process.pid, number)
    assert finish(process)[0] == 130
    wait_for_sleepers(0)
    assert not list((tmp_path / "out" / ".done").iterdir())


def test_a_failed_job_stops_the_others(tmp_path):
    text = LONG + "side_by_side 2; job step one work; job step two false; finish_jobs"
    status, _, error = finish(start(tmp_path, text))
    assert status == 1 and error == [
        f"error: the step failed; its log is {tmp_path}/out/logs/two.log"
    ]
    wait_for_sleepers(0)
