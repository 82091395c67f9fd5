"""Writes the report's manifest for what recipes/gpt_vs_gan.sh has made."""

import argparse
import sys
from pathlib import Path

import yaml
from trained_model import cost, generator_parameters, real_tokens_read, trained

NOTES = {
    "start_rnn": "what the GANs with an LSTM start from: likelihood for two thirds of the budget",
    "start_relational": "what gan_relgan starts from: likelihood for two thirds of the budget",
    "start_gpt": "what gan_gpt starts from: likelihood for two thirds of the budget",
    "rnn_lm": "an LSTM by likelihood alone",
    "gpt_doc": "a Transformer by likelihood alone",
    "gan_doc": "the article's: noise, n-gram CNN, straight-through Gumbel",
    "gan_seqgan": "REINFORCE with rollouts",
    "gan_maligan": "samples weighted by the density ratio that D has learned",
    "gan_relgan": "relational memory, soft Gumbel samples",
    "gan_scratchgan": "a reward a token; from a likelihood start here, unlike the paper",
    "gan_gpt": "a GPT, a reward a token",
}
ADDED = ("updates", "seconds", "processor_seconds", "tokens_seen")


def run(folder: Path, name: str, start: str | None, seed: str) -> dict:
    """One training; what its start has cost is part of what it has cost."""
    made = f"{name}.{seed}"
    spent = cost(folder, made)
    likelihood = not name.startswith("gan_")
    generator = generator_parameters(folder, made)
    figures = {
        "seed": int(seed),
        **trained(folder, made),
        "perplexity": f"scores/{made}.ppl",
        "generator_parameters": generator,
        "tokens_seen": real_tokens_read(folder, made),
        **{key: round(value) for key, value in spent.items()},
    }
    if likelihood:  # the idle discriminator that the architecture asks for is no part of it
        figures["parameters"] = generator
    if start:
        before = run(folder, start, None, seed)
        figures |= {key: figures[key] + before[key] for key in ADDED}
    return figures


def main() -> None:
    """Prints the manifest."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--data", type=Path, required=True, help="folder of the texts")
    parser.add_argument("--seeds", required=True)
    parser.add_argument(
        "--system", nargs="+", action="append", required=True, metavar=("NAME", "START")
    )
    parser.add_argument("--budget", required=True, help="the budget, in words")
    parser.add_argument("--samples", type=int, required=True)
    parser.add_argument("--command", required=True)
    args = parser.parse_args()
    seeds = args.seeds.split()

    systems = []
    for name, *start in args.system:
        begun = start[0] if start else None
        systems.append(
            {
                "name": name,
                "family": "gan" if name.startswith("gan_") else "likelihood",
                **({"start": begun} if begun else {}),
                "note": NOTES[name],
                "runs": [run(args.folder, name, begun, seed) for seed in seeds],
            }
        )
    texts = {
        split: (args.data / f"{split}.txt").relative_to(args.folder)
        for split in ("train", "valid", "test")
    }
    count = {
        split: sum(1 for _ in (args.folder / path).open(encoding="utf-8"))
        for split, path in texts.items()
    }
    pieces = sum(1 for _ in (args.data / "pieces.vocab").open(encoding="utf-8"))
    manifest = {
        "title": "GPT and GAN side by side: generators of free text at one budget",
        "command": args.command,
        "data": f"{count['train']:,} sentences to train on, {count['valid']:,} to validate, "
        f"{count['test']:,} as references; {pieces:,} sentencepieces. {args.budget}",
        "notes": [
            f"{args.samples:,} samples a system, seed and temperature. Likelihood systems: the "
            "checkpoint with the best validation likelihood; GANs: the last one.",
            "Rates were hardly tuned: those of gan_doc, gan_scratchgan and gan_gpt rest on one "
            "short trial each on the validation text with seed 7, as does the RNN's size; those of "
            "likelihood and of the other GANs were set once and not tried.",
            "A GAN's updates, seconds and tokens include those of its start, which other GANs may "
            "share; updates count both players. Seconds are as the runs found the machine, "
            "validation included; processor seconds also include starting up, twice for a GAN. "
            "Tokens seen are real text, read by likelihood or by a discriminator.",
            "Peak memory is the training process's largest resident set.",
        ],
        "references": str(texts["test"]),
        "anchor": str(texts["valid"]),
        "train": str(texts["train"]),
        "sweeps": {int(seed): f"sweeps/{seed}/sweep.json" for seed in seeds},
        "scores": {int(seed): f"scores/{seed}.json" for seed in seeds},
        "systems": systems,
    }
    yaml.safe_dump(manifest, sys.stdout, sort_keys=False, allow_unicode=True)


if __name__ == "__main__":
    main()
