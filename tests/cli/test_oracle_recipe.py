"""The oracle benchmark's recipe from nothing to the report, with a handful of updates."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from commands import USER_DIR

RECIPE = Path(USER_DIR).parent / "recipes" / "oracle_gan.sh"
SYSTEMS = ("gan_seqgan", "gan_seqgan_constant")


def recipe(*argv, cwd):
    command = ["bash", RECIPE, *map(str, argv)]
    environment = {**os.environ, "VIRTUAL_ENV": sys.prefix}
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True)


def test_report(tmp_path):
    flags = (
        "--budget", "tiny", "--length", 5, "--seeds", "4", "--systems", " ".join(SYSTEMS),
        "--samples", 50, "--jobs", 1, "--output", tmp_path / "out",
    )  # fmt: skip
    done = recipe(*flags, cwd=tmp_path)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    figures = json.loads((tmp_path / "out" / "report" / "oracle_report.json").read_text())
    rows = {row["name"]: row for row in figures["systems"]}
    assert set(rows) == {"mle", "mle_tuned", *SYSTEMS}
    plane = figures["planes"]["4"]
    assert len(plane["mle"]) == len(plane["mle_tuned"]) == 8 and len(plane["gan_seqgan"]) == 1
    for name in SYSTEMS:
        assert rows[name]["gain"] == pytest.approx(
            [plane["mle"][1]["oracle_nll"] - plane[name][0]["oracle_nll"]]
        )
    # Two rounds of one update a player after two of the discriminator alone, or none.
    assert rows["gan_seqgan"]["updates"] == 6 and rows["gan_seqgan_constant"]["updates"] == 4
    again = recipe(*flags, cwd=tmp_path)
    assert again.returncode == 0
    assert [line for line in again.stdout.splitlines() if line.startswith("== ")] == [
        line for line in again.stdout.splitlines() if line.startswith("== report")
    ]


@pytest.mark.parametrize(
    ("argv", "says"),
    [
        (["nowhere.npz"], "nowhere.npz is not a file"),
        (["--seeds", "1 x"], "x is not a positive whole number"),
        (["--systems", "gan_seqgan leakgan"], "there is no system leakgan; choose from gan_seqgan"),
        (["--budget", "huge"], "there is no budget huge"),
        (["--length"], "--length needs a value"),
    ],
)
def test_bad_arguments(argv, says, tmp_path):
    done = recipe(*argv, cwd=tmp_path)
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1 and says in done.stderr
    assert not list(tmp_path.iterdir())
