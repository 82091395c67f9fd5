"""Who leads, and when nobody does."""

import experiments
import pytest

from fairseq_genext.evaluation.results import Results
from fairseq_genext.evaluation.sections import quality


def text_systems(folder, bleu: dict[str, list[float]], families: dict[str, str], interval=None):
    """Systems with these BLEU-3 at temperature 1, a value a seed."""
    points = {}
    for name, values in bleu.items():
        point = {"temperature": 1, "top_p": 1, "self_bleu_3": 0.4, "num_samples": 2}
        point["samples"] = "samples.txt"
        points[name] = {
            seed: [point | {"bleu_3": value} | ({"bleu_3_ci": interval} if interval else {})]
            for seed, value in enumerate(values)
        }
    systems = {
        name: {"data": "text", "family": families[name], "seeds": list(by_seed)}
        for name, by_seed in points.items()
    }
    experiments.write_experiment(
        folder, systems, points, {}, {}, data={"text": experiments.TEXTS}, report=["quality"]
    )
    return dict(quality.findings(Results(folder), list(Results(folder).systems.values())))


@pytest.mark.parametrize(
    ("bleu", "says"),
    [([0.40, 0.42, 0.41], "within error"), ([0.50, 0.52, 0.51], "the best GAN gan")],
)
def test_a_lead_within_error_over_seeds(tmp_path, bleu, says):
    said = text_systems(
        tmp_path, {"gpt": [0.41, 0.42, 0.40], "gan": bleu}, {"gpt": "likelihood", "gan": "gan"}
    )
    assert said["Quality"].startswith(says) and "one seed" not in str(said)


@pytest.mark.parametrize(("other", "tied"), [(0.387, True), (0.37, False)])
def test_a_lead_within_sampling_error_of_one_seed(tmp_path, other, tied):
    """The error of the difference is √2 × 0.012 = 0.017."""
    families = {"gpt": "likelihood", "gan": "gan"}
    said = text_systems(tmp_path, {"gan": [0.396], "gpt": [other]}, families, 0.012)
    assert said["Quality"].startswith("within error of each other") == tied
    assert "one seed alone" in said["Quality"]
    assert said["Caution"].startswith("one seed alone of every system")
    families["gan"] = "likelihood"
    said = text_systems(tmp_path, {"gan": [0.396], "gpt": [other]}, families, 0.012)
    assert ("within error of it gpt" in said["Quality"]) == tied
    assert said["Quality"].startswith("the best likelihood-trained model gan 0.396")


def test_one_seed_is_said_to_be_one(tmp_path):
    experiments.comparison(tmp_path, seeds=[1])
    results = Results(tmp_path)
    said = dict(quality.findings(results, list(results.systems.values())))
    assert said["Caution"].startswith("one seed alone of every system")
    assert "one seed alone" in said["Quality"] and "one seed alone" in said["Diversity"]
