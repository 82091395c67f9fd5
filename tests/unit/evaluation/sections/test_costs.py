"""Costs of systems and steps."""

import experiments
import pytest

from fairseq_genext.errors import UsageError
from fairseq_genext.evaluation.results import Results
from fairseq_genext.evaluation.sections import costs

HEAD = "s\th:m:s\tmax_rss\tmax_vms\tmean_load\tcpu_time"


def test_section(tmp_path):
    experiments.comparison(tmp_path)
    benchmarks = tmp_path / "benchmarks"
    experiments.write_lines(
        benchmarks / "train-lm.1.tsv", [HEAD, "61.5\t0:01:01\t512.25\t1\t1\t90.5"]
    )
    experiments.write_lines(benchmarks / "measure-lm.1.tsv", [HEAD, "0.1\t0:00:00\t-\t-\t0\t0.0"])
    # Of a system, a seed, data and scores that the experiment no longer has.
    for gone in ("train-old.1", "sample-lm.9", "data-old", "scorer-lm.1", "flops-lm", "report"):
        experiments.write_lines(benchmarks / f"{gone}.tsv", [HEAD, "9\t0:00:09\t9\t9\t9\t9"])
    section = costs.build(Results(tmp_path), tmp_path)
    assert section.figures["steps"] == [
        {
            "step": "measure-lm.1",
            "seconds": 0.1,
            "processor_seconds": 0.0,
            "peak_memory_mib": None,
        },
        {
            "step": "train-lm.1",
            "seconds": 61.5,
            "processor_seconds": 90.5,
            "peak_memory_mib": 512.25,
        },
    ]
    steps = section.blocks[-1]
    assert steps.folded == "Every step (2, 62 s in all)"
    assert steps.frame.iloc[1].tolist() == ["train-lm.1", "61.5", "90.5", "512"]
    table = section.blocks[0].frame.set_index("system")
    assert table.loc["good", "training s"] == "200 ±\N{NO-BREAK SPACE}100"  # its start's
    assert table.loc["good", "sampled tokens/s ↑"] == "1,000"
    ((about, told),) = section.findings
    assert about == "Cost of the best in quality" and told.startswith("gpt 200 ±")


@pytest.mark.parametrize("lines", [[HEAD], ["s\tmax_rss", "1\t2"], []])
def test_no_benchmark(tmp_path, lines):
    experiments.comparison(tmp_path)
    experiments.write_lines(tmp_path / "benchmarks/train-lm.1.tsv", lines)
    with pytest.raises(UsageError, match="train-lm.1.tsv is no benchmark file of Snakemake"):
        costs.steps(Results(tmp_path))
