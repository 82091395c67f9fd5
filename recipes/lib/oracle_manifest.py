"""Writes the report's manifest for what recipes/oracle_gan.sh has made."""

import argparse
import statistics
import sys
from pathlib import Path

import yaml
from trained_model import checkpoint, trained, updates_of

# NLL_oracle at length 20 and 40: Nie et al. 2019, table 1, which has all of them.
PUBLISHED = {
    "mle": {20: 9.038, 40: 10.411},
    "gan_seqgan": {20: 8.736, 40: 10.310},
    "gan_relgan": {20: 6.680, 40: 6.765},
}
NOTES = {
    "mle": "SeqGAN's generator and rate without dropout, at the epoch with the lowest NLL_oracle: "
    "it has begun to learn its training text by heart, so its NLL_test is high",
    "mle_tuned": "the same generator with dropout 0.3, at the epoch with the lowest held-out loss",
    "gan_seqgan_constant": "the control: SeqGAN's policy gradient with a reward of 1 whatever the "
    "discriminator says",
    "mle_relational": "RelGAN's generator, 15 times as large as SeqGAN's, by likelihood",
}


def system(folder: Path, name: str, start: str | None, seeds: list[str], length: int) -> dict:
    """A system's entry; updates and seconds are means over seeds, chosen has one number a seed."""
    runs = [trained(folder, f"{name}.{seed}") for seed in seeds]
    entry = {
        "name": name,
        "log": runs[0]["log"],
        "updates": round(statistics.mean(run["updates"] for run in runs)),
        "chosen": [updates_of(checkpoint(folder, f"{name}.{seed}", "best")) for seed in seeds],
        "seconds": round(statistics.mean(run["seconds"] for run in runs)),
    }
    if length in PUBLISHED.get(name, {}):
        entry["published"] = PUBLISHED[name][length]
    if name in NOTES:
        entry["note"] = NOTES[name]
    if start is not None:
        entry["start"] = start
        entry["curve"] = ["mle", "mle_tuned"] if start == "mle" else [start]
    return entry


def main() -> None:
    """Prints the manifest."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--command", required=True)
    parser.add_argument("--budget", required=True)
    parser.add_argument("--length", type=int, required=True)
    parser.add_argument("--weights", help="the oracle's file, where it is not drawn at random")
    parser.add_argument("--seeds", nargs="+", required=True)
    parser.add_argument("--starts", nargs="+", required=True)
    parser.add_argument(
        "--system", nargs="+", action="append", required=True, metavar=("NAME", "START")
    )
    args = parser.parse_args()
    drawn = f"the weights of {args.weights}" if args.weights else "weights from N(0, 1)"
    starts = {name: begun[0] if begun else None for name, *begun in args.system}
    manifest = {
        "title": f"The oracle benchmark, length {args.length}",
        "command": args.command,
        "notes": [
            f"An LSTM with {drawn} wrote 10,000 sequences to learn from and 2,000 each "
            f"to validate and test on. Budget {args.budget}; seeds {', '.join(args.seeds)} of "
            "training and sampling, one oracle. Checkpoints are chosen by NLL_oracle of 1,000 "
            "samples (mle_tuned: by held-out loss) and measured on fresh ones. Published figures "
            "belong to SeqGAN's weights or others drawn in the same way: compare their differences."
        ],
        "planes": {int(seed): f"planes/{seed}.json" for seed in args.seeds},
        "systems": [
            system(args.folder, name, starts.get(name), args.seeds, args.length)
            for name in [*args.starts, *starts]
        ],
    }
    yaml.safe_dump(manifest, sys.stdout, sort_keys=False, allow_unicode=True)


if __name__ == "__main__":
    main()
