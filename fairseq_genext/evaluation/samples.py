"""Every figure of one file of samples: quality, diversity and copying together.

    python -m fairseq_genext.evaluation.samples SAMPLES --references HELD_OUT [--train TRAIN]

prints them as JSON; with --json FILE the JSON goes there and a Markdown table is printed.
"""

import argparse
import json

from fairseq_genext.evaluation.bootstrap import half_width
from fairseq_genext.evaluation.diversity import copied_share, distinct, duplicate_share
from fairseq_genext.evaluation.files import read_tokens, write_whole
from fairseq_genext.evaluation.ngram_bleu import bleu_scores, self_bleu_scores

ORDERS = (2, 3, 4, 5)


def measure(
    samples: list[list[str]],
    references: list[list[str]],
    train: list[list[str]] | None = None,
) -> dict[str, float]:
    """Figures of a set of samples, by name.

    ``bleu_n`` and ``self_bleu_n`` (see ``ngram_bleu``) for n = 2…5 with the half width of the 95 %
    interval of ``bleu_n`` as ``bleu_n_ci``, ``distinct_n``, ``duplicates``, ``copied`` (see
    ``diversity``), ``mean_length`` in tokens and ``num_samples``.

    Args:
        samples: at least two token lists.
        references: held-out text; BLEU grows with their number, so compare on the same ones.
        train: the training text; without it ``copied`` is left out.
    """
    figures: dict[str, float] = {"num_samples": len(samples)}
    bleu, self_bleu = bleu_scores(samples, references), self_bleu_scores(samples)
    for order in ORDERS:
        values = [scores[order - 1] for scores in bleu]
        figures[f"bleu_{order}"] = sum(values) / len(values)
        figures[f"bleu_{order}_ci"] = half_width(values)
        values = [scores[order - 1] for scores in self_bleu]
        figures[f"self_bleu_{order}"] = sum(values) / len(values)
    for order in (1, 2):
        figures[f"distinct_{order}"] = distinct(samples, order)
    figures["duplicates"] = duplicate_share(samples)
    if train is not None:
        figures["copied"] = copied_share(samples, train)
    figures["mean_length"] = sum(map(len, samples)) / len(samples)
    return figures


def markdown(figures: dict[str, float]) -> str:
    """The figures as a Markdown table, a line each; an interval stands behind its mean."""
    rows = ["| figure | value |", "| --- | ---: |"]
    for name, value in figures.items():
        if name.endswith("_ci"):
            continue
        interval = f" ± {figures[f'{name}_ci']:.3f}" if f"{name}_ci" in figures else ""
        rows.append(f"| {name} | {value if isinstance(value, int) else f'{value:.3f}'}{interval} |")
    return "\n".join(rows)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m fairseq_genext.evaluation.samples",
        description=__doc__.splitlines()[0],
    )
    parser.add_argument("samples", help="a sample a line, tokens separated by blanks")
    parser.add_argument("--references", required=True, help="held-out text, a sentence a line")
    parser.add_argument("--train", help="training text, to count copies")
    parser.add_argument("--json", help="write the JSON to this file and print a Markdown table")
    args = parser.parse_args()
    samples = read_tokens(args.samples, at_least=2)
    train = read_tokens(args.train) if args.train else None
    figures = measure(samples, read_tokens(args.references), train)
    encoded = json.dumps(figures, indent=1)
    if args.json is None:
        print(encoded)
        return
    write_whole(args.json, encoded + "\n")
    print(markdown(figures))


if __name__ == "__main__":
    main()
