"""The console scripts themselves, from a folder that knows nothing of the project."""

import subprocess
import sys
from pathlib import Path

import pytest
from commands import USER_DIR


def script(name, *argv, cwd):
    command = [Path(sys.executable).with_name(name), *map(str, argv)]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True)


@pytest.mark.parametrize("relative", [False, True])
def test_user_dir_from_any_working_directory(relative, tmp_path):
    """The flags of our task are known, and its error is the last and only line of its kind."""
    cwd = Path(USER_DIR).parent if relative else tmp_path
    user_dir = Path(USER_DIR).name if relative else USER_DIR
    done = script(
        "fairseq-train", tmp_path / "missing", "--user-dir", user_dir, "--task", "gan", "--arch",
        "gan_doc", "--batch-size", 8, "--criterion", "adversarial", "--optimizer",
        "two_player_adamw", "--discriminator-steps", 2, "--save-dir", tmp_path / "saved", cwd=cwd,
    )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith(f"error: {tmp_path}/missing/dict.txt does not")
    assert "Traceback" not in done.stderr


def test_data_command(tmp_path):
    run = [sys.executable, "-m", "fairseq_genext.data.bible", "out", "--limit", "200"]
    done = subprocess.run(run, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "kjv-bbe/train.kjv" in done.stdout
    sizes = [len(path.read_text().splitlines()) for path in (tmp_path / "out/kjv-bbe").iterdir()]
    assert sum(sizes) == 400
    run[-1] = "0"
    done = subprocess.run(run, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 1 and "error: --limit is 0" in done.stderr
