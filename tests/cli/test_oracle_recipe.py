"""The oracle benchmark's recipe from nothing to the report, with a handful of updates."""

import json

import pytest
from commands import run_recipe

SYSTEMS = ("gan_seqgan", "gan_seqgan_constant")


def test_report(tmp_path):
    flags = (
        "--budget", "tiny", "--length", 5, "--seeds", "4", "--systems", " ".join(SYSTEMS),
        "--samples", 50, "--jobs", 1, "--output", tmp_path / "out",
    )  # fmt: skip
    done = run_recipe("oracle_gan.sh", *flags, cwd=tmp_path)
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
    assert 0 < rows["gan_seqgan"]["chosen"][0] <= 6
    again = run_recipe("oracle_gan.sh", *flags, cwd=tmp_path)
    assert again.returncode == 0
    assert [line for line in again.stdout.splitlines() if line.startswith("== ")] == [
        line for line in again.stdout.splitlines() if line.startswith("== report")
    ]


@pytest.mark.parametrize(
    ("argv", "says"),
    [
        (["nowhere.npz"], "nowhere.npz is not a file"),
        (["--seeds", "1 x"], "x is not a positive whole number"),
        (
            ["--systems", "gan_seqgan leakgan"],
            "there is no system leakgan; choose among gan_seqgan",
        ),
        (["--budget", "huge"], "there is no budget huge"),
        (["--length"], "--length needs a value"),
    ],
)
def test_bad_arguments(argv, says, tmp_path):
    done = run_recipe("oracle_gan.sh", *argv, cwd=tmp_path)
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1 and says in done.stderr
    assert not list(tmp_path.iterdir())
