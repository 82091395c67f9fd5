"""Trains one system of an experiment with one seed by fairseq-train, or goes on where it stopped.

    python recipes/lib/train.py EXPERIMENT.json SYSTEM SEED

works in models/SYSTEM.SEED/ and at the end writes trained/SYSTEM.SEED.json, what the report needs
to know of the training. The folder remembers what it is made from: the flags, the data, and the
checkpoint that the system starts from. A training of the same goes on, or is left alone when it is
at its end; one of anything else is begun anew.
"""

import fcntl
import json
import resource
import shlex
import shutil
import signal
import statistics
import sys
from pathlib import Path

from experiment import flags_of

import fairseq_genext
from fairseq_genext.files import digest, read_json, read_lines, write_whole

USES = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)


def take_folder(folder: Path, made_from: dict) -> None:
    """Empties the folder of a training that was made from something else."""
    note = folder / "made_from.json"
    if note.exists() and read_json(note) != made_from:
        shutil.rmtree(folder)
    write_whole(note, json.dumps(made_from, indent=1) + "\n")


def add_cost(path: Path) -> None:
    """Adds this process's processor time to that of earlier runs of the same training."""
    before = read_json(path) if path.exists() else {"processor_seconds": 0, "peak_memory_mib": 0}
    uses = [resource.getrusage(who) for who in USES]
    seconds = sum(use.ru_utime + use.ru_stime for use in uses)
    memory = max(use.ru_maxrss for use in uses) / 1024  # KiB on Linux
    cost = {
        "processor_seconds": round(before["processor_seconds"] + seconds, 1),
        "peak_memory_mib": round(max(before["peak_memory_mib"], memory)),
    }
    write_whole(path, json.dumps(cost) + "\n")


def fairseq_train(data: Path | str, flags: list[str]) -> None:
    """fairseq-train with the plugin, in this process."""
    from fairseq_cli.train import cli_main

    sys.argv = [
        "fairseq-train", str(data), *flags, "--user-dir", str(Path(fairseq_genext.__file__).parent),
        "--no-epoch-checkpoints", "--log-format", "json", "--log-interval", "25",
    ]  # fmt: skip
    cli_main()


def train(flags: list[str], data: str, folder: Path, seed: str) -> None:
    """fairseq-train in a folder, and what it has cost."""
    # SIGTERM ends it as Ctrl-C does, and what it cost still counts.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    own = [
        "--seed", seed, "--save-dir", str(folder), "--log-file", str(folder / "train.log"),
        # Batches are grouped anew for every epoch, as they were for the figures in the docs.
        "--update-epoch-batch-itr", "True",
    ]  # fmt: skip
    try:
        fairseq_train(data, flags + own)
    finally:
        add_cost(folder / "cost.json")


def logged(log: Path, figure: str) -> list[float]:
    """Every training value of a figure; a very short training has those of its epochs alone."""
    found = []
    for line in read_lines(log):
        try:
            figures = json.loads(line)
        except ValueError:  # the configuration, which is printed as a Python dict
            continue
        found += [float(figures[name]) for name in (figure, f"train_{figure}") if name in figures]
    return found


def describe(folder: Path, checkpoint: str) -> dict:
    """What a finished training has left: sizes, updates and costs."""
    from fairseq_genext.evaluation.checkpoints import describe_checkpoint, updates_of

    last = describe_checkpoint(folder / "checkpoint_last.pt")
    chosen = folder / f"checkpoint_{checkpoint}.pt"
    words, speeds = logged(folder / "train.log", "wpb"), logged(folder / "train.log", "wps")
    return {
        **last,
        **read_json(folder / "cost.json"),
        # The mean size of a batch, times the updates that read one.
        "tokens_seen": round(statistics.mean(words) * last["data_updates"]) if words else None,
        "tokens_per_second": statistics.median(speeds) if speeds else None,
        "checkpoint": str(chosen),
        "checkpoint_updates": updates_of(chosen),
        "log": str(folder / "train.log"),
    }


def main() -> None:
    """The command line."""
    path, name, seed = sys.argv[1:]
    experiment = read_json(path)
    system = experiment["systems"][name]
    data = read_json(f"data/{system['data']}/data.json")
    known: dict = {"data": data}
    made_from = {"data": data["digest"], "seed": seed}
    if "start" in system:
        known["start"] = read_json(f"trained/{system['start']}.{seed}.json")["checkpoint"]
        made_from["start"] = digest(known["start"])
    if system["counted"]:
        known["flops"] = read_json(f"flops/{name}.json")
    flags = flags_of(experiment, name, f"systems.{name}", **known)
    made_from["flags"] = shlex.join(flags)
    folder = Path(f"models/{name}.{seed}")
    folder.parent.mkdir(exist_ok=True)
    with open(f"{folder}.lock", "w") as lock:
        # After a kill of the whole run, the training that it left may still be at its last update.
        fcntl.flock(lock, fcntl.LOCK_EX)
        take_folder(folder, made_from)
        finished = folder / "finished"
        if not finished.exists():
            train(flags, str(Path(data["train"]) / system.get("form", "")), folder, seed)
            finished.touch()
    figures = describe(folder, system["checkpoint"]) | {"flags": made_from["flags"]}
    write_whole(f"trained/{name}.{seed}.json", json.dumps(figures, indent=1) + "\n")


if __name__ == "__main__":
    main()
