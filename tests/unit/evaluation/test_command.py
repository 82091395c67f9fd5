"""What all commands of the evaluation refuse in one line."""

import pytest

from fairseq_genext.errors import UsageError
from fairseq_genext.evaluation import command
from fairseq_genext.files import write_lines


@pytest.mark.parametrize("seed", [-1, 2**32])
def test_seed(seed):
    parser = command.parser("any", "")
    parser.add_argument("--seed", type=int)
    with pytest.raises(UsageError, match=f"--seed is {seed}; it must be at least 0"):
        parser.parse_args(["--seed", str(seed)])


def test_output_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="lines cannot be written: (Not a dir|File exists)"):
        write_lines(tmp_path / "file" / "lines", ["a"])
