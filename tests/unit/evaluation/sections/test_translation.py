"""Translation: paired with which run, and what is said of it."""

import experiments
import pytest
import sacrebleu

from fairseq_genext.data import pieces
from fairseq_genext.errors import UsageError
from fairseq_genext.evaluation.results import Results
from fairseq_genext.evaluation.sections import translation

FILES = experiments.pinned("translation_report")[0]["texts"]


def bleu(name: str) -> float:
    return sacrebleu.corpus_bleu(FILES[name], [FILES["target.txt"]]).score


@pytest.fixture
def folder(tmp_path):
    experiments.translation(tmp_path)
    return tmp_path


def build(folder):
    return translation.build(Results(folder), folder)


def runs_of(section) -> dict:
    (table,) = section.figures["tables"]
    return {(row["system"], row["seed"]): row for row in table["runs"]}


def test_figures(folder):
    section = build(folder)
    runs, (table,) = runs_of(section), section.figures["tables"]
    means = {row["system"]: row for row in table["means"]}
    assert list(means) == ["poor", "good", "as_poor"]
    assert runs["good", 2]["bleu"] == pytest.approx(bleu("good2.txt"))
    # Seed for seed, and the first baseline where there is none of the seed.
    assert runs["good", 2]["difference"] == pytest.approx(bleu("good2.txt") - bleu("poor2.txt"))
    assert runs["as_poor", 7]["difference"] == pytest.approx(bleu("poor3.txt") - bleu("poor1.txt"))
    assert means["good"]["bleu"] == pytest.approx((bleu("good1.txt") + bleu("good2.txt")) / 2)
    assert means["good"]["seconds"] == 110 and means["good"]["seeds"] == 2
    assert means["good"]["largest_p"] < 0.05 < means["as_poor"]["largest_p"]
    said = "\n".join(line for _, line in section.findings)
    assert "good, greedy: BLEU" in said and "above poor (p ≤ 0.001 for each of 2 seeds)" in said
    assert "as poor, greedy" in said and "NOT significant" in said
    assert "NOT above copying" not in said
    tables = [block.frame for block in section.blocks if block.kind == "table"]
    assert tables[0]["system"].tolist() == ["poor", "good", "as poor", "copy of the source"]
    assert tables[0]["parameters"].tolist() == ["12,345", "–", "–", "–"]
    assert len(tables[1]) == 5  # seed by seed
    assert {path.name for path in folder.glob("*.png")} == {"translation_1.png", "learning_1.png"}


def test_real_text_is_normalised_as_the_systems_model_does(folder):
    """Full width, which NFKC makes plain; a system's own output is plain already."""
    before = build(folder).figures
    for name in ("old", "new"):
        lines = (folder / f"data/test.{name}").read_text()
        wide = lines.translate({code: code + 0xFEE0 for code in range(0x21, 0x7F)})
        assert wide != lines
        (folder / f"data/test.{name}").write_text(wide)
    assert build(folder).figures != before
    pieces.train(str(folder / "data/pieces"), [str(folder / "data/test.new")], 30, "nfkc")
    assert build(folder).figures == before


def change(folder, name, **entries):
    experiments.change_json(
        folder / "experiment.json", lambda content: content["systems"][name].update(entries)
    )


def test_a_system_may_have_a_baseline_of_its_own(folder):
    change(folder, "good", baseline=None)
    change(folder, "as_poor", baseline="good")
    section = build(folder)
    runs = runs_of(section)
    assert len(runs) == 5
    assert runs["as_poor", 7]["difference"] == pytest.approx(bleu("poor3.txt") - bleu("good1.txt"))
    assert all("difference" not in runs[name, 1] for name in ("poor", "good"))
    assert any("below good (p" in line for _, line in section.findings)


def test_tables_of_their_own(folder):
    change(folder, "good", table="Others", baseline=None)
    section = build(folder)
    assert [table["title"] for table in section.figures["tables"]] == ["Systems", "Others"]
    # The first table's findings go to the box at the top, the second's stand above it.
    assert not any("good" in line for _, line in section.findings)
    (points,) = (
        block for block in section.blocks if block.kind == "lines" and not block.lines[0][0]
    )
    assert points.lines[0][1].startswith("good, greedy: BLEU 79.8, above the 2.1 of copying")


def test_copying_that_is_not_beaten_is_called_that(folder):
    experiments.write_lines(folder / "data/test.old", FILES["target.txt"])
    assert build(folder).findings[-1] == (
        "",
        "NOT above copying the source, which scores BLEU 100.0: poor, good, as poor.",
    )


@pytest.mark.parametrize(
    ("break_it", "says"),
    [
        (
            lambda folder: change(folder, "poor", table="x"),
            "'poor', its baseline, must be a system",
        ),
        (lambda folder: change(folder, "poor", baseline="good"), "'good', its baseline, must be"),
        (lambda folder: (folder / "translations/good1.txt").unlink(), "good1.txt does not exist"),
        (
            lambda folder: experiments.write_lines(folder / "data/test.old", ["one"]),
            "test.* have 1 and 40 lines",
        ),
        (
            lambda folder: experiments.change_json(
                folder / "measured/good.1.json",
                lambda content: content["points"][0].update(decoding="beam 5"),
            ),
            "poor, a baseline, has no translations by beam 5",
        ),
    ],
)
def test_what_cannot_be_compared(folder, break_it, says):
    break_it(folder)
    with pytest.raises(UsageError, match=says):
        build(folder)
