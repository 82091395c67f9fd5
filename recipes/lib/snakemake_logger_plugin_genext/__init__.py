"""What a person sees of a run: each step as it starts and ends, and how far the trainings are.

A Snakemake logger plugin. On a terminal the running trainings share one line that is written anew;
in a plain log they get a line every half a minute.
"""

import itertools
import json
import re
import shutil
import sys
import threading
import time
from pathlib import Path

from snakemake_interface_logger_plugins.base import LogHandlerBase
from snakemake_interface_logger_plugins.common import LogEvent

INTERVAL = {True: 0.5, False: 30.0}  # s between two lines of progress, by whether it is a terminal
TAIL = 16384  # bytes of a log that its last line of figures is looked for in
SHOWN = 3  # samples of each system
# Of the package's, as logs of fairseq's commands have them, or those of Python's own form.
WARNING = re.compile(r"WARNING(?: \| |:)fairseq_genext[\w.]*(?: \| |:)(.*)")
MISTAKE = re.compile(r"([\w-]+: )?error: ")  # argparse puts the command's name first
STOPPED = ".stopped"  # compare.py's mark that steps fail because the user has stopped them


def name_of(job) -> str:
    """A step's name, that of its log; nothing for one that has none."""
    return Path(job.log[0]).stem if job.log else ""


def progress(job) -> str:
    """Updates and loss of a running training, from the last figures in its log; else nothing."""
    if job.rule_name != "train":
        return ""
    log = Path("models") / "{system}.{seed}".format(**job.wildcards) / "train.log"
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - TAIL))
            lines = file.read().decode("utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    for line in reversed(lines):
        try:
            figures = json.loads(line)
        except ValueError:  # it is still being written
            continue
        if "num_updates" in figures:
            updates, loss = figures["num_updates"], figures.get("loss", "–")
            return f"{name_of(job)} {updates} updates, loss {loss}"
    return ""


class LogHandler(LogHandlerBase):
    """Prints to the standard output."""

    writes_to_stream = True
    writes_to_file = False
    has_filter = True  # of its own: it reads every event
    has_formatter = True
    needs_rulegraph = False

    def __post_init__(self) -> None:
        self.begun = time.monotonic()
        self.running: dict = {}  # by job number, what Snakemake said as it started
        self.warned: set[str] = set()
        self.terminal = sys.stdout.isatty()
        self.writing = threading.Lock()
        threading.Thread(target=self.watch, daemon=True).start()

    def say(self, text: str) -> None:
        """Prints a line, over what is left of the line of progress."""
        with self.writing:
            print(("\r\033[K" if self.terminal else "") + text, flush=True)

    def watch(self) -> None:
        """Shows the running trainings, again and again."""
        while True:
            time.sleep(INTERVAL[self.terminal])
            parts = list(filter(None, map(progress, list(self.running.values()))))
            line = f"   {self.seconds():4d} s  {'  |  '.join(parts)}"
            if parts and self.terminal:
                with self.writing:
                    width = shutil.get_terminal_size().columns - 1
                    print(f"\r\033[K{line[:width]}", end="", flush=True)
            elif parts:
                self.say(line)

    def seconds(self) -> int:
        """Since the start."""
        return round(time.monotonic() - self.begun)

    def emit(self, record) -> None:
        """One event of Snakemake."""
        event = getattr(record, "event", None)
        if event == LogEvent.JOB_INFO:
            self.running[record.jobid] = record
            if record.log:
                self.say(f"== {name_of(record)} (at {self.seconds()} s)")
        elif event == LogEvent.JOB_FINISHED:
            self.finish(self.running.pop(record.job_id, None))
        elif event == LogEvent.JOB_ERROR:
            self.fail(self.running.pop(record.jobid, None))
        elif event in (None, LogEvent.ERROR) and record.levelname in ("ERROR", "CRITICAL"):
            self.fail_otherwise(record.getMessage().strip())

    def finish(self, job) -> None:
        """A step has ended well; its warnings are shown, and of samples the first."""
        if job and job.log and Path(job.log[0]).exists():
            log = Path(job.log[0]).read_text(encoding="utf-8", errors="replace")
            for warning in WARNING.findall(log):
                if warning not in self.warned:  # the steps of all seeds warn alike
                    self.warned.add(warning)
                    self.say(f"   {name_of(job)}: {warning}")
        if job and job.rule_name == "sample":
            run = job.wildcards["run"]
            with Path(f"samples/{run}/t1.00.txt").open(encoding="utf-8") as file:
                for line in itertools.islice(file, SHOWN):
                    self.say(f"   {run}: {line.rstrip()}")
        if self.terminal and not self.running:  # what is printed next begins on a line of its own
            with self.writing:
                print("\r\033[K", end="", flush=True)

    def fail(self, job) -> None:
        """A step has failed: the end of its log, and where it is."""
        if not job or not job.log or Path(STOPPED).exists():
            return
        log = Path(job.log[0]).resolve()
        text = log.read_text(encoding="utf-8", errors="replace") if log.exists() else ""
        lines = text.splitlines()[-20:]
        # A mistake of the user's is told in one line already; anything else needs its traceback.
        for line in lines[-1:] if lines and MISTAKE.match(lines[-1]) else lines:
            print(line, file=sys.stderr)
        print(f"error: {name_of(job)} failed; its log is {log}", file=sys.stderr)

    def fail_otherwise(self, text: str) -> None:
        """An error, unless it only says again that a step has failed."""
        told = ("RuleException", "At least one job did not complete", "Exiting because")
        if text and not any(known in text for known in told):
            print(text, file=sys.stderr)
