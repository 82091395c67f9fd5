"""A report made from a small manifest."""

import json
import re
from pathlib import Path

import pytest
import sacrebleu
import yaml
from PIL import Image

from fairseq_genext.errors import UsageError
from fairseq_genext.evaluation import report
from fairseq_genext.evaluation.metrics import samples

TEXT = {
    "held_out.txt": ["the king saw the land", "a man made bread", "his son saw a star"],
    "train.txt": ["the king made bread", "a man saw the land"],
    "good.txt": ["the king saw a star", "a man made bread", "<b>his</b> son & a star"],
    "bad.txt": ["land land the a", "a a a", "a a a"],
    "source.txt": ["thou seest the land", "thy bread is here now"],
    "target.txt": ["you see the land today", "your bread is here now"],
    "same.txt": ["you see the land today", "your bread is here now"],
    "worse.txt": ["no", "nothing at all"],
}
LOG = [
    "{'a': 'configuration'}",
    '2026 | INFO | train_inner | {"epoch": 1, "num_updates": "10", "ppl": "90.5", "phase": "0"}',
    '{"epoch": 1, "num_updates": "20", "d_loss": "0.7", "phase": "1", "ppl": null}',
    '{"epoch": 1, "num_updates": "30", "d_loss": "0.6", "g_loss": "0.9", "phase": "2"}',
    '{"epoch": 1, "valid_ppl": "80", "valid_num_updates": "30"}',
    '{"epoch": 1, "train_ppl": "85", "train_num_updates": "30"}',
]


@pytest.fixture
def folder(tmp_path) -> Path:
    for name, lines in TEXT.items():
        (tmp_path / name).write_text("\n".join(lines) + "\n")
    (tmp_path / "gan.log").write_text("\n".join(LOG) + "\n")
    (tmp_path / "lr.log").write_text('{"num_updates": "3", "lr": "1"}\n')
    (tmp_path / "gan.ppl").write_text("Loss (base 2): 6.0, Perplexity: 64.5\n")
    manifest = {
        "title": "A <small> report",
        "command": "bash recipes/some.sh",
        "references": "held_out.txt",
        "train": "train.txt",
        "systems": [
            {"name": "held-out", "kind": "reference", "samples": "held_out.txt"},
            {
                "name": "good one",
                "kind": "trained",
                "samples": "good.txt",
                "log": "gan.log",
                "perplexity": "gan.ppl",
                "parameters": 12345,
            },
            {"name": "bad one", "kind": "trained", "samples": "bad.txt"},
        ],
        "translation": {
            "source": "source.txt",
            "references": "target.txt",
            "systems": [{"name": "s2s", "hypotheses": "same.txt", "note": "perfect"}],
        },
    }
    (tmp_path / "manifest.yaml").write_text(yaml.safe_dump(manifest))
    return tmp_path


def make(folder, monkeypatch, **changes):
    path = folder / "manifest.yaml"
    entries = yaml.safe_load(path.read_text()) | changes
    path.write_text(yaml.safe_dump(entries))
    monkeypatch.setattr("sys.argv", ["report", str(path), "--output", str(folder / "out")])
    report.main()
    return folder / "out"


def test_report_files_and_figures(folder, monkeypatch):
    out = make(folder, monkeypatch)
    figures = json.loads((out / "report.json").read_text())
    tokens = {name: [line.split() for line in lines] for name, lines in TEXT.items()}
    good = samples.measure(tokens["good.txt"], tokens["held_out.txt"], tokens["train.txt"])
    assert figures["systems"][1].items() >= good.items()
    assert figures["systems"][1]["perplexity"] == 64.5
    copied = sacrebleu.corpus_bleu(TEXT["source.txt"], [TEXT["target.txt"]]).score
    assert figures["translation"][0]["bleu"] == pytest.approx(copied)
    assert figures["translation"][1]["bleu"] == pytest.approx(100)
    assert any("Best quality: good one" in line for line in figures["findings"])

    markdown = (out / "report.md").read_text()
    assert f"{good['bleu_3']:.3f}" in markdown and "12,345" in markdown
    for png in out.glob("*.png"):
        with Image.open(png) as image:
            assert len(set(image.convert("L").resize((64, 64)).tobytes())) > 5


def test_page_needs_no_network_and_escapes_text(folder, monkeypatch):
    page = (make(folder, monkeypatch) / "report.html").read_text()
    sources = re.findall(r'(?:src|href)="([^"]{0,30})', page)
    assert len(sources) == 4 and all(source.startswith("data:image/png") for source in sources)
    assert "url(" not in page and "<script" not in page
    assert "&lt;b&gt;his&lt;/b&gt; son &amp; a star" in page and "A &lt;small&gt; report" in page


@pytest.mark.parametrize(("file", "says"), [("same.txt", ", above"), ("worse.txt", "NOT above")])
def test_says_whether_translation_beats_copying(folder, monkeypatch, file, says):
    task = {
        "source": "source.txt",
        "references": "target.txt",
        "systems": [{"name": "s2s", "hypotheses": file}],
    }
    out = make(folder, monkeypatch, translation=task)
    found = json.loads((out / "report.json").read_text())["findings"]
    assert any(line.startswith("Translation: s2s") and says in line for line in found)


def test_without_translation(folder, monkeypatch):
    out = make(folder, monkeypatch, translation=None)
    assert "## Translation" not in (out / "report.md").read_text()


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"train": "nowhere.txt"}, "nowhere.txt does not exist"),
        (
            {
                "systems": [
                    {
                        "name": "x",
                        "kind": "trained",
                        "samples": "good.txt",
                        "perplexity": "train.txt",
                    }
                ]
            },
            "names no perplexity",
        ),
        (
            {
                "systems": [
                    {"name": "x", "kind": "trained", "samples": "good.txt", "log": "train.txt"}
                ]
            },
            "has no figures",
        ),
        (
            {"systems": [{"name": "x", "kind": "trained", "samples": "good.txt", "log": "lr.log"}]},
            "lr.log: there is no curve to draw",
        ),
        (
            {"systems": [{"name": "x", "kind": "trained", "samples": "good.txt"}] * 2},
            "two systems called 'x'",
        ),
        ({"systems": [{"name": "x", "kind": "trained"}]}, "number 1 has no entry 'samples'"),
        ({"systems": "x"}, "must be a list of systems"),
        ({"translation": {"source": "source.txt"}}, "translation has no entry 'references'"),
        (
            {
                "translation": {
                    "source": "train.txt",
                    "references": "held_out.txt",
                    "systems": [{"name": "x", "hypotheses": "good.txt"}],
                }
            },
            "train.txt has 2 lines for 3 references",
        ),
    ],
)
def test_failures_leave_the_last_report(folder, monkeypatch, changes, says):
    before = (make(folder, monkeypatch) / "report.html").read_bytes()
    with pytest.raises(UsageError, match=says):
        make(folder, monkeypatch, **changes)
    assert (folder / "out" / "report.html").read_bytes() == before


def test_a_perplexity_may_be_a_number(folder, monkeypatch):
    systems = [{"name": "x", "kind": "trained", "samples": "good.txt", "perplexity": 12.5}]
    out = make(folder, monkeypatch, systems=systems)
    assert json.loads((out / "report.json").read_text())["systems"][0]["perplexity"] == 12.5
    assert "## Training" not in (out / "report.md").read_text()
    assert "<h2>Training</h2>" not in (out / "report.html").read_text()


def row(name, bleu, interval):
    figures = {"bleu_3": bleu, "bleu_3_ci": interval, "self_bleu_3": 0.3}
    return {"name": name, "kind": "trained", **figures}


@pytest.mark.parametrize(("other", "tied"), [(0.387, True), (0.37, False)])
def test_a_lead_within_sampling_error_is_called_that(other, tied):
    said = report.findings([row("gan", 0.396, 0.011), row("gpt", other, 0.012)], [])[0]
    assert said.startswith("Best quality: gan")
    assert ("Within sampling error of it: gpt." in said) == tied


def test_systems_of_one_name_in_two_tables_keep_their_curves(folder, monkeypatch):
    entries = yaml.safe_load((folder / "manifest.yaml").read_text())
    entries["translation"]["systems"][0] |= {"name": "good one", "log": "gan.log"}
    out = make(folder, monkeypatch, translation=entries["translation"])
    assert len(list(out.glob("curves_*.png"))) == 2


def test_missing_entry(tmp_path):
    (tmp_path / "manifest.yaml").write_text("title: only\n")
    with pytest.raises(UsageError, match="has no entry 'references'"):
        report.read_manifest(tmp_path / "manifest.yaml")
