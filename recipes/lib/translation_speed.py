"""Reads the training speed of translation systems in turns.

Trains each system for 50 updates of 2,000 tokens, one after the other, and again for every round;
prints target tokens per second and how many times the first system's they are, as medians over
rounds. DATA and the systems are those of recipes/translation.sh, whose data in FOLDER it takes up.
"""

import argparse
import shlex
import statistics
import subprocess
import sys
from pathlib import Path

import pandas as pd
from compare import EXPERIMENTS, PROJECT, locked, snakemake, write_experiment
from experiment import positive, read
from train import logged

import fairseq_genext

SYSTEMS = "lstm_no_attention lstm_seq2seq_doc"
# The last of a flag counts.
SHORT = (
    "--warmup-updates 10 --max-tokens 2000 --max-update 50 --seed 1 --no-save --disable-validation "
    "--log-format json --log-interval 10"
)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="bash recipes/translation_speed.sh", description=__doc__, add_help=False
    )
    parser.add_argument("--rounds", default="5")
    parser.add_argument("--systems", default=SYSTEMS)
    parser.add_argument("--output", type=Path, default=PROJECT / "runs" / "translation")
    own, others = parser.parse_known_args()
    if {"-h", "--help"} & set(others):
        print(
            f"usage: {parser.prog} [DATA] [--systems NAMES] [--rounds N] [--output FOLDER]\n\n"
            f"{__doc__}"
        )
        return
    rounds = positive(own.rounds, "--rounds")
    experiment, _ = read(EXPERIMENTS / "translation.yaml", [*others, "--systems", own.systems])
    output = own.output.resolve()
    with locked(output):
        write_experiment(output, experiment | {"command": shlex.join(sys.argv)})
        if snakemake(output, "data/pairs/data.json", None, []) != 0:
            sys.exit(1)
        speeds: dict[str, list[float]] = {name: [] for name in experiment["systems"]}
        for number in range(1, rounds + 1):
            for name, system in experiment["systems"].items():
                print(f"== round {number} of {rounds}: {name}", flush=True)
                log = output / "speed" / f"{name}.{number}.log"
                log.parent.mkdir(exist_ok=True)
                log.unlink(missing_ok=True)
                command = [
                    "fairseq-train", "data/pairs/bin", *shlex.split(system["flags"]),
                    *SHORT.split(),
                    "--user-dir", str(Path(fairseq_genext.__file__).parent), "--log-file", str(log),
                ]  # fmt: skip
                subprocess.run(command, cwd=output, check=True, capture_output=True)
                # Without the first, in which everything warms up.
                speeds[name].append(statistics.median(logged(log, "wps")[1:]))
    first = statistics.median(next(iter(speeds.values())))
    rows = [
        {
            "system": name,
            "target tokens/s": f"{statistics.median(values):,.0f}",
            "from … to": f"{min(values):,.0f} … {max(values):,.0f}",
            f"times {next(iter(speeds))}": f"{statistics.median(values) / first:.2f}",
        }
        for name, values in speeds.items()
    ]
    print(pd.DataFrame(rows).to_markdown(index=False, disable_numparse=True))


if __name__ == "__main__":
    main()
