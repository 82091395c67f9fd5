"""Which environment a recipe takes, and what it says; python and pip are played by a script."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

LIB = Path(__file__).parents[3] / "recipes" / "lib"
PYTHON = """#!/usr/bin/env bash
case "$*" in
    "-m venv "*) mkdir -p "$3/bin" && cp "$0" "$3/bin/python" ;;
    "-m pip "*) echo "$*" >>"$VIRTUAL_ENV/installed" ;;
    --version) echo Python 3.11 ;;
esac
"""
RECIPE = """set -euo pipefail
source lib/environment.sh
use_environment recipes
echo "in $VIRTUAL_ENV with $*"
"""


@pytest.fixture
def project(tmp_path):
    """A checkout with a recipe, and an active environment next to it."""
    project = tmp_path / "a checkout"
    (project / "recipes" / "lib").mkdir(parents=True)
    shutil.copy(LIB / "environment.sh", project / "recipes" / "lib")
    (project / "recipes" / "some.sh").write_text(RECIPE)
    for name in ("setup.py", "constraints.txt"):
        (project / name).touch()
    python = tmp_path / "active" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(PYTHON)
    python.chmod(0o755)
    (python.parent / "python3.11").symlink_to(python)
    return project


def point(environment: Path, checkout: Path) -> None:
    """What pip notes of an editable installation."""
    noted = environment / "lib/python3.11/site-packages/fairseq_genext-1.dist-info/direct_url.json"
    noted.parent.mkdir(parents=True, exist_ok=True)
    noted.write_text(f'{{"dir_info": {{"editable": true}}, "url": "{checkout.as_uri()}"}}')


def run(project, *argv, active: Path | None, **variables) -> list[str]:
    environment = {
        **{key: value for key, value in os.environ.items() if key[:6] not in ("GENEXT", "VIRTUA")},
        "PATH": f"{project.parent}/active/bin:{os.environ['PATH']}",
        **variables,
    }
    if active:
        environment["VIRTUAL_ENV"] = str(active)
    done = subprocess.run(
        ["bash", "some.sh", *argv], cwd=project / "recipes", env=environment, capture_output=True,
        text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def installed(environment: Path) -> int:
    """How often pip was run there."""
    noted = environment / "installed"
    return len(noted.read_text().splitlines()) if noted.exists() else 0


def test_the_projects_own_is_made_and_taken(project):
    own, active = project / ".venv", project.parent / "active"
    said = run(project, "a b", "c", active=None)
    assert said[0].startswith(f"== making {own}") and said[-1] == f"in {own} with a b c"
    assert installed(own) == 1
    assert run(project, active=own) == [f"in {own} with "]
    (line, last) = run(project, active=active)
    assert line == (
        f"== the active environment {active} is not used but {own}; --use-active takes it"
    )
    assert last == f"in {own} with " and installed(own) == 1 and installed(active) == 0


@pytest.mark.parametrize(
    ("argv", "variables"), [(["--use-active"], {}), ([], {"GENEXT_USE_ACTIVE": "1"})]
)
def test_the_active_one_when_asked_for(project, argv, variables):
    active, other = project.parent / "active", project.parent / "other"
    point(active, other)
    first, *_, last = run(project, "a", *argv, "b c", active=active, **variables)
    assert first == f"== {active} now has fairseq-genext from {project}, no longer from {other}"
    assert last == f"in {active} with a b c" and installed(active) == 1
    point(active, project)
    # It has this checkout: nothing to ask, to say or to install.
    assert run(project, active=active) == [f"in {active} with "]
    # Another checkout took it in between, by hand.
    point(active, other)
    assert run(project, *argv, active=active, **variables)[0] == first and installed(active) == 2
    assert not (project / ".venv").exists()
