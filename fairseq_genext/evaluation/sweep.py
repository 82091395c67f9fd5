"""Samples every checkpoint at a row of temperatures and top-p, measures and draws the curves.

    genext-sweep DATA --checkpoints gpt=gpt.pt gan=gan.pt --references HELD_OUT --output FOLDER

The same as ``python -m fairseq_genext.evaluation.sweep``. A single temperature proves nothing
(Caccia et al. 2020, https://arxiv.org/abs/1811.02549): a lower one raises quality and lowers
diversity, so systems are compared as curves of BLEU against Self-BLEU. Checkpoints are any
language models of fairseq or GANs over the dictionary in DATA; samples are fairseq-generate's own.

Writes FOLDER/NAME/t0.70.txt, FOLDER/NAME/p0.90.txt, … with the settings and the speed of each in a
.json beside it, FOLDER/sweep.json and FOLDER/quality_diversity_{3,4}.png, and prints a Markdown
table. A point that is there is not sampled again, unless its settings or its checkpoint changed.
"""

import argparse
import hashlib
import json
import sys
from dataclasses import asdict
from pathlib import Path

import pandas as pd

from fairseq_genext.errors import UsageError, require_positive
from fairseq_genext.evaluation.checkpoints import load_pieces, named_checkpoints
from fairseq_genext.evaluation.metrics.samples import HEADINGS
from fairseq_genext.evaluation.metrics.text_metrics import TextMetrics as Yardstick
from fairseq_genext.evaluation.quality_diversity import quality_diversity_curves
from fairseq_genext.evaluation.sampling import Sampling, draw
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
    parser.add_argument("data", help="binarised data folder of the checkpoints' dictionary")
    parser.add_argument("--checkpoints", nargs="+", required=True, metavar="NAME=PATH")
    parser.add_argument("--references", required=True, help="held-out text, a sentence a line")
    parser.add_argument("--anchor", help="other held-out text, measured as if it were samples")
    parser.add_argument("--train", help="training text, to count copies")
    parser.add_argument("--temperatures", nargs="+", type=float, default=[0.7, 0.85, 1.0, 1.2])
    parser.add_argument("--top-p", nargs="+", type=float, default=[], help="at temperature 1")
    parser.add_argument("--num-samples", type=int, default=1000, help="of each point")
    parser.add_argument("--max-length", type=int, default=40, help="in tokens of the model")
    parser.add_argument("--batch-size", type=int, default=250)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--sentencepiece-model", help="joins the model's pieces to words")
    parser.add_argument("--output", type=Path, required=True, help="folder to write")
    args = parser.parse_args()
    args.checkpoints = named_checkpoints(args.checkpoints)
    require_positive(args, "max_length", "batch_size")
    if args.num_samples < 2:
        raise UsageError(f"--num-samples is {args.num_samples}; it must be 2 or greater")
    if args.sentencepiece_model:
        load_pieces(args.sentencepiece_model)  # or fairseq would end in a traceback
    for temperature in args.temperatures:
        if temperature <= 0:
            raise UsageError(f"--temperatures has {temperature}; each must be greater than 0")
    for top_p in args.top_p:
        if not 0 < top_p < 1:
            raise UsageError(f"--top-p has {top_p}; each must lie between 0 and 1")
    args.points = {f"t{value:.2f}": (value, 1.0) for value in args.temperatures}
    args.points |= {f"p{value:.2f}": (1.0, value) for value in args.top_p}
    if len(args.points) < len(args.temperatures) + len(args.top_p):
        raise UsageError("two --temperatures or two --top-p are the same to two decimals")
    return args


def sample_point(
    sampling: Sampling, checkpoint: str, temperature: float, top_p: float, path: Path
) -> dict:
    """Makes sure that ``path`` has a point's samples; returns their speed."""
    wanted = {
        "num_samples": sampling.num_samples,
        "max_length": sampling.max_length,
        "batch_size": sampling.batch_size,
        "seed": sampling.seed,
        "temperature": temperature,
        "top_p": top_p,
        # By content, so that a folder may be moved.
        "checkpoint": _digest(checkpoint),
        "sentencepiece_model": _digest(sampling.sentencepiece_model),
    }
    beside = path.with_suffix(".json")
    if path.is_file() and beside.is_file():
        had = json.loads(beside.read_text(encoding="utf-8"))
        speed = had.pop("speed")
        if had == wanted:
            return speed
    drawn = draw(sampling, checkpoint, temperature, top_p)
    speed = {"seconds": drawn.seconds, "tokens_per_second": drawn.tokens_per_second}
    path.unlink(missing_ok=True)  # or it would stand beside settings that are not its own
    write_whole(beside, json.dumps({**wanted, "speed": speed}, indent=1) + "\n")
    write_whole(path, "".join(f"{text}\n" for text in drawn.texts))
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
    yardstick = Yardstick(references, read_tokens(args.train) if args.train else None)
    anchor = None
    if args.anchor:
        # As many as samples, since Self-BLEU grows with their number.
        anchor = yardstick.measure(read_samples(args.anchor, known)[: args.num_samples])
    sampling = Sampling(
        args.data, args.num_samples, args.max_length, args.batch_size, args.seed,
        args.sentencepiece_model,
    )  # fmt: skip
    systems: dict[str, list[dict]] = {name: [] for name in args.checkpoints}
    total = len(systems) * len(args.points)
    for name, checkpoint in args.checkpoints.items():
        for point, (temperature, top_p) in args.points.items():
            path = args.output / name / f"{point}.txt"
            speed = sample_point(sampling, checkpoint, temperature, top_p, path)
            row = {"temperature": temperature, "top_p": top_p, "samples": f"{name}/{point}.txt"}
            systems[name].append(row | speed | yardstick.measure(read_samples(path, known)))
            done = sum(map(len, systems.values()))
            print(
                f"{name} {point}: {args.num_samples} samples in {speed['seconds']:.1f} s, "
                f"{speed['tokens_per_second']:,.0f} tokens/s ({done} of {total})",
                file=sys.stderr,
            )
    settings = asdict(sampling) | {
        "checkpoints": args.checkpoints,
        "references": args.references,
        "num_references": len(references),
        "train": args.train,
        "anchor": args.anchor,
        "encoder": yardstick.encoder.name,
    }
    return {"settings": settings, "anchor": anchor, "systems": systems}


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
            swept["anchor"],
        )  # fmt: skip
    if swept["anchor"]:
        rows.append({"system": "held-out text", **swept["anchor"]})
    table = format_table(rows, COLUMNS, temperature=2, top_p=2)
    print(table.to_markdown(index=False, disable_numparse=True))
    print(f"\nwrote {args.output}")


if __name__ == "__main__":
    main()
