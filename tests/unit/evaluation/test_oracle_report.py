"""The oracle benchmark's page: its figures by hand, and what it says of bad files."""

import json
import sys

import pytest
import yaml

from fairseq_genext.evaluation import oracle_report
from fairseq_genext.evaluation.oracle_report import below_curve


def point(temperature, oracle_nll, test_nll):
    return {
        "temperature": temperature, "oracle_nll": oracle_nll, "oracle_nll_ci": 0.01,
        "test_nll": test_nll, "self_bleu_2": 0.2, "duplicates": 0.0,
    }  # fmt: skip


# At 1.5 the curve turns back: worse than temperature 1 on both figures.
CURVE = [point(1.0, 9.0, 7.0), point(0.5, 7.0, 8.0), point(1.5, 9.5, 7.4)]


def test_distance_to_the_curve():
    assert below_curve(point(1.0, 7.5, 7.5), CURVE) == pytest.approx(0.5)
    assert below_curve(point(1.0, 8.5, 7.25), CURVE) == pytest.approx(0.0)
    assert below_curve(point(1.0, 9.0, 7.75), CURVE) == pytest.approx(-1.5)
    assert below_curve(point(1.0, 6.0, 8.1), CURVE) is None


@pytest.fixture
def benchmark(tmp_path):
    """Two seeds of a likelihood model and a GAN that started from it."""
    for seed, shift in ((1, 0.0), (2, 0.2)):
        plane = {"mle": CURVE, "gan": [point(1.0, 8.0 - shift, 7.5)]}
        plane["unmoved"] = [point(1.0, 9.0 - shift, 7.0)]
        settings = {"own_nll": 6.0, "num_samples": 100}
        file = tmp_path / f"{seed}.json"
        file.write_text(json.dumps({"settings": settings, "systems": plane}))
    manifest = {
        "title": "A test",
        "planes": {1: "1.json", 2: "2.json"},
        "systems": [
            {"name": "mle", "published": 9.038},
            {
                "name": "gan",
                "start": "mle",
                "curve": ["mle"],
                "seconds": 10,
                "updates": 30,
                "chosen": [20, 30],
            },
            {"name": "unmoved", "start": "mle", "curve": ["mle"]},
        ],
    }
    path = tmp_path / "manifest.yaml"
    path.write_text(yaml.safe_dump(manifest))
    return path


def report(manifest, monkeypatch):
    output = manifest.parent / "report"
    monkeypatch.setattr(sys, "argv", ["report", str(manifest), "--output", str(output)])
    oracle_report.main()
    return output


def test_report(benchmark, monkeypatch):
    output = report(benchmark, monkeypatch)
    figures = json.loads((output / "oracle_report.json").read_text())
    gan = figures["systems"][1]
    assert gan["gain"] == pytest.approx([1.0, 1.2])
    assert gan["below_curve"] == pytest.approx([0.0, 0.2])
    text = (output / "oracle_report.md").read_text()
    assert "7.900 ±\xa00.141" in text and "1.100 ±\xa00.141" in text and "9.038" in text
    assert "Within error of the likelihood curve, lower by +0.10 ±\xa00.14" in text
    assert "| 20, 30" in text
    said = [line for line in text.splitlines() if "the start itself" in line]
    assert len(said) == 1 and "unmoved" in said[0] and "In 1 of 2 seeds" in said[0]
    page = (output / "oracle_report.html").read_text()
    assert "data:image/png;base64," in page and "http" not in page.split("<body>")[1]


def rewrite(file, change):
    content = json.loads(file.read_text())
    change(content["systems"])
    file.write_text(json.dumps(content))


@pytest.mark.parametrize(
    ("break_it", "says"),
    [
        (lambda folder: (folder / "2.json").unlink(), "2.json does not exist"),
        (lambda folder: (folder / "2.json").write_text("[]"), "2.json is no plane"),
        (
            lambda folder: (folder / "2.json").write_text('{"settings": {}, "systems": {}}'),
            "2.json has no point of",
        ),
        (
            lambda folder: rewrite(folder / "2.json", lambda plane: plane["mle"].pop()),
            "the planes of seeds 1 and 2 have other systems or temperatures",
        ),
    ],
)
def test_bad_files_end_in_one_line(benchmark, monkeypatch, break_it, says):
    break_it(benchmark.parent)
    with pytest.raises(SystemExit, match=says):
        report(benchmark, monkeypatch)
    assert not (benchmark.parent / "report").exists()
