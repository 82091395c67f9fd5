"""Takes the hypotheses out of what fairseq-generate printed, in the order of the inputs.

    python -m fairseq_genext.evaluation.hypotheses GENERATE_OUTPUT... [--expect N]

writes X.txt, a hypothesis a line, for every X.out, or --output FILE for a single one.
"""

import logging
import re
from pathlib import Path

from fairseq_genext.errors import UsageError
from fairseq_genext.evaluation import command
from fairseq_genext.files import read_lines, write_lines

logger = logging.getLogger(__name__)

HYPOTHESIS = re.compile(r"(?P<kind>[DH])-(?P<input>\d+)\t[^\t]*\t(?P<text>.*)")


def hypotheses(lines: list[str], expect: int | None = None, nbest: bool = False) -> list[str]:
    """Text of the best hypothesis of every input.

    fairseq prints batches by length; inputs are numbered from 0. Detokenised lines (D-) count; an
    output that has none, as other tools may write it, gives its H- lines, which are in pieces.

    Args:
        lines: standard output of fairseq-generate or fairseq-interactive.
        expect: the number of inputs, if known.
        nbest: all hypotheses of each input, best first, instead of the best alone.

    Raises:
        UsageError: an input has no hypothesis, or there are not as many as expected.
    """
    found: dict[str, dict[int, list[str]]] = {"D": {}, "H": {}}
    for line in lines:
        if match := HYPOTHESIS.fullmatch(line):
            found[match["kind"]].setdefault(int(match["input"]), []).append(match["text"])
    by_input = found["D"] or found["H"]
    count = expect if expect is not None else len(by_input)
    if not by_input or sorted(by_input) != list(range(count)):
        raise UsageError(
            f"{len(by_input)} hypotheses for {count} inputs, numbered up to "
            f"{max(by_input, default=-1)}: generation was cut off or its batches dropped sentences"
        )
    most = max(len(texts) for texts in by_input.values())
    if most > 1 and not nbest:
        logger.warning(
            f"up to {most} hypotheses an input: the most probable of each is kept, which among "
            "samples is not a fair draw; --nbest keeps all"
        )
    kept = slice(None) if nbest else slice(1)
    return [text for number in range(count) for text in by_input[number][kept]]


def main() -> None:
    """The command line."""
    parser = command.parser("hypotheses", __doc__)
    parser.add_argument("outputs", nargs="+", type=Path, help="what fairseq-generate printed")
    parser.add_argument("--expect", type=int, help="number of inputs each must have")
    parser.add_argument("--nbest", action="store_true", help="keep all hypotheses of an input")
    parser.add_argument("--output", type=Path, help="file to write, if there is one input file")
    args = parser.parse_args()
    if args.output and len(args.outputs) > 1:
        raise UsageError(f"--output names one file, but there are {len(args.outputs)} to read")
    for output in args.outputs:
        if output.is_dir():
            raise UsageError(f"{output} is a folder; name what fairseq-generate printed")
        written = args.output or output.with_suffix(".txt")
        if written.resolve() == output.resolve():
            raise UsageError(f"{output} would be overwritten by its hypotheses; use --output FILE")
        lines = read_lines(output)
        try:
            found = hypotheses(lines, args.expect, args.nbest)
        except UsageError as error:
            raise UsageError(f"{output}: {error}".replace("error: ", "")) from None
        write_lines(written, found)
        print(f"{written}: {len(found)} hypotheses")


if __name__ == "__main__":
    main()
