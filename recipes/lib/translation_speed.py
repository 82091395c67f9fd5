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
        records = []
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
                speed = statistics.median(logged(log, "wps")[1:])
                records.append({"system": name, "speed": speed})
    groups = pd.DataFrame(records).groupby("system", sort=False)["speed"]
    medians = groups.median()
    told = {
        "target tokens/s": medians.map("{:,.0f}".format),
        "from … to": groups.agg(lambda speeds: f"{speeds.min():,.0f} … {speeds.max():,.0f}"),
        f"times {medians.index[0]}": (medians / medians.iloc[0]).map("{:.2f}".format),
    }
    print(pd.DataFrame(told).to_markdown(disable_numparse=True))


if __name__ == "__main__":
    main()
