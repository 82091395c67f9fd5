"""What fairseq-generate prints, back in the order of the inputs."""

import pytest

from fairseq_genext.errors import UsageError
from fairseq_genext.evaluation.hypotheses import hypotheses

PRINTED = [
    "2026 | INFO | fairseq_cli.generate | …",
    "H-1\t-0.5\t▁b",
    "D-1\t-0.5\tb",
    "D-0\t-0.7\ta tab\tinside",
    "D-0\t-0.9\tsecond best",
    "D-2\t-0.1\t",
]


def test_best_hypothesis_of_each_input_in_order():
    assert hypotheses(PRINTED) == ["a tab\tinside", "b", ""]
    assert hypotheses(PRINTED, expect=3) == ["a tab\tinside", "b", ""]


@pytest.mark.parametrize("lines", [PRINTED[2:3], PRINTED[:-1], []])
def test_a_missing_hypothesis_is_an_error(lines):
    with pytest.raises(UsageError, match="cut off or its batches dropped"):
        hypotheses(lines, expect=3)
