"""What recipes/bench.sh refuses, in one line and before anything is measured."""

import contextlib
import re
import sys
import types

import bench
import pytest
import yaml
from compare import EXPERIMENTS

from fairseq_genext.errors import UsageError

GROUP = {"title": "one", "shapes": {"a": {}}, "sides": {"x": {"run": "train"}}}


@pytest.fixture
def refused(tmp_path, monkeypatch):
    """The line that bench.py ends with."""

    def run(*argv, **group):
        file = tmp_path / "mine.yaml"
        file.write_text(yaml.safe_dump({"title": "t", "groups": {"mine": GROUP | group}}))
        monkeypatch.setattr(sys, "argv", ["-m", str(file), "--output", str(tmp_path), *argv])
        with pytest.raises(UsageError) as error:
            bench.main()
        return str(error.value)

    return run


@pytest.mark.parametrize(
    ("argv", "told"),
    [
        (["--only", "other"], "there is no group other; choose among mine"),
        (["--only", ""], "--only is empty"),
        (["--rounds", "0"], "--rounds: 0 is not a positive whole number"),
        (["--threads", "x"], "--threads: x is not"),
        (["--seconds", "nan"], "--seconds is nan"),
        (["--nanogpt", "/nowhere"], "--nanogpt /nowhere has no train.py; .*git clone"),
        (["--textgan", "/nowhere"], "--textgan /nowhere has no models/SeqGAN_G.py"),
        (["--odd"], "unrecognized arguments: --odd"),
    ],
)
def test_arguments(refused, argv, told):
    assert re.search(told, refused(*argv))


@pytest.mark.parametrize(
    ("group", "told"),
    [
        ({"sides": {"x": {"run": "fly"}}}, "groups.mine.sides.x: run: .*train.*not 'fly'"),
        ({"sides": {"x": {"run": "train", "odd": 1}}}, "unknown key 'odd'"),
        ({"shapes": {}}, "groups.mine: shapes"),
        ({"data": {"words": 0, "lines": 1, "length": 1}}, "mine, a: data: words"),
        ({"sides": {"x": {"run": "train", "flags": "{{ odd }}"}}}, "'odd' is undefined"),
        ({"only": False}, "there is nothing to measure here"),
    ],
)
def test_files(refused, group, told):
    assert re.search(told, refused(**group))


def test_groups_of_a_kind():
    groups = bench.read_file(EXPERIMENTS / "bench.yaml")["groups"]
    assert set(bench.chosen(groups, "growth sampling")) == {
        "sampling", "growth-batch", "growth-length", "growth-size",
    }  # fmt: skip


def test_a_peer_that_does_not_start_is_left_out(tmp_path, monkeypatch):
    """As one whose packages are not installed; a side of ours that does not start is an error."""

    @contextlib.contextmanager
    def started(spec, environment, log):
        if spec["name"] == "peer":
            raise UsageError("peer ended: ModuleNotFoundError: No module named 'nltk'")
        worker = types.SimpleNamespace(ask=lambda *_: {"processor": 0.5}, spec={"run": "generate"})
        yield worker, {"device": "cpu"}

    monkeypatch.setattr(bench, "started", started)
    sides = {
        name: {"spec": {"name": name}, "environment": {}, "work": {"update": 1}, "peer": peer}
        for name, peer in (("ours", False), ("peer", True))
    }
    found = bench.measure(sides, 2, 1.0, tmp_path)
    assert len(found["ours"]["rounds"]) == 2
    assert "nltk" in found["peer"]["missing"]
    sides["peer"]["peer"] = False
    with pytest.raises(UsageError, match="nltk"):
        bench.measure(sides, 2, 1.0, tmp_path)
