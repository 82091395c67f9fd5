"""The report's files: complete or as they were, safe to open, and what they show."""

import json
import re
import subprocess
import sys

import experiments
import pytest
from PIL import Image

from fairseq_genext.errors import UsageError
from fairseq_genext.evaluation import report
from fairseq_genext.evaluation.sections import NAMES, SECTIONS


def make(folder, monkeypatch, *flags):
    monkeypatch.setattr(sys, "argv", ["report", str(folder), *map(str, flags)])
    report.main()


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """The report of likelihood models and GANs over three seeds."""
    folder = tmp_path_factory.mktemp("comparison")
    experiments.comparison(folder)
    with pytest.MonkeyPatch.context() as monkeypatch:
        make(folder, monkeypatch)
    return folder / "report"


def test_page_needs_no_network_and_escapes_text(made):
    page = (made / "report.html").read_text()
    sources = re.findall(r'(?:src|href)="([^"]{0,30})', page)
    # Two pictures of curves, two trainings.
    assert len(sources) == 4 and all(source.startswith("data:image/png") for source in sources)
    assert "url(" not in page and "<script" not in page
    assert "&lt;b&gt;his&lt;/b&gt; star" in page and "A &lt;small&gt; report" in page
    order = (
        "Quality:</b>", "Quality, diversity, likelihood</h2>", "other temperatures</h2>",
        "What adversarial training changed</h2>", "Costs</h2>", "at random", "nearest training",
        "Training</h2>",
    )  # fmt: skip
    assert sorted(order, key=page.index) == list(order)


def test_markdown_has_the_findings_and_figures(made):
    text = (made / "report.md").read_text()
    assert "- **Quality**: the best GAN same 0.950" in text
    assert "0.517 ±\N{NO-BREAK SPACE}0.015" in text and "62.5 ±\N{NO-BREAK SPACE}1.0" in text
    assert "12,345" in text and "12,345 ±" not in text
    assert "| no: BLEU-3 within error, Self-BLEU-3 higher |" in text
    assert "outside the curve" in text and "[Training of good](training_3.png)" in text


def test_pictures_show_something(made):
    pictures = list(made.glob("*.png"))
    assert len(pictures) == 4
    for picture in pictures:
        with Image.open(picture) as image:
            assert len(set(image.convert("L").resize((64, 64)).tobytes())) > 5


def test_quickstart(tmp_path, monkeypatch, capsys):
    """A page of several kinds of data, in another folder; stale pictures go, other files stay."""
    experiments.quickstart(tmp_path)
    output = tmp_path / "else" / "where"
    output.mkdir(parents=True)
    (output / "training_9.png").write_text("of a system that is gone")
    (output / "mine.txt").write_text("kept")
    make(tmp_path, monkeypatch, "--output", output)
    names = {path.name for path in output.iterdir()}
    assert names == {
        "mine.txt", "report.html", "report.md", "report.json", "quality_bars.png",
        "quality_diversity.png", "translation_1.png", "training_1.png",
    }  # fmt: skip
    page = (output / "report.html").read_text()
    assert "last &lt;word&gt;." in page and "<b>s2s</b>: perfect" in page
    assert "<code>bash recipes/some.sh</code>" in page and "his&lt;/b&gt; son &amp; a star" in page
    text = (output / "report.md").read_text()
    assert "- s2s: perfect" in text and "- source / thou seest the land" in text
    printed = capsys.readouterr().out
    assert text in printed and printed.endswith(f"wrote {output}\n")


def break_log(folder):
    (folder / "models/good.log").write_text('{"num_updates": "3", "lr": "1"}\n')


def break_section(folder):
    experiments.change_json(
        folder / "experiment.json", lambda content: content["report"].append("nonsense")
    )


def break_translations(folder):
    (folder / "samples/same.txt").write_text("one line\n")


def break_samples(folder):
    (folder / "samples/good.txt").write_text("one sample\n")


def break_kind(folder):
    experiments.change_json(
        folder / "experiment.json", lambda content: content["report"].append("oracle")
    )


@pytest.mark.parametrize(
    ("break_it", "says"),
    [
        (break_log, "good.log: there is no curve to draw"),
        (break_section, "there is no section 'nonsense'; choose from quality, curves"),
        (break_translations, "same.txt has 1 lines for 2 references"),
        (break_samples, "good.txt has 1 lines; at least 2 are needed"),
        (break_kind, "section oracle needs a system on data of oracle"),
    ],
)
def test_failures_leave_the_last_report(tmp_path, monkeypatch, break_it, says):
    experiments.quickstart(tmp_path)
    last = tmp_path / "report" / "report.html"
    experiments.write_lines(last, ["the last one"])
    break_it(tmp_path)
    with pytest.raises(UsageError, match=says):
        make(tmp_path, monkeypatch)
    assert [path.name for path in last.parent.iterdir()] == [last.name]
    assert last.read_text() == "the last one\n"


def test_names_of_sections_are_there_at_once():
    """An experiment file is checked without waiting for matplotlib or pandas."""
    command = (
        "import sys; sys.argv[0] = '-m'; from fairseq_genext.evaluation.sections import SECTIONS; "
        "print(*SECTIONS, {'matplotlib', 'pandas', 'torch'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", command], capture_output=True, text=True)
    assert done.stdout.split() == [*NAMES, "set()"] and list(SECTIONS) == list(NAMES)


def test_json_is_json(made):
    figures = json.loads((made / "report.json").read_text())
    assert list(figures)[:4] == ["title", "command", "findings", "systems"]
    assert list(figures)[4:] == ["quality", "curves", "gains", "costs", "samples", "training"]
