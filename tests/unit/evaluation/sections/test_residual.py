"""What the section on a kept discriminator says of figures made by hand."""

import experiments
import pytest

from fairseq_genext.errors import UsageError
from fairseq_genext.evaluation.results import Results
from fairseq_genext.evaluation.sections import residual


def folder_with(folder, gains: dict[int, float], interval: float = 0.02):
    experiments.comparison(folder, seeds=list(gains))
    for seed, gain in gains.items():

        def add(content, gain=gain):
            content["points"][0] |= {
                "temperature": 1.0, "top_p": 1.0, "generator_nll": 4.0, "residual_nll": 4.0 - gain,
                "residual_nll_low": 3.9 - gain, "residual_nll_high": 4.1 - gain,
                "residual_gain": gain, "residual_gain_ci": interval, "discriminator_loss": 0.6,
                "calibration": [[0.2, 0.25], [0.7, 0.6]],
            }  # fmt: skip

        experiments.change_json(folder / f"measured/good.{seed}.json", add)
    return residual.build(Results(folder), folder)


@pytest.mark.parametrize(
    ("gains", "says"),
    [
        ({1: 0.05, 2: 0.06, 3: 0.055}, "improves"),
        ({1: 0.05, 2: -0.06, 3: 0.01}, "does not surely change"),
        ({1: -0.05, 2: -0.06, 3: -0.055}, "worsens"),
        ({1: 0.05}, "improves"),
        ({1: 0.01}, "does not surely change"),
    ],
)
def test_the_sign_of_the_gain(tmp_path, gains, says):
    section = folder_with(tmp_path, gains)
    ((_, told),) = section.findings
    assert f"good {says} its generator's" in told
    assert told.endswith("one seed alone.") == (len(gains) == 1)
    assert (tmp_path / "reliability.png").stat().st_size > 1000
    mean = sum(gains.values()) / len(gains)
    assert section.figures["good"]["residual_gain"]["mean"] == pytest.approx(mean)
    (row,) = section.blocks[0].frame.to_dict("records")
    assert row["gain ↑"].startswith(f"{mean:.3f}".replace("-", "−"))


def test_without_figures(tmp_path):
    experiments.comparison(tmp_path, seeds=[1])
    with pytest.raises(UsageError, match="needs a system with partition_samples"):
        residual.build(Results(tmp_path), tmp_path)
