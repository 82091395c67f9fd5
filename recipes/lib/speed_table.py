"""Prints the medians of what recipes/translation_speed.sh has timed."""

import argparse
import json
import re
import statistics
from pathlib import Path

import pandas as pd


def tokens_per_second(log: Path) -> float:
    """Median over the log's lines, without the first, in which everything warms up."""
    lines = re.findall(r"train_inner \| (\{.*\})", log.read_text(encoding="utf-8"))
    return statistics.median(float(json.loads(line)["wps"]) for line in lines[1:])


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--systems", nargs="+", required=True)
    parser.add_argument("--rounds", type=int, required=True)
    args = parser.parse_args()
    rows = []
    speeds = {
        system: [
            tokens_per_second(args.folder / f"{system}.{number}.log")
            for number in range(1, args.rounds + 1)
        ]
        for system in args.systems
    }
    first = statistics.median(speeds[args.systems[0]])
    for system, values in speeds.items():
        rows.append(
            {
                "system": system,
                "target tokens/s": f"{statistics.median(values):,.0f}",
                "from … to": f"{min(values):,.0f} … {max(values):,.0f}",
                f"times {args.systems[0]}": f"{statistics.median(values) / first:.2f}",
            }
        )
    print(pd.DataFrame(rows).to_markdown(index=False, disable_numparse=True))


if __name__ == "__main__":
    main()
