"""Writes the report's manifest for what recipes/translation.sh has made."""

import argparse
import re
import sys
from pathlib import Path

import yaml
from trained_model import trained

from fairseq_genext.evaluation.training_log import read_curves

NOTES = {
    "lstm": "fairseq's own, with attention",
    "transformer": "fairseq's own",
    "lstm_seq2seq_doc": "LSTM, context at every step, deep output",
    "lstm_no_attention": "fairseq's lstm with --decoder-attention 0",
    "dbam_single_attention": "one attention over the whole source instead of two halves",
    "dbam_no_timing_signal": "queries and keys without timing signal",
    "dbam_no_modulation": "no modulation decoder: the draft is the output",
    "dbam_one_modulation_decoder": "the first modulation decoder only",
    "dbam_no_arlm_loss": "the encoder is not trained as a language model",
}
DECODINGS = {"greedy": "greedy", "beam": "beam 5"}  # name in files to name in the report
TRANSLATED = re.compile(r"Translated .*\(([\d.]+) sentences/s")


def translations(folder: Path, name: str, decodings: dict[str, str]) -> list[dict]:
    """The files that a system's run has translated, and how fast."""
    made = []
    for decoding, shown in decodings.items():
        log = (folder / "logs" / f"translate-{name}-{decoding}.log").read_text(encoding="utf-8")
        speed = TRANSLATED.findall(log)
        made.append(
            {
                "decoding": shown,
                "hypotheses": f"translations/{name}.{decoding}.txt",
                "sentences_per_second": float(speed[-1]),
            }
        )
    return made


def tokens_per_second(folder: Path, name: str) -> float:
    """Target tokens a second of training, the median over its log."""
    curves = read_curves(folder / "models" / name / "train.log")
    return float(curves.query("split == 'train' and metric == 'wps'")["value"].median())


def read_table(
    folder: Path,
    title: str,
    baseline: str,
    updates: str,
    seeds: str,
    names: str,
    decodings: dict[str, str] = DECODINGS,
) -> dict:
    """A table of the manifest."""
    systems = []
    for system in names.split():
        runs = []
        for seed in seeds.split():
            name = f"{system}.{updates}.{seed}"
            runs.append(
                {
                    "seed": int(seed),
                    **trained(folder, name),
                    "tokens_per_second": tokens_per_second(folder, name),
                    "translations": translations(folder, name, decodings),
                }
            )
        parameters = runs[0]["parameters"]
        systems.append({"name": system, "parameters": parameters, "runs": runs})
        if system in NOTES:
            systems[-1]["note"] = NOTES[system]
    if baseline not in names.split():
        baseline = names.split()[0]
    return {"title": title, "baseline": baseline, "systems": systems}


def describe_data(folder: Path, data: Path, languages: list[str]) -> tuple[str, dict[str, str]]:
    """A line about the training data, and the manifest's entries of the test split."""
    source, target = languages
    vocabulary, pairs = (
        sum(1 for _ in (data / name).open(encoding="utf-8"))
        for name in ("pieces.vocab", f"train.{source}")
    )
    return f"{vocabulary:,} joint sentencepieces; {pairs:,} pairs to train on", {
        "source": str((data / f"test.{source}").relative_to(folder)),
        "references": str((data / f"test.{target}").relative_to(folder)),
    }


def main() -> None:
    """Prints the manifest."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--languages", nargs=2, required=True)
    parser.add_argument("--tokens", type=int, required=True)
    parser.add_argument("--command", required=True)
    parser.add_argument("--table", nargs=5, action="append", required=True)
    args = parser.parse_args()
    source, target = args.languages
    tables = [read_table(args.folder, *table) for table in args.table]
    for table, (_, _, updates, seeds, _) in zip(tables, args.table, strict=True):
        table["note"] = (
            f"{updates} updates of up to {args.tokens:,} tokens for every system, "
            f"seed {', '.join(seeds.split())}."
        )
    data, test = describe_data(args.folder, args.data, args.languages)
    manifest = {
        "title": f"Translation systems side by side: {source} to {target}",
        "command": args.command,
        "notes": [
            f"{data}; the checkpoint with the best validation likelihood translates the test "
            "split. Seconds and speeds are as the runs found the machine; "
            "recipes/translation_speed.sh reads speeds in turns."
        ],
        **test,
        "tables": tables,
    }
    yaml.safe_dump(manifest, sys.stdout, sort_keys=False, allow_unicode=True)


if __name__ == "__main__":
    main()
