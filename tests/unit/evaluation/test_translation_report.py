"""A translation report made from a small manifest."""

import json
import random

import pytest
import sacrebleu
import yaml
from PIL import Image

from fairseq_genext.errors import UsageError
from fairseq_genext.evaluation import translation_report
from fairseq_genext.evaluation.metrics.significance import compare

WORDS = tuple("abcdefghijklmnop")


def sentences(number: int, seed: int) -> list[str]:
    draw = random.Random(seed)
    return [" ".join(draw.choices(WORDS, k=9)) for _ in range(number)]


def spoilt(lines: list[str], share: float, seed: int) -> list[str]:
    """The lines with a share of their words replaced."""
    draw = random.Random(seed)
    return [
        " ".join(draw.choice(WORDS) if draw.random() < share else word for word in line.split())
        for line in lines
    ]


REFERENCES = sentences(150, seed=0)
FILES = {
    "target.txt": REFERENCES,
    "source.txt": sentences(150, seed=1),
    "good1.txt": spoilt(REFERENCES, 0.1, seed=2),
    "good2.txt": spoilt(REFERENCES, 0.1, seed=3),
    "poor1.txt": spoilt(REFERENCES, 0.5, seed=4),
    "poor2.txt": spoilt(REFERENCES, 0.5, seed=5),
    "poor3.txt": spoilt(REFERENCES, 0.5, seed=6),
}
LOG = [
    '{"num_updates": "10", "ppl": "90", "wall": "5"}',
    '{"valid_num_updates": "10", "valid_ppl": "80"}',
    '{"num_updates": "20", "ppl": "60", "wall": "10"}',
    '{"valid_num_updates": "20", "valid_ppl": "50"}',
]


def run_of(seed: int, name: str, **more) -> dict:
    return {"seed": seed, "translations": [{"decoding": "greedy", "hypotheses": name}], **more}


@pytest.fixture
def folder(tmp_path):
    for name, lines in FILES.items():
        (tmp_path / name).write_text("\n".join(lines) + "\n")
    (tmp_path / "train.log").write_text("\n".join(LOG) + "\n")
    manifest = {
        "title": "A <small> report",
        "source": "source.txt",
        "references": "target.txt",
        "tables": [
            {
                "title": "Systems",
                "baseline": "poor",
                "systems": [
                    {
                        "name": "poor",
                        "parameters": 12345,
                        "runs": [run_of(1, "poor1.txt", log="train.log"), run_of(2, "poor2.txt")],
                    },
                    {
                        "name": "good",
                        "note": "a note",
                        "runs": [
                            run_of(1, "good1.txt", seconds=100), run_of(2, "good2.txt", seconds=120)
                        ],
                    },
                    {"name": "as poor", "runs": [run_of(7, "poor3.txt")]},
                ],
            }
        ],
    }  # fmt: skip
    (tmp_path / "manifest.yaml").write_text(yaml.safe_dump(manifest))
    return tmp_path


def make(folder, monkeypatch):
    argv = ["report", str(folder / "manifest.yaml"), "--output", str(folder / "out")]
    monkeypatch.setattr("sys.argv", argv)
    translation_report.main()
    return folder / "out"


def bleu(name: str) -> float:
    return sacrebleu.corpus_bleu(FILES[name], [REFERENCES]).score


def test_figures(folder, monkeypatch):
    out = make(folder, monkeypatch)
    figures = json.loads((out / "translation_report.json").read_text())
    (table,) = figures["tables"]
    runs = {(row["name"], row["seed"]): row for row in table["runs"]}
    means = {row["name"]: row for row in table["means"]}
    assert list(means) == ["poor", "good", "as poor"]
    assert runs["good", 2]["bleu"] == pytest.approx(bleu("good2.txt"))
    # Seed for seed, and the first baseline where there is none of the seed.
    assert runs["good", 2]["difference"] == pytest.approx(bleu("good2.txt") - bleu("poor2.txt"))
    assert runs["as poor", 7]["difference"] == pytest.approx(bleu("poor3.txt") - bleu("poor1.txt"))
    assert means["good"]["bleu"] == pytest.approx((bleu("good1.txt") + bleu("good2.txt")) / 2)
    assert means["good"]["seconds"] == 110 and means["good"]["seeds"] == 2
    assert means["good"]["worst_p"] < 0.05 < means["as poor"]["worst_p"]
    said = "\n".join(table["findings"])
    assert "good, greedy: BLEU" in said and "above poor (p ≤ 0.001 for each of 2 seeds)" in said
    assert "as poor, greedy" in said and "NOT significant" in said
    assert "NOT above copying" not in said

    markdown = (out / "translation_report.md").read_text()
    assert "12,345" in markdown and "nrefs:1" in markdown and "- good: a note" in markdown
    page = (out / "translation_report.html").read_text()
    assert "A &lt;small&gt; report" in page and page.count("data:image/png") == 2
    for png in out.glob("*.png"):
        with Image.open(png) as image:
            assert len(set(image.convert("L").resize((64, 64)).tobytes())) > 5


def test_a_system_may_have_a_baseline_of_its_own(folder, monkeypatch):
    path = folder / "manifest.yaml"
    manifest = yaml.safe_load(path.read_text())
    _, good, worse = manifest["tables"][0]["systems"]
    good["baseline"] = "good"
    worse["baseline"] = "good"
    path.write_text(yaml.safe_dump(manifest))
    out = make(folder, monkeypatch)
    (table,) = json.loads((out / "translation_report.json").read_text())["tables"]
    runs = {(row["name"], row["seed"]): row for row in table["runs"]}
    assert len(runs) == len(table["runs"]) == 5
    assert runs["as poor", 7]["difference"] == pytest.approx(bleu("poor3.txt") - bleu("good1.txt"))
    assert all(runs[name, 1].get("difference") is None for name in ("poor", "good"))
    assert any("below good (p" in line for line in table["findings"])
    assert "or the baseline that a finding names" in (out / "translation_report.html").read_text()


def test_copying_that_is_not_beaten_is_called_that(folder, monkeypatch):
    (folder / "source.txt").write_text("\n".join(REFERENCES) + "\n")
    out = make(folder, monkeypatch)
    figures = json.loads((out / "translation_report.json").read_text())
    assert any(
        line.startswith(
            "NOT above copying the source, which scores BLEU 100.0: as poor, good, poor"
        )
        for line in figures["tables"][0]["findings"]
    )


def test_intervals_and_p_are_sacrebleus_command_lines(folder):
    """Against what `sacrebleu -i … --paired-bs` computes itself, with its own seed."""
    compared, signatures = compare(
        {"poor": FILES["poor1.txt"], "good": FILES["good1.txt"]}, REFERENCES, resamples=200
    )
    metric = sacrebleu.metrics.BLEU()
    alone = metric.corpus_score(FILES["poor1.txt"], [REFERENCES], n_bootstrap=200)
    assert compared["poor"]["bleu"] == pytest.approx(alone.score)
    assert compared["poor"]["bleu_ci"] == pytest.approx(alone._ci, rel=0.3)
    assert compared["poor"]["bleu_p"] is None
    assert compared["good"]["bleu_p"] == pytest.approx(1 / 201)
    assert any("tok:13a" in signature for signature in signatures)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"baseline": "best"}, "has no system called 'best', its baseline"),
        ({"systems": []}, "must be a list of systems"),
        (
            {"systems": [{"name": "poor", "baseline": "best", "runs": [run_of(1, "poor1.txt")]}]},
            "'best', the baseline of poor, must be a system",
        ),
        ({"systems": [{"name": "poor"}]}, "has no entry 'runs'"),
        (
            {"systems": [{"name": "poor", "runs": [run_of(1, "gone.txt")]}]},
            "gone.txt does not exist",
        ),
    ],
)
def test_bad_manifests(folder, monkeypatch, change, says):
    path = folder / "manifest.yaml"
    manifest = yaml.safe_load(path.read_text())
    manifest["tables"][0] |= change
    path.write_text(yaml.safe_dump(manifest))
    with pytest.raises(UsageError, match=says):
        make(folder, monkeypatch)
    assert not (folder / "out").exists()
