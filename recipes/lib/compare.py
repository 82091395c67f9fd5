"""Runs an experiment: checks its file and arguments, and has Snakemake do what there is to do.

python recipes/lib/compare.py EXPERIMENT.yaml [--output FOLDER] [options] [-- snakemake's options]
"""

import contextlib
import fcntl
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

# As for `python -m fairseq_genext.…`: the package then leaves out fairseq, which takes seconds to
# import.
if __name__ == "__main__":
    sys.argv[0] = "-m"
from experiment import read

from fairseq_genext.errors import UsageError
from fairseq_genext.files import write_whole

LIB = Path(__file__).resolve().parent
PROJECT = LIB.parents[1]
DRY_RUN = re.compile(r"--dry-?run|-[a-zA-Z]*n[a-zA-Z]*")
EXPERIMENTS = PROJECT / "recipes" / "experiments"


def find(name: str) -> Path:
    """The file of an experiment: a path, or the name of one that is shipped."""
    shipped = EXPERIMENTS / f"{name}.yaml"
    return shipped if shipped.is_file() else Path(name)


@contextlib.contextmanager
def locked(output: Path) -> Iterator[None]:
    """Keeps a second run out of the folder; the system frees it however this one ends.

    Raises:
        UsageError: another run works there.
    """
    try:
        output.mkdir(parents=True, exist_ok=True)
        lock = (output / ".lock").open("w")
    except OSError as error:
        raise UsageError(f"--output {output} cannot be written to: {error.strerror}") from None
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise UsageError(f"another run works in {output}; wait for it or stop it") from None
        yield


def write_experiment(output: Path, experiment: dict) -> None:
    """Writes what Snakemake and the report read."""
    text = json.dumps(experiment, indent=1, ensure_ascii=False) + "\n"
    write_whole(output / "experiment.json", text)


def snakemake(output: Path, target: str, jobs: str | None, extra: list[str]) -> int:
    """Runs Snakemake in the experiment's folder; its exit status.

    SIGINT and SIGTERM go to its whole process group, so that the running steps stop as well: left
    to itself, Snakemake would wait for trainings to end.
    """
    gpus = list(Path("/dev").glob("nvidia[0-9]*"))  # a training takes all of them
    command = [
        # Killed together with this process, whatever kills it; the steps follow (see STEP there).
        "setpriv", "--pdeathsig", "KILL",
        "snakemake", "--snakefile", str(PROJECT / "recipes" / "Snakefile"), target,
        "--directory", str(output), "--cores", jobs or "all", "--nolock", "--rerun-incomplete",
        *(() if any(map(DRY_RUN.fullmatch, extra)) else ("--logger", "genext")),
        # Not by the clock of files that a checkout has just written.
        "--rerun-triggers", "mtime", "params", "input",
        *(["--resources", "gpus_of_the_machine=1"] if gpus else []),
        *extra,
    ]  # fmt: skip
    (output / ".stopped").unlink(missing_ok=True)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(LIB), str(PROJECT)])}
    process = subprocess.Popen(command, env=environment, start_new_session=True)

    def stop(number: int, _) -> None:
        for ignored in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(ignored, signal.SIG_IGN)
        (output / ".stopped").touch()  # for the logger, which then is silent about failing steps
        os.killpg(process.pid, signal.SIGTERM)

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, stop)
    status = process.wait()
    stopped = signal.getsignal(signal.SIGTERM) is signal.SIG_IGN
    return 130 if stopped else status


def main() -> None:
    """The command line."""
    begun = time.monotonic()
    if len(sys.argv) < 2 or sys.argv[1].startswith("-"):
        raise UsageError("name an experiment file first; --help behind it lists its options")
    name, *argv = sys.argv[1:]
    end = argv.index("--") if "--" in argv else len(argv)
    argv, extra = argv[:end], argv[end + 1 :]
    path = find(name)
    experiment, args = read(path, argv)
    # As a user types it, for the report.
    recipe = [f"recipes/{name}.sh"] if path.parent == EXPERIMENTS else ["recipes/compare.sh", name]
    experiment["command"] = shlex.join(["bash", *recipe, *argv])
    output = (args.output or PROJECT / "runs" / path.stem).resolve()
    with locked(output):
        write_experiment(output, experiment)
        status = snakemake(output, "trained" if args.train_only else "report", args.jobs, extra)
        if status == 0 and not args.train_only and not extra:
            print((output / "report" / "report.md").read_text(encoding="utf-8"))
    seconds = round(time.monotonic() - begun)
    if status == 130:
        print(f"stopped after {seconds} s; the same command goes on", file=sys.stderr)
    elif status == 0 and not extra:
        made = output / ("models" if args.train_only else "report/report.html")
        print(f"{'trained' if args.train_only else 'report'}: {made} ({seconds} s since the start)")
    sys.exit(min(status, 130))


if __name__ == "__main__":
    main()
