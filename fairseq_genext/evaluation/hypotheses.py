"""Takes the hypotheses out of what fairseq-generate printed, in the order of the inputs.

python -m fairseq_genext.evaluation.hypotheses GENERATE_OUTPUT TEXT [--expect N]
"""

import argparse
from pathlib import Path

from fairseq_genext.errors import UsageError
from fairseq_genext.evaluation.files import read_lines, write_whole


def hypotheses(lines: list[str], expect: int | None = None) -> list[str]:
    """Detokenised text of the best hypothesis of every input.

    fairseq prints batches by length; inputs are numbered from 0.

    Args:
        lines: standard output of fairseq-generate or fairseq-interactive.
        expect: the number of inputs, if known.

    Raises:
        UsageError: an input has no hypothesis, or there are not as many as expected.
    """
    best: dict[int, str] = {}
    for line in lines:
        if line.startswith("D-"):
            name, _, *text = line.split("\t", 2)
            best.setdefault(int(name[2:]), text[0] if text else "")
    count = expect if expect is not None else len(best)
    if sorted(best) != list(range(count)):
        raise UsageError(
            f"{len(best)} hypotheses for {count} inputs, numbered up to {max(best, default=-1)}: "
            "the generation was cut off or its batches dropped sentences"
        )
    return [best[number] for number in range(count)]


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m fairseq_genext.evaluation.hypotheses",
        description=__doc__.splitlines()[0],
    )
    parser.add_argument("outputs", nargs="+", type=Path, help="what fairseq-generate printed")
    parser.add_argument("--expect", type=int, help="number of hypotheses each must have")
    args = parser.parse_args()
    for output in args.outputs:
        try:
            found = hypotheses(read_lines(output), args.expect)
        except UsageError as error:
            raise UsageError(f"{output}: {error}".replace("error: ", "")) from None
        write_whole(output.with_suffix(".txt"), "".join(f"{line}\n" for line in found))


if __name__ == "__main__":
    main()
