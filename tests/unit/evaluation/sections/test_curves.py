"""Gaps to temperature curves by hand."""

import experiments
import pytest

from fairseq_genext.evaluation.results import Results
from fairseq_genext.evaluation.sections import curves, gains, quality


def test_gap_to_the_curves_by_interpolation(tmp_path):
    """The curve of `gpt` is a line: BLEU-3 rises by 0.1 where Self-BLEU-3 rises by 0.2."""
    experiments.comparison(tmp_path)
    results = Results(tmp_path)
    gaps = curves.curve_gaps(results, list(results.systems.values()))
    found = {(row["system"], row["curve"]): row for row in gaps}
    places = [(0.40, 0.40), (0.42, 0.41), (0.41, 0.42)]  # BLEU-3 and Self-BLEU-3 of gpt by seed
    good = [(0.50, 0.38), (0.53, 0.40), (0.52, 0.39)]
    expected = [
        b - (at + (s - place) / 2) for (b, s), (at, place) in zip(good, places, strict=True)
    ]
    assert found["good", "gpt"]["gap"] == pytest.approx(expected)
    assert found["good", "gpt"]["verdict"] == "above"
    assert found["poor", "lm"]["verdict"] == "below"
    along = [
        [
            point["bleu_3"] - (at + (point["self_bleu_3"] - place) / 2)
            for point in results.points["good"][seed]
            if point["top_p"] == 1 and abs(point["self_bleu_3"] - place) <= 0.1 + 1e-9
        ]
        for seed, (at, place) in zip((1, 2, 3), places, strict=True)
    ]
    assert len(along[0]) > 1
    assert found["good", "gpt"]["mean_gap"] == pytest.approx([sum(a) / len(a) for a in along])
    assert found["same", "lm"] == {
        "system": "same", "curve": "lm", "gap": [], "mean_gap": [], "frechet_gap": [],
        "lm_gap": [], "reverse_lm_gap": [], "sign": None, "verdict": "outside the curve",
    }  # fmt: skip
    mean = curves.mean_curves(results, list(results.systems.values())).set_index(
        ["system", "temperature", "top_p"]
    )
    assert mean.loc[("gpt", 1.0, 1.0), "bleu_3"] == pytest.approx(0.41)
    assert mean.loc[("gpt", 1.0, 1.0), "bleu_3_sd"] == pytest.approx(0.01)
    assert mean.loc[("gpt", 1.0, 0.9), "seeds"] == 3


def test_curve_is_interpolated_in_temperature_alone_and_never_continued():
    points = [
        {"self_bleu_3": 0.4 + shift, "bleu_3": 0.4 + shift / 2, "frechet": shift**2, "top_p": 1.0}
        for shift in (-0.1, 0, 0.1)
    ]
    points.append({"self_bleu_3": 0.4, "bleu_3": 0.9, "top_p": 0.9})
    assert curves.on_curve(points, "bleu_3", 0.4) == pytest.approx(0.4)
    assert curves.on_curve(points, "bleu_3", 0.45) == pytest.approx(0.425)
    assert curves.on_curve(points, "bleu_3", 0.31) == pytest.approx(0.355)
    assert curves.on_curve(points, "bleu_3", 0.29) is None
    assert curves.on_curve(points, "bleu_3", 0.51) is None
    assert curves.on_curve(points, "frechet", 0.45) == pytest.approx(0.005)
    assert curves.on_curve(points, "mauve", 0.4) is None


@pytest.mark.parametrize(
    ("figure", "gap", "heading"),
    [
        ("frechet", "frechet_gap", "Fréchet distance"),
        ("lm_score", "lm_gap", "LM score"),
        ("reverse_lm_score", "reverse_lm_gap", "reverse LM score"),
    ],
)
def test_gaps_of_other_figures(figure, gap, heading, tmp_path):
    """That of good at temperature 1 is 0.2, and every curve's is 0.5."""
    experiments.comparison(tmp_path, seeds=[1])

    def put(value):
        def change(content):
            for point in content["points"]:
                point[figure] = value

        return change

    for path in (tmp_path / "measured").glob("*.json"):
        experiments.change_json(path, put(0.2 if path.stem == "good.1" else 0.5))
    results = Results(tmp_path)
    gaps = curves.curve_gaps(results, list(results.systems.values()))
    assert gaps[0][gap] == pytest.approx([-0.3])
    table = curves.build(results, tmp_path).blocks[2].frame
    assert table[f"{heading} less the curve's"][0] == "−0.300"


def test_one_seed_is_said_to_be_one(tmp_path):
    experiments.comparison(tmp_path, seeds=[1])
    results = Results(tmp_path)
    gaps = curves.curve_gaps(results, list(results.systems.values()))
    ((_, told),) = curves.finding(results, gaps)
    assert "above: good (+" in told and "one seed alone" in told and "not reached: same" in told


def test_held_out_text_against_the_curves(tmp_path):
    """Its place is the same for every seed, the curves are not."""
    experiments.comparison(tmp_path)

    def put(content):
        content["points"][0] |= {"bleu_3": 0.45, "self_bleu_3": 0.43}

    experiments.change_json(tmp_path / "measured/held_out.json", put)
    results = Results(tmp_path)
    systems = list(results.systems.values())
    found = {row["curve"]: row for row in curves.held_out_gaps(results, systems)}
    places = [(0.40, 0.40), (0.42, 0.41), (0.41, 0.42)]  # as above
    assert found["gpt"]["gap"] == pytest.approx([0.45 - at - (0.43 - s) / 2 for at, s in places])
    assert found["gpt"]["verdict"] == "above"
    table = curves.build(results, tmp_path).blocks[2].frame
    assert list(table["system"])[-2:] == ["held-out text"] * 2


@pytest.mark.parametrize(("error", "verdict"), [(0.01, "above"), (0.2, "within error")])
def test_one_seed_has_the_error_over_samples(error, verdict, tmp_path):
    """Good is 0.11 above the curve; then so is what adversarial training changed."""
    experiments.comparison(tmp_path, seeds=[1])

    def put(content):
        for point in content["points"]:
            point["bleu_3_ci"] = error

    for path in (tmp_path / "measured").glob("*.json"):
        experiments.change_json(path, put)
    results = Results(tmp_path)
    systems = list(results.systems.values())
    found = {(row["system"], row["curve"]): row for row in curves.curve_gaps(results, systems)}
    assert found["good", "gpt"]["verdict"] == f"{verdict}, one seed alone"
    (good, _) = gains.gains(results, systems)
    told = {"above": "yes", "within error": "no: BLEU-3 within error"}[verdict]
    assert good["verdict"] == f"{told}, one seed alone"


@pytest.mark.parametrize(("lines", "told"), [(100, False), (99, True)])
def test_a_star_of_fewer_lines_would_be_too_far_left(lines, told, tmp_path, monkeypatch):
    experiments.comparison(tmp_path, seeds=[1])

    def count(number):
        def change(content):
            for point in content["points"]:
                point["num_samples"] = number

        return change

    for path in (tmp_path / "measured").glob("*.json"):
        experiments.change_json(path, count(lines if path.stem == "held_out" else 100))
    stars = []
    monkeypatch.setattr(
        curves, "quality_diversity_curves", lambda *_, held_out: stars.append(held_out)
    )
    section = curves.build(Results(tmp_path), tmp_path)
    assert len(stars) == 2 and all((star is None) == told for star in stars)
    assert ("Held-out text has fewer lines" in section.blocks[1].text) == told
    results = Results(tmp_path)
    found = dict(quality.findings(results, list(results.systems.values())))
    assert ("held-out text" in found["Diversity"]) != told and "held-out text" in found["Quality"]
