"""Samples every checkpoint at a row of temperatures and top-p, measures and draws the curves.

    genext-sweep DATA --checkpoints gpt=gpt.pt gan=gan.pt --references HELD_OUT --output FOLDER

The same as ``python -m fairseq_genext.evaluation.sweep``. A single temperature proves nothing
(Caccia et al. 2020, https://arxiv.org/abs/1811.02549): a lower one raises quality and lowers
diversity, so systems are compared as curves of BLEU against Self-BLEU. Checkpoints are any
language models of fairseq or GANs over the dictionary in DATA; samples are fairseq-generate's own.

Writes FOLDER/NAME/t0.70.txt, FOLDER/NAME/p0.90.txt, … with the settings and the speed of each in a
.json of the same name, FOLDER/sweep.json and FOLDER/quality_diversity_{3,4}.png, and prints a
Markdown table. A point that is there is not sampled again, unless its settings or its checkpoint
changed. With --resample, checkpoints without a discriminator of whole texts are sampled as they
are, and the table has a column of candidates.
"""

import argparse
import sys
from dataclasses import asdict, replace
from pathlib import Path

import pandas as pd

from fairseq_genext import plugin  # noqa: F401  before fairseq, which then starts in half the time
from fairseq_genext.errors import UsageError
from fairseq_genext.evaluation import command
from fairseq_genext.evaluation.checkpoints import load_language_model, named_checkpoints
from fairseq_genext.evaluation.metrics.text_metrics import TextMetrics, add_text_flags
from fairseq_genext.evaluation.quality_diversity import quality_diversity_curves
from fairseq_genext.evaluation.residual import keeps_discriminator, require_residual
from fairseq_genext.evaluation.sample import (
    Sampling,
    add_sampling_flags,
    read_sampling_flags,
    sample_point,
)
from fairseq_genext.evaluation.tables import columns, format_table, markdown
from fairseq_genext.files import digest, read_json

COLUMNS = columns(
    "system", "candidates", "resample_weight", "temperature", "top_p", "bleu_3", "bleu_4",
    "self_bleu_3", "self_bleu_4", "distinct_2", "duplicates", "copied", "mean_length", "frechet",
    "tokens_per_second",
)  # fmt: skip


def parse_arguments() -> argparse.Namespace:
    """Reads the flags and checks them before anything is sampled."""
    parser = command.parser("genext-sweep", __doc__)
    add_sampling_flags(parser)
    parser.add_argument("--checkpoints", nargs="+", required=True, metavar="NAME=PATH")
    add_text_flags(parser)
    parser.add_argument(
        "--held-out",
        "--anchor",  # the spelling of version 0.1
        help="other held-out text, measured as if it were samples",
    )
    parser.add_argument("--output", type=Path, required=True, help="folder to write")
    args = parser.parse_args()
    if args.output.exists() and not args.output.is_dir():
        raise UsageError(f"--output {args.output} is a file; name a folder")
    args.checkpoints = named_checkpoints(args.checkpoints)
    args.sampling, args.points = read_sampling_flags(args)
    args.candidates = {
        name: args.resample if args.resample > 1 and resampled(path, args.data) else 1
        for name, path in args.checkpoints.items()
    }
    if args.resample > max(args.candidates.values()):
        raise UsageError(
            f"--resample {args.resample}: no checkpoint keeps a discriminator of whole texts; "
            "name one, or leave the flag out"
        )
    return args


def resampled(checkpoint: str, data: str) -> bool:
    """Whether a checkpoint has what ``--resample`` needs.

    Raises:
        UsageError: its texts have no end.
    """
    model, task = load_language_model(checkpoint, data)
    if not keeps_discriminator(model):
        return False
    require_residual(model, task, "--resample")
    return True


def point_of(
    sampling: Sampling, checkpoint: str, temperature: float, top_p: float, path: Path
) -> dict:
    """Makes sure that ``path`` has a point's samples; returns their speed."""
    wanted = asdict(sampling) | {
        "temperature": temperature,
        "top_p": top_p,
        # By content, so that a folder may be moved.
        "checkpoint": digest(checkpoint),
        "sentencepiece_model": sampling.sentencepiece_model
        and digest(sampling.sentencepiece_model),
    }
    del wanted["data"]
    note = path.with_suffix(".json")
    if path.is_file() and note.is_file():
        had = read_json(note, speed=dict)
        speed = had.pop("speed")
        if had == wanted:
            return speed
    note.unlink(missing_ok=True)  # or it would tell of samples that are not its own
    made = sample_point(sampling, checkpoint, temperature, top_p, path)
    speed = {name: made[name] for name in ("seconds", "tokens_per_second")}
    command.write_json(note, **wanted, speed=speed)
    return speed


def main() -> None:
    """The command line."""
    args = parse_arguments()
    metrics = TextMetrics.of_flags(args, args.sentencepiece_model)
    held_out = None
    if args.held_out:
        # As many as samples, since Self-BLEU grows with their number.
        held_out = metrics.measure(metrics.read(args.held_out)[: args.num_samples])
    comparable = held_out and held_out["num_samples"] == args.num_samples
    if held_out and not comparable:
        print(
            f"{args.held_out} has {held_out['num_samples']:,} lines, fewer than --num-samples "
            f"{args.num_samples:,}: its Self-BLEU is too low to be compared, and the pictures "
            "leave it out",
            file=sys.stderr,
        )
    systems: dict[str, list[dict]] = {name: [] for name in args.checkpoints}
    total = len(systems) * len(args.points)
    for name, checkpoint in args.checkpoints.items():
        sampling = replace(args.sampling, resample=args.candidates[name])
        if sampling.resample == 1:
            sampling = replace(sampling, resample_weight=1.0)
        for point, (temperature, top_p) in args.points.items():
            path = args.output / name / f"{point}.txt"
            speed = point_of(sampling, checkpoint, temperature, top_p, path)
            row = {"temperature": temperature, "top_p": top_p, "samples": f"{name}/{point}.txt"}
            if args.resample > 1:
                row["candidates"] = sampling.resample
            if args.resample_weight != 1:
                row["resample_weight"] = sampling.resample_weight
            systems[name].append(row | speed | metrics.measure(metrics.read(path)))
            done = sum(map(len, systems.values()))
            print(
                f"{name} {point}: {args.num_samples} samples in {speed['seconds']:.1f} s, "
                f"{speed['tokens_per_second']:,.0f} tokens/s ({done} of {total})",
                file=sys.stderr,
            )
    settings = asdict(args.sampling) | {
        "checkpoints": args.checkpoints,
        "references": args.references,
        "num_references": len(metrics.references),
        "train": args.train,
        "tokenize": args.tokenize,
        "held_out": args.held_out,
        "encoder": metrics.encoder.name,
    }
    command.write_json(
        args.output / "sweep.json", settings=settings, held_out=held_out, systems=systems
    )
    rows = [{"system": name, **point} for name, points in systems.items() for point in points]
    for order in (3, 4):
        path = args.output / f"quality_diversity_{order}.png"
        quality_diversity_curves(pd.DataFrame(rows), order, path, held_out if comparable else None)
    if held_out:
        number = "" if comparable else f" ({held_out['num_samples']:,} lines)"
        rows.append({"system": f"held-out text{number}", **held_out})
    print(markdown(format_table(rows, COLUMNS, temperature=2, top_p=2)))
    print(f"\nwrote {args.output}")


if __name__ == "__main__":
    main()
