"""Samples every checkpoint at a row of temperatures and top-p, measures and draws the curves.

    genext-sweep DATA --checkpoints gpt=gpt.pt gan=gan.pt --references HELD_OUT --output FOLDER

The same as ``python -m fairseq_genext.evaluation.sweep``. A single temperature proves nothing
(Caccia et al. 2020, https://arxiv.org/abs/1811.02549): a lower one raises quality and lowers
diversity, so systems are compared as curves of BLEU against Self-BLEU. Checkpoints are any
language models of fairseq or GANs over the dictionary in DATA; samples are fairseq-generate's own.

Writes FOLDER/NAME/t0.70.txt, FOLDER/NAME/p0.90.txt, … with the settings and the speed of each in a
.json of the same name, FOLDER/sweep.json and FOLDER/quality_diversity_{3,4}.png, and prints a
Markdown table. A point that is there is not sampled again, unless its settings or its checkpoint
changed.
"""

import argparse
import hashlib
import json
import sys
from dataclasses import asdict
from pathlib import Path

import pandas as pd

from fairseq_genext.evaluation.checkpoints import named_checkpoints
from fairseq_genext.evaluation.metrics.samples import HEADINGS
from fairseq_genext.evaluation.metrics.text_metrics import TextMetrics
from fairseq_genext.evaluation.quality_diversity import quality_diversity_curves
from fairseq_genext.evaluation.sample import (
    Sampling,
    add_sampling_flags,
    read_sampling_flags,
    sample_point,
)
from fairseq_genext.evaluation.tables import format_table
from fairseq_genext.files import read_samples, read_tokens, write_whole

COLUMNS = {"system": "system", "temperature": "temperature", "top_p": "top-p"} | {
    name: HEADINGS[name]
    for name in (
        "bleu_3", "bleu_4", "self_bleu_3", "self_bleu_4", "distinct_2", "duplicates", "copied",
        "mean_length", "frechet",
    )
} | {"tokens_per_second": "tokens/s"}  # fmt: skip


def parse_arguments() -> argparse.Namespace:
    """Reads the flags and checks them before anything is sampled."""
    parser = argparse.ArgumentParser(
        prog="genext-sweep",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_sampling_flags(parser)
    parser.add_argument("--checkpoints", nargs="+", required=True, metavar="NAME=PATH")
    parser.add_argument("--references", required=True, help="held-out text, a sentence a line")
    parser.add_argument(
        "--held-out",
        "--anchor",  # the spelling of version 0.1
        help="other held-out text, measured as if it were samples",
    )
    parser.add_argument("--train", help="training text, to count copies")
    parser.add_argument("--output", type=Path, required=True, help="folder to write")
    args = parser.parse_args()
    args.checkpoints = named_checkpoints(args.checkpoints)
    args.sampling, args.points = read_sampling_flags(args)
    return args


def point_of(
    sampling: Sampling, checkpoint: str, temperature: float, top_p: float, path: Path
) -> dict:
    """Makes sure that ``path`` has a point's samples; returns their speed."""
    wanted = asdict(sampling) | {
        "temperature": temperature,
        "top_p": top_p,
        # By content, so that a folder may be moved.
        "checkpoint": _digest(checkpoint),
        "sentencepiece_model": _digest(sampling.sentencepiece_model),
    }
    del wanted["data"]
    note = path.with_suffix(".json")
    if path.is_file() and note.is_file():
        had = json.loads(note.read_text(encoding="utf-8"))
        speed = had.pop("speed")
        if had == wanted:
            return speed
    note.unlink(missing_ok=True)  # or it would tell of samples that are not its own
    made = sample_point(sampling, checkpoint, temperature, top_p, path)
    speed = {name: made[name] for name in ("seconds", "tokens_per_second")}
    write_whole(note, json.dumps({**wanted, "speed": speed}, indent=1) + "\n")
    return speed


def _digest(path: str | None) -> str | None:
    if path is None:
        return None
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def run(args: argparse.Namespace) -> dict:
    """Samples and measures every point; returns what sweep.json holds."""
    references = read_tokens(args.references, at_least=2)
    known = {token for sentence in references for token in sentence}
    metrics = TextMetrics(references, read_tokens(args.train) if args.train else None)
    held_out = None
    if args.held_out:
        # As many as samples, since Self-BLEU grows with their number.
        held_out = metrics.measure(read_samples(args.held_out, known)[: args.num_samples])
    systems: dict[str, list[dict]] = {name: [] for name in args.checkpoints}
    total = len(systems) * len(args.points)
    for name, checkpoint in args.checkpoints.items():
        for point, (temperature, top_p) in args.points.items():
            path = args.output / name / f"{point}.txt"
            speed = point_of(args.sampling, checkpoint, temperature, top_p, path)
            row = {"temperature": temperature, "top_p": top_p, "samples": f"{name}/{point}.txt"}
            systems[name].append(row | speed | metrics.measure(read_samples(path, known)))
            done = sum(map(len, systems.values()))
            print(
                f"{name} {point}: {args.num_samples} samples in {speed['seconds']:.1f} s, "
                f"{speed['tokens_per_second']:,.0f} tokens/s ({done} of {total})",
                file=sys.stderr,
            )
    settings = asdict(args.sampling) | {
        "checkpoints": args.checkpoints,
        "references": args.references,
        "num_references": len(references),
        "train": args.train,
        "held_out": args.held_out,
        "encoder": metrics.encoder.name,
    }
    return {"settings": settings, "held_out": held_out, "systems": systems}


def main() -> None:
    """The command line."""
    args = parse_arguments()
    swept = run(args)
    write_whole(args.output / "sweep.json", json.dumps(swept, indent=1) + "\n")
    rows = [
        {"system": name, **point} for name, points in swept["systems"].items() for point in points
    ]
    for order in (3, 4):
        quality_diversity_curves(
            pd.DataFrame(rows), order, args.output / f"quality_diversity_{order}.png",
            swept["held_out"],
        )  # fmt: skip
    if swept["held_out"]:
        rows.append({"system": "held-out text", **swept["held_out"]})
    table = format_table(rows, COLUMNS, temperature=2, top_p=2)
    print(table.to_markdown(index=False, disable_numparse=True))
    print(f"\nwrote {args.output}")


if __name__ == "__main__":
    main()
