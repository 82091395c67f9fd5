"""The speed section from measurements whose medians and ratios are worked out by hand."""

import json

import experiments
import pytest

from fairseq_genext.errors import UsageError
from fairseq_genext.evaluation.results import Results
from fairseq_genext.evaluation.sections import page, speed


def cost(seconds, units=0, **parts):
    return {
        "processor": seconds,
        "seconds": 9,
        "units": units,
        "peak_mib": 100 * seconds,
        "parts": parts,
    }


def record(shape, side, *costs, run="train", kind="update", updates=10, units=1000, **entries):
    rounds = [{kind: cost(seconds, units)} for seconds in costs]
    return {
        "group": "g", "shape": shape, "side": side, "values": {"width": len(shape)},
        "spec": {"run": run, "precision": "float32", "name": f"{shape}, {side}", "flags": "--x"},
        "setup": {"processor": 5.0, "device": "cpu", "versions": {"torch": "9.9"}},
        "clock": "processor", "work": {kind: updates}, "rounds": rounds, **entries,
    }  # fmt: skip


def write(folder, records, **group):
    group = {"title": "Racing", "unit": "token", "notes": {}} | group
    experiment = {"title": "t", "data": {}, "systems": {}, "report": ["speed"]}
    experiments.write_json(folder / "experiment.json", experiment)
    found = {"machine": {"cores": 2}, "groups": {"g": group}, "records": records}
    experiments.write_json(folder / "speed.json", found)
    return speed.build(Results(folder), folder)


def tables(section):
    return [block.frame for block in section.blocks if isinstance(block, page.Table)]


def test_section(tmp_path):
    parts = {"update": cost(2.0, forward=0.5, backward=1.0)}
    records = [
        {"group": "g", "shape": "ab", "values": {"width": 2}, "side": "far", "missing": "get it"},
        # Medians 2 s and 3 s of 1,000 tokens; 4 operations a token at 10^4 a second.
        record("ab", "ours", 2.0, 1.0, 4.0, flops=4, parts=parts),
        record("ab", "theirs", 3.0, 3.0, 2.0),
        record("ab", "matrix product, float32", 1.0, 2.0, 0.5, run="matmul", units=0.01),
        record("abc", "ours", 1.0),
        record("abc", "theirs", 0.5),
    ]
    section = write(tmp_path, records, plot="width")
    rows = section.figures["groups"]["g"]["rows"]
    assert [row["ms"] for row in rows] == [200, 300, 100, 50]
    assert [row["rate"] for row in rows] == pytest.approx([500, 1000 / 3, 1000, 2000])
    assert [row["times"] for row in rows] == pytest.approx([1, 1.5, 1, 0.5])
    assert rows[0]["utilisation"] == pytest.approx(500 * 4 / 1e4)
    assert rows[0]["peak_memory_mib"] == 400
    told = "ours is 1.50 times as fast as theirs (ab); 0.50 times as fast as theirs (abc)."
    assert section.findings == [("Racing", told)]
    table, shares = tables(section)
    assert list(table.iloc[0])[:5] == ["ab", "ours", "200.0", "100.0 … 400.0", "500"]
    assert list(shares.iloc[0])[2:] == [
        "0.00", "50.00", "100.00", "0.00", "0.00", "0.00", "50.00", "200.00",
    ]  # fmt: skip
    lines = [
        line for block in section.blocks if isinstance(block, page.Lines) for line in block.lines
    ]
    assert ("far", "left out: get it") in lines and ("version of torch", "9.9") in lines
    assert (tmp_path / "growth.png").stat().st_size > 0
    json.dumps(section.figures)


def test_turns_are_compared_by_what_a_round_takes(tmp_path):
    """The other side makes in one call what ours does in ten updates."""
    records = [
        record("gan", "ours", 2.0, kind="generator"),
        record("gan", "theirs", 6.0, kind="generator", updates=1, units=0),
    ]
    section = write(tmp_path, records)
    assert [row["times"] for row in section.figures["groups"]["g"]["rows"]] == [1, 3]
    assert "generator" in section.findings[0][1]


def test_nothing_measured(tmp_path):
    experiment = {"title": "t", "data": {}, "systems": {}, "report": ["speed"]}
    experiments.write_json(tmp_path / "experiment.json", experiment)
    with pytest.raises(UsageError, match="bench.sh"):
        speed.build(Results(tmp_path), tmp_path)
