"""Writes the report's manifest for what recipes/conditional_gan.sh has made."""

import argparse
import sys
from pathlib import Path

import yaml
from translation_manifest import describe_data, read_table

GREEDY = {"greedy": "greedy"}
NOTES = {
    "likelihood": "before: the likelihood-trained checkpoint that the others start from",
    "gan": "after: rewards by the discriminator",
    "constant": "the control: every token earns 1, whatever the discriminator says",
}


def main() -> None:
    """Prints the manifest."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--languages", nargs=2, required=True)
    parser.add_argument("--generators", nargs="+", required=True)
    parser.add_argument("--budget", required=True, help="as in the names of the trainings")
    parser.add_argument("--seed", required=True)
    parser.add_argument("--note", required=True)
    parser.add_argument("--command", required=True)
    args = parser.parse_args()
    names = [f"{generator}_{kind}" for generator in args.generators for kind in NOTES]
    table = read_table(
        args.folder, "Before and after", names[0], args.budget, args.seed, " ".join(names), GREEDY
    )
    for system in table["systems"]:
        generator, _, kind = system["name"].rpartition("_")
        system |= {"baseline": f"{generator}_likelihood", "note": NOTES[kind]}
    data, test = describe_data(args.folder, args.data, args.languages)
    source, target = args.languages
    manifest = {
        "title": f"Translation models before and after adversarial training: {source} to {target}",
        "command": args.command,
        "notes": [f"{data}; seed {args.seed}. {args.note}"],
        **test,
        "tables": [table],
    }
    yaml.safe_dump(manifest, sys.stdout, sort_keys=False, allow_unicode=True)


if __name__ == "__main__":
    main()
