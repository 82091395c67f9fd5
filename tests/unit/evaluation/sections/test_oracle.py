"""The oracle benchmark: its figures by hand."""

import experiments
import pytest

from fairseq_genext.errors import UsageError
from fairseq_genext.evaluation.results import Results
from fairseq_genext.evaluation.sections import oracle


def point(oracle_nll, test_nll):
    return {"oracle_nll": oracle_nll, "test_nll": test_nll}


def test_distance_to_the_curve():
    # At the last point the curve turns back: worse than the first on both figures.
    curve = [point(9.0, 7.0), point(7.0, 8.0), point(9.5, 7.4)]
    assert oracle.below_curve(point(7.5, 7.5), curve) == pytest.approx(0.5)
    assert oracle.below_curve(point(8.5, 7.25), curve) == pytest.approx(0.0)
    assert oracle.below_curve(point(9.0, 7.75), curve) == pytest.approx(-1.5)
    assert oracle.below_curve(point(6.0, 8.1), curve) is None


def test_section(tmp_path):
    experiments.oracle(tmp_path)
    section = oracle.build(Results(tmp_path), tmp_path)
    gan = section.figures["systems"]["gan"]
    assert gan["gain"] == pytest.approx([1.0, 1.2])
    assert gan["below_curve"] == pytest.approx([0.0, 0.2])
    table = section.blocks[0].frame.set_index("system")
    assert table.loc["gan", "NLL_oracle ↓"] == "7.900 ±\N{NO-BREAK SPACE}0.141"
    assert table.loc["gan", "below its start"] == "1.100 ±\N{NO-BREAK SPACE}0.141"
    assert table.loc["mle", "published"] == "9.038" and table.loc["gan", "published"] == "–"
    assert table.loc["gan", "chosen at"] == "20, 30" and table.loc["gan", "updates"] == "30"
    said = [line for _, line in section.findings]
    assert "Within error of the likelihood curve, lower by +0.10 ±\N{NO-BREAK SPACE}0.14" in said[1]
    assert "gan" in said[1] and "the start itself" not in said[1]
    assert "unmoved" in said[2] and "In 1 of 2 seeds what was chosen is the start itself" in said[2]
    temperatures = section.blocks[-1].frame
    assert temperatures["temperature"].tolist() == ["1", "0.5", "1.5", "1", "1"]


@pytest.mark.parametrize(("error", "told"), [(0.1, "Better than"), (0.15, "Within error of")])
def test_one_seed_has_the_error_over_samples(error, told, tmp_path):
    """Seed 2 is 0.2 below the curve."""
    experiments.oracle(tmp_path)

    def second_seed(content):
        for system in content["systems"].values():
            system["seeds"] = [2]

    def put(content):
        for point in content["points"]:
            point["oracle_nll_ci"] = error

    experiments.change_json(tmp_path / "experiment.json", second_seed)
    for path in (tmp_path / "measured").glob("*.2.json"):
        experiments.change_json(path, put)
    _, (_, said), *_ = oracle.build(Results(tmp_path), tmp_path).findings
    assert f"{told} the likelihood curve, lower by +0.20" in said


def shorter(measured):
    measured["points"].pop()


def colder(measured):
    measured["points"] = measured["points"][1:]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (shorter, "mle.2.json has other temperatures than the first seed"),
        (colder, "mle.2.json has no point at temperature 1"),
    ],
)
def test_temperatures_that_do_not_fit(tmp_path, change, says):
    experiments.oracle(tmp_path)
    experiments.change_json(tmp_path / "measured/mle.2.json", change)
    with pytest.raises(UsageError, match=says):
        oracle.build(Results(tmp_path), tmp_path)
