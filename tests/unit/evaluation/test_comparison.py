"""The comparison's figures, verdicts and pages on made-up sweeps."""

import json
import math
import re

import pytest
import yaml
from PIL import Image

from fairseq_genext.errors import UsageError
from fairseq_genext.evaluation import comparison
from fairseq_genext.evaluation.metrics.nearest import NearestSentences
from fairseq_genext.evaluation.metrics.yardstick import Yardstick
from fairseq_genext.evaluation.reporting import seeds
from fairseq_genext.evaluation.reporting.compared import Run, System, read_manifest, read_systems
from fairseq_genext.evaluation.reporting.comparison_findings import findings
from fairseq_genext.evaluation.reporting.verdicts import bleu_on_curve, curve_gaps, gains

TEXT = {
    "test.txt": ["the king saw the land", "a man made bread", "his son saw a star"],
    "valid.txt": ["the man saw a star", "a king made bread", "his son saw the land"],
    "train.txt": ["the king made bread", "a man saw the land", "<b>his</b> star is here"],
}
SAMPLES = ["the king made bread", "<b>his</b> star saw the land"]
# Straight lines: Self-BLEU-3 falls by 0.2 and BLEU-3 by 0.1 for one degree.
TEMPERATURES = (0.5, 1.0, 1.5)


def curve(name: str, bleu: float, self_bleu: float, slope: float = 0.1) -> list[dict]:
    """A system's points, ``bleu`` and ``self_bleu`` being those at temperature 1."""
    points = [
        {
            "temperature": temperature,
            "top_p": 1.0,
            "samples": f"{name}/t{temperature:.2f}.txt",
            "seconds": 1.5,
            "tokens_per_second": 1000.0,
            "num_samples": 2,
            "frechet": 0.5,
            "distinct_2": 0.9,
            "copied": 0.5,
            **{f"bleu_{n}": bleu + slope * (1 - temperature) - 0.1 * (n - 3) for n in (3, 4)},
            **{f"self_bleu_{n}": self_bleu + 0.2 * (1 - temperature) for n in (3, 4)},
        }
        for temperature in TEMPERATURES
    ]
    return [*points, {**points[1], "top_p": 0.9, "samples": f"{name}/p0.90.txt", "bleu_3": 0.9}]


# BLEU-3 and Self-BLEU-3 at temperature 1, by system and seed.
PLACES = {
    "lm": [(0.30, 0.40), (0.32, 0.42), (0.31, 0.41)],
    "gpt": [(0.40, 0.40), (0.42, 0.41), (0.41, 0.42)],
    "good": [(0.50, 0.38), (0.53, 0.40), (0.52, 0.39)],
    "poor": [(0.30, 0.49), (0.33, 0.51), (0.315, 0.50)],
    "same": [(0.95, 0.90), (0.94, 0.91), (0.96, 0.90)],
}
STARTS = {"good": "lm", "poor": "lm"}
LOG = [
    '{"epoch": 1, "num_updates": "10", "ppl": "90.5", "phase": "0"}',
    '{"epoch": 1, "num_updates": "20", "d_loss": "0.7", "phase": "1", "ppl": null}',
    '{"epoch": 1, "num_updates": "30", "d_loss": "0.6", "g_loss": "0.9", "phase": "2"}',
]


def manifest_of(number: int) -> dict:
    """A manifest with ``number`` seeds."""
    systems = []
    for name in PLACES:
        family = "likelihood" if name in ("lm", "gpt") else "gan"
        runs = [
            {
                "seed": seed,
                "log": "train.log" if name in STARTS else None,
                "perplexity": 50 + seed if name != "good" else f"{seed}.ppl",
                "seconds": 100 * seed,
                "parameters": 12345,
            }
            for seed in range(1, number + 1)
        ]
        systems.append({"name": name, "family": family, "start": STARTS.get(name), "runs": runs})
    return {
        "title": "A <small> comparison",
        "command": "bash recipes/some.sh",
        "data": "Three lines.",
        "notes": ["The last <word>."],
        "references": "test.txt",
        "anchor": "valid.txt",
        "train": "train.txt",
        "sweeps": {seed: f"{seed}/sweep.json" for seed in range(1, number + 1)},
        "systems": systems,
        "images": [{"caption": "a grid", "file": "grid.png"}],
    }


def write_sweeps(tmp_path):
    """Three seeds of five systems."""
    for name, lines in TEXT.items():
        (tmp_path / name).write_text("\n".join(lines) + "\n")
    (tmp_path / "train.log").write_text("\n".join(LOG) + "\n")
    Image.new("L", (8, 8)).save(tmp_path / "grid.png")
    references = [line.split() for line in TEXT["test.txt"]]
    settings = {"encoder": Yardstick(references, None).encoder.name, "num_references": 3}
    for seed in (1, 2, 3):
        swept = {name: curve(name, *places[seed - 1]) for name, places in PLACES.items()}
        for points in swept.values():
            for point in points:
                path = tmp_path / str(seed) / point["samples"]
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text("\n".join(SAMPLES) + "\n")
        written = {"settings": settings, "systems": swept}
        (tmp_path / f"{seed}/sweep.json").write_text(json.dumps(written))
        (tmp_path / f"{seed}.ppl").write_text(f"Loss (base 2): 6.0, Perplexity: {60 + seed}.5\n")


@pytest.fixture
def folder(tmp_path):
    write_sweeps(tmp_path)
    return tmp_path


def make(folder, monkeypatch, number=3, **changes):
    path = folder / "manifest.yaml"
    path.write_text(yaml.safe_dump(manifest_of(number) | changes))
    monkeypatch.setattr("sys.argv", ["comparison", str(path), "--output", str(folder / "out")])
    comparison.main()
    return folder / "out"


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """The report of all three seeds."""
    folder = tmp_path_factory.mktemp("comparison")
    write_sweeps(folder)
    with pytest.MonkeyPatch.context() as monkeypatch:
        return make(folder, monkeypatch)


def figures_of(out):
    return json.loads((out / "comparison.json").read_text())


def test_means_and_deviations_over_seeds(made):
    systems = {system["name"]: system for system in figures_of(made)["systems"]}
    good = systems["good"]["figures"]
    values = [0.50, 0.53, 0.52]
    mean = sum(values) / 3
    deviation = math.sqrt(sum((value - mean) ** 2 for value in values) / 2)
    assert good["bleu_3"]["values"] == values
    assert good["bleu_3"]["mean"] == pytest.approx(mean)
    assert good["bleu_3"]["deviation"] == pytest.approx(deviation)
    assert good["perplexity"]["values"] == [61.5, 62.5, 63.5]
    assert good["seconds"]["values"] == [100, 200, 300]  # of training, not of sampling
    table = (made / "comparison.md").read_text()
    assert f"{mean:.3f} ±\N{NO-BREAK SPACE}{deviation:.3f}" in table
    assert "62.5 ±\N{NO-BREAK SPACE}1.0" in table and "12,345 ±" not in table
    measured = Yardstick([line.split() for line in TEXT["test.txt"]], None).measure(
        [line.split() for line in TEXT["valid.txt"]][:2]
    )
    held_out = figures_of(made)["held_out"]
    assert held_out["bleu_3"] == pytest.approx(measured["bleu_3"])
    assert held_out["num_samples"] == 2  # as many as there are samples


def test_gap_to_the_curves_by_interpolation(made):
    """The curve of `gpt` at Self-BLEU s has BLEU 0.40 + (s - 0.40) / 2 in the first seed."""
    found = {(row["name"], row["curve"]): row for row in figures_of(made)["curve_gaps"]}
    expected = [
        bleu - (at + (self_bleu - place) * 0.1 / 0.2)
        for (bleu, self_bleu), (at, place) in zip(PLACES["good"], PLACES["gpt"], strict=True)
    ]
    assert found["good", "gpt"]["gap"] == pytest.approx(expected)
    assert found["good", "gpt"]["verdict"] == "above"
    assert found["poor", "gpt"]["verdict"] == "below"
    assert found["poor", "lm"]["verdict"] == "below"
    assert found["same", "lm"] == {
        "name": "same", "curve": "lm", "gap": [], "sign": None, "verdict": "outside the curve",
    }  # fmt: skip


def test_curve_is_interpolated_in_temperature_alone_and_never_continued():
    points = curve("x", 0.4, 0.4)
    assert bleu_on_curve(points, 0.4) == pytest.approx(0.4)
    assert bleu_on_curve(points, 0.45) == pytest.approx(0.425)
    assert bleu_on_curve(points, 0.31) == pytest.approx(0.355)
    assert bleu_on_curve(points, 0.29) is None and bleu_on_curve(points, 0.51) is None


def test_adversarial_gain_and_its_verdict(made):
    rows = {r["name"]: r for r in figures_of(made)["adversarial_training"]}
    assert list(rows) == ["good", "poor"]
    assert rows["good"]["bleu_3"]["difference"] == pytest.approx([0.20, 0.21, 0.21])
    assert rows["good"]["self_bleu_3"]["difference"] == pytest.approx([-0.02] * 3)
    assert rows["good"]["verdict"] == "yes"
    assert rows["poor"]["verdict"] == "no: BLEU-3 within error, Self-BLEU-3 higher"


def test_findings_say_who_leads_and_when_nobody_does(made):
    said = dict(line.split(": ", 1) for line in figures_of(made)["findings"])
    assert "GAN same 0.950" in said["Quality"] and "is better than" in said["Quality"]
    assert "within error of each other" in said["Diversity"]
    assert "likelihood-trained model lm 52.0" in said["Likelihood"]
    assert "above: good (+" in said["Both at once"] and "not reached: same" in said["Both at once"]
    assert "1 of 2 GANs: good +0.207" in said["Adversarial training"]
    assert "Caution" not in said and "one seed" not in str(said)


def test_one_seed_is_said_to_be_one(folder, monkeypatch):
    out = make(folder, monkeypatch, number=1)
    figures = figures_of(out)
    said = dict(line.split(": ", 1) for line in figures["findings"])
    assert said["Caution"].startswith("one seed alone of every system")
    for question in ("Quality", "Diversity", "Both at once", "Adversarial training"):
        assert "one seed alone" in said[question]
    assert figures["systems"][0]["figures"]["bleu_3"]["deviation"] is None
    assert "±\N{NO-BREAK SPACE}" not in (out / "comparison.md").read_text()


def test_page_needs_no_network_and_escapes_text(made):
    page = (made / "comparison.html").read_text()
    sources = re.findall(r'(?:src|href)="([^"]{0,30})', page)
    # Two planes, two trainings, one grid.
    assert len(sources) == 5 and all(source.startswith("data:image/png") for source in sources)
    assert "url(" not in page and "<script" not in page
    assert "&lt;b&gt;his&lt;/b&gt; star" in page and "A &lt;small&gt; comparison" in page
    order = (
        "Quality:", "Three lines", "Cost</h2>", "What adversarial", "other temperatures",
        "Training</h2>", "at random", "nearest training", "Images</h2>", "last &lt;word",
    )  # fmt: skip
    assert sorted(order, key=page.index) == list(order)
    nearest = figures_of(made)["examples"]["lm"]["nearest"]
    assert nearest[0]["training"] == SAMPLES[0] and nearest[0]["similarity"] == pytest.approx(1)
    assert nearest[1]["training"] == "a man saw the land" and 0 < nearest[1]["similarity"] < 1


def test_scores_of_the_samples_join_by_name_or_folder(folder, monkeypatch):
    columns = {
        "1/lm/t1.00.txt": {"lm_score": 3.0, "frechet": 7.0, "bleu_3": 0.0},
        "gpt": {"lm_score": 4.0, "mauve": None},
        "valid": {"lm_score": 2.5},
    }
    scored = {"settings": {"encoder": "another"}, "figures": columns}
    (folder / "scores.json").write_text(json.dumps(scored))
    figures = figures_of(make(folder, monkeypatch, number=1, scores={1: "scores.json"}))
    lm, gpt, good = (system["figures"] for system in figures["systems"][:3])
    assert lm["lm_score"]["values"] == [3.0] and gpt["lm_score"]["values"] == [4.0]
    assert lm["bleu_3"]["values"] == [0.30]  # the sweep's
    # Distances by another encoder do not stand beside the sweep's.
    assert lm["frechet"]["values"] == [7.0] and "frechet" not in good
    assert figures["held_out"]["lm_score"] == 2.5 and "frechet" not in figures["held_out"]


def change_sweep(folder, seed, change):
    path = folder / f"{seed}/sweep.json"
    swept = json.loads(path.read_text())
    change(swept)
    path.write_text(json.dumps(swept))


SYSTEM = {"name": "lm", "family": "likelihood", "runs": [{"seed": 1}]}


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"sweeps": {}}, "sweeps must map seeds"),
        ({"sweeps": {1: "nowhere.json"}}, "nowhere.json does not exist"),
        ({"sweeps": {1: "test.txt"}}, "test.txt is not valid JSON"),
        ({"systems": [{**SYSTEM, "runs": []}]}, "lm has no runs"),
        ({"systems": [{"name": "lm", "family": "gan"}]}, "has no entry 'runs'"),
        ({"systems": [{**SYSTEM, "family": "x"}]}, "family must be one of likelihood, gan"),
        ({"systems": [{**SYSTEM, "runs": [{"seed": 9}]}]}, "lm, seed 9: sweeps has no such seed"),
        ({"systems": [{**SYSTEM, "runs": [{"seed": 1}] * 2}]}, "two runs of seed 1"),
        ({"systems": [{**SYSTEM, "name": "x"}]}, "no system called 'x'"),
        ({"systems": [{**SYSTEM, "start": "x"}]}, "its start 'x' is no system here"),
        ({"systems": [SYSTEM, SYSTEM]}, "two systems called 'lm'"),
        (
            {"systems": [{**SYSTEM, "runs": [{"seed": 1, "log": "no.log"}]}]},
            "no.log does not exist",
        ),
        (
            {"images": [{"caption": "x", "file": "test.txt"}]},
            "test.txt does not exist or is no PNG",
        ),
        ({"references": "nowhere.txt"}, "nowhere.txt does not exist"),
        ({"references": "1.ppl"}, "measured against 3 references, and 1.ppl has 1"),
        ({"anchor": "1.ppl"}, "1.ppl has 1 lines; at least 2 are needed"),
        ({"scores": {1: "1/sweep.json"}}, "has no entry 'figures'"),
    ],
)
def test_failures_leave_the_last_report(folder, monkeypatch, changes, says):
    page = folder / "out" / "comparison.html"
    page.parent.mkdir()
    page.write_text("the last one")
    with pytest.raises(UsageError, match=says):
        make(folder, monkeypatch, **changes)
    assert [path.name for path in page.parent.iterdir()] == [page.name]
    assert page.read_text() == "the last one"


def no_temperature_1(swept):
    del swept["systems"]["lm"][1]


def more_samples(swept):
    swept["systems"]["lm"][0]["num_samples"] = 3


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (no_temperature_1, "lm was not sampled at temperature 1"),
        (more_samples, "sweeps have 2 and 3 samples a point"),
        (lambda swept: swept.pop("systems"), "has no entry 'systems'"),
    ],
)
def test_a_sweep_that_does_not_fit(folder, monkeypatch, change, says):
    change_sweep(folder, 2, change)
    with pytest.raises(UsageError, match=says):
        make(folder, monkeypatch)


@pytest.mark.parametrize(
    ("text", "says"),
    [(None, "does not exist"), ("", "has 0 lines"), ("one sample\n", "at least 2 are needed")],
)
def test_samples_that_are_missing_or_too_few(folder, monkeypatch, text, says):
    path = folder / "1/gpt/t1.00.txt"
    path.unlink()
    if text is not None:
        path.write_text(text)
    with pytest.raises(UsageError, match=says):
        make(folder, monkeypatch)


def test_seeds_that_systems_do_not_share(folder, monkeypatch):
    systems = manifest_of(3)["systems"]
    systems[0]["runs"] = systems[0]["runs"][:1]  # lm
    systems[2]["runs"] = systems[2]["runs"][1:]  # good, which started from it
    with pytest.raises(UsageError, match="good and its start lm have no seed in common"):
        make(folder, monkeypatch, systems=systems)


def test_runs_by_seed(folder):
    path = folder / "manifest.yaml"
    path.write_text(yaml.safe_dump(manifest_of(2)))
    good = read_systems(read_manifest(path))[2]
    assert list(good.runs) == ["1", "2"] and good.start == "lm"
    assert good.values("bleu_3") == [0.50, 0.53] and len(good.first.curve) == 4


def system(name, family, bleu, self_bleu=0.4, start=None):
    runs = {}
    for seed, value in enumerate(bleu):
        points = curve(name, value, self_bleu)
        runs[str(seed)] = Run(points[1], points, None, None)
    return System(name, family, start, None, runs)


@pytest.mark.parametrize(
    ("bleu", "says"),
    [([0.40, 0.42, 0.41], "within error"), ([0.50, 0.52, 0.51], "the best GAN gan")],
)
def test_a_lead_within_error_is_called_that(bleu, says):
    systems = [system("gpt", "likelihood", [0.41, 0.42, 0.40]), system("gan", "gan", bleu)]
    (_, quality), *_ = findings(systems, None, gains(systems), curve_gaps(systems))
    assert quality.startswith(says)


def test_signs_are_those_of_students_t():
    # 95 % of Student's t with two degrees of freedom lie within 4.303.
    assert seeds.sign_of_mean([0.1, 0.2, 0.3]) == 0  # t = 3.46
    assert seeds.sign_of_mean([0.15, 0.2, 0.25]) == 1  # t = 6.93
    assert seeds.sign_of_mean([-0.2]) == -1
    # Welch's t = 3.67 with 4 degrees of freedom, beyond 2.776; then 2.45, within.
    assert seeds.sign_of_difference([1, 2, 3], [4, 5, 6]) == -1
    assert seeds.sign_of_difference([1, 2, 3], [3, 4, 5]) == 0
    assert seeds.sign_of_difference([1, 1], [1, 1]) == 0
    assert seeds.sign_of_difference([2, 2], [1, 1]) == 1


def test_nearest_sentence():
    search = NearestSentences(["a man made bread", "the king saw the land", "a star"])
    found = search.find(["the king saw a land", "a star", "unheard of"])
    assert [sentence for _, sentence in found[:2]] == ["the king saw the land", "a star"]
    assert 0.3 < found[0][0] < 1 and found[1][0] == pytest.approx(1) and found[2][0] == 0
