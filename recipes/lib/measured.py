"""Runs a Python command and adds up what it cost: processor time and peak memory.

    python recipes/lib/measured.py COST.json COMMAND ARGUMENTS …

COMMAND is a Python script on the PATH, as fairseq-train is. COST.json gets processor_seconds, of
all threads and of every run that wrote to it (a stopped training and its continuation);
peak_memory_mib, the largest resident set; and with CUDA peak_device_memory_mib. SIGTERM ends the
command as Ctrl-C would, and its cost still counts.
"""

import json
import resource
import runpy
import shutil
import signal
import sys
from pathlib import Path

from fairseq_genext.files import write_whole

USES = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)


def cost() -> dict[str, float]:
    """What this process and its children have used until now."""
    uses = [resource.getrusage(who) for who in USES]
    used = {
        "processor_seconds": round(sum(use.ru_utime + use.ru_stime for use in uses), 1),
        "peak_memory_mib": round(max(use.ru_maxrss for use in uses) / 1024),  # KiB on Linux
    }
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        used["peak_device_memory_mib"] = round(torch.cuda.max_memory_allocated() / 2**20)
    return used


def add(path: Path, used: dict[str, float]) -> None:
    """Seconds add up, peaks do not."""
    before = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    total = {
        name: value + before.get(name, 0)
        if name.endswith("seconds")
        else max(value, before.get(name, 0))
        for name, value in used.items()
    }
    write_whole(str(path), json.dumps(total) + "\n")


def main() -> None:
    """Runs the command in this process, whose use of memory is then the command's own."""
    path, command = Path(sys.argv[1]), shutil.which(sys.argv[2])
    if command is None:
        sys.exit(f"error: there is no command {sys.argv[2]}")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    sys.argv = [command, *sys.argv[3:]]
    try:
        runpy.run_path(command, run_name="__main__")
    finally:
        add(path, cost())


if __name__ == "__main__":
    main()
