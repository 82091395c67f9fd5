"""What adversarial training changed, by hand."""

import experiments
import pytest

from fairseq_genext.evaluation.results import Results
from fairseq_genext.evaluation.sections import gains


def test_gain_and_its_verdict(tmp_path):
    experiments.comparison(tmp_path)
    results = Results(tmp_path)
    rows = {row["system"]: row for row in gains.gains(results, list(results.systems.values()))}
    assert list(rows) == ["good", "poor"]
    assert rows["good"]["bleu_3"]["difference"] == pytest.approx([0.20, 0.21, 0.21])
    assert rows["good"]["self_bleu_3"]["difference"] == pytest.approx([-0.02] * 3)
    assert rows["good"]["verdict"] == "yes"
    assert rows["poor"]["verdict"] == "no: BLEU-3 within error, Self-BLEU-3 higher"


def test_one_seed_is_said_to_be_one(tmp_path):
    experiments.comparison(tmp_path, seeds=[2])
    results = Results(tmp_path)
    section = gains.build(results, tmp_path)
    ((_, told),) = section.findings
    assert told.endswith("in 1 of 2 GANs: good +0.210, one seed alone.")
    assert section.figures["systems"][0]["verdict"] == "yes, one seed alone"


def test_no_gan_with_a_start(tmp_path):
    experiments.comparison(tmp_path, seeds=[2])
    experiments.change_json(
        tmp_path / "experiment.json",
        lambda content: [system.pop("start") for system in content["systems"].values()],
    )
    section = gains.build(Results(tmp_path), tmp_path)
    assert section.findings == [] and "No GAN here starts" in section.blocks[0].text
