"""Kills training as power cuts do, at points of its file operations and between its updates.

A run is started, killed and started again until it has made all its updates. After every kill, what
it goes on from is compared with the same update of a run that was never killed.
"""

import builtins
import io
import itertools
import os
import random
import signal
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import torch
from commands import run
from gan_states import equal

# Points in the save folder at which a process can die, as `Killer` names them.
POINTS = ("before open", "opened", "in write", "before os.rename", "before os.remove")


class Killer:
    """Kills this process after a number of updates, or at a file operation in a folder.

    Args:
        after: updates that this process may still make.
        point: one of ``POINTS``, or None for "between updates".
        folder: where checkpoints go; nothing else counts.
        skip: how many points of that kind are passed by before the deadly one.
        report: a file that gets "UPDATES POINT FILE" before the end, with the updates begun here.
        number: of the signal.
    """

    def __init__(
        self,
        after: int,
        point: str | None = None,
        folder: str = "",
        skip: int = 0,
        report: str = os.devnull,
        number: int = signal.SIGKILL,
    ) -> None:
        self.after, self.point, self.folder, self.skip = after, point, folder, skip
        self.report, self.number, self.made = report, number, 0
        self.open = builtins.open

    def die(self, point: str, path: str = "") -> None:
        with self.open(self.report, "w") as file:
            file.write(f"{self.made} {point} {os.path.basename(path)}")
        os.kill(os.getpid(), self.number)

    def pass_by(self, point: str, path: object) -> bool:
        """Whether this is the deadly point."""
        if self.point != point or self.after > 0 or not self.concerns(path):
            return False
        self.skip -= 1
        return self.skip < 0

    def concerns(self, path: object) -> bool:
        return isinstance(path, str) and ".pt" in path and os.path.dirname(path) == self.folder

    def audit(self, event: str, arguments: tuple) -> None:
        if event == "open" and arguments[1] in ("w", "wb"):
            event = "before open"
        elif event in ("os.rename", "os.remove"):
            event = f"before {event}"
        else:
            return
        path = os.path.abspath(arguments[0]) if isinstance(arguments[0], str) else None
        if self.pass_by(event, path):
            self.die(event, path)

    def open_for_writing(self, path, mode="r", *args, **kwargs):
        if mode != "wb" or not self.concerns(os.path.abspath(path)):
            return self.open(path, mode, *args, **kwargs)
        path = os.path.abspath(path)
        file = HalfWritten(io.FileIO(path, "w"))
        file.killer, file.path = self, path
        if self.pass_by("opened", path):
            self.die("opened", path)
        return file

    def count_updates(self, step):
        def train_step(*args, **kwargs):
            if self.after == 0 and self.point is None:
                self.die("between updates")
            self.after -= 1
            self.made += 1
            return step(*args, **kwargs)

        return train_step

    def __call__(self) -> None:
        from fairseq.trainer import Trainer

        # Where tests run behind a shell, it is ignored.
        signal.signal(signal.SIGINT, signal.default_int_handler)
        Trainer.train_step = self.count_updates(Trainer.train_step)
        builtins.open = self.open_for_writing
        sys.addaudithook(self.audit)


class HalfWritten(io.BufferedWriter):
    """A file of which the deadly write reaches the disk in half."""

    def write(self, data) -> int:
        if self.killer.pass_by("in write", self.path):
            super().write(bytes(data)[: len(data) // 2])
            self.flush()
            self.killer.die("in write", self.path)
        return super().write(data)


def read(path: Path) -> tuple[int, dict]:
    """Updates of a checkpoint, and all of its state that training goes on from."""
    saved = torch.load(path, map_location="cpu", weights_only=True)
    extra = saved["extra_state"]
    history = saved["optimizer_history"][-1]
    state = {
        "model": saved["model"],
        "criterion": saved["criterion"],
        "optimizer": saved["last_optimizer_state"],
        "schedule": history["lr_scheduler_state"],
        "iterator": extra["train_iterator"],
        "best": extra.get("best"),
        "forgotten by fairseq": extra["fairseq_genext"],
    }
    return history["num_updates"], state


@dataclass
class Kills:
    """What became of kills: how many of each phase and point, and after how many of them the run
    goes on from what one that was never killed has at that update."""

    total: Counter = field(default_factory=Counter)
    equal: Counter = field(default_factory=Counter)
    points: Counter = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)


def random_kills(seed: int = 1) -> Iterator[tuple[int, str | None, int]]:
    """``after``, ``point`` and ``skip`` of a ``Killer`` without end, every kind of point alike."""
    draw = random.Random(seed)
    while True:
        point = draw.choice((None, *POINTS))
        skips = {"in write": 60, "before os.remove": 1}.get(point, 3)
        yield draw.randrange(1, 7), point, draw.randrange(skips)


def kill_and_compare(
    flags: tuple,
    updates: int,
    plan: Iterable[tuple[int, str | None, int]],
    folder: Path,
    name: str,
    phase: Callable[[int], str] = lambda update: "",
    number: int | None = None,
) -> Kills:
    """Kills trainings of ``updates`` updates, one after the other.

    Args:
        flags: of ``fairseq-train``, without where and how often it saves.
        plan: see ``random_kills``. A run can end before it comes to its point.
        phase: names the phase of an update.
        number: kills after which it is enough; by default all of the plan.
    """
    flags += ("--max-update", updates, "--num-workers", 0, "--save-interval-updates", 3)
    run("fairseq-train", *flags, "--save-dir", f"{name}-whole", folder=folder)
    whole = dict(read(path) for path in (folder / f"{name}-whole").glob("checkpoint*[0-9].pt"))
    whole.update([read(folder / f"{name}-whole" / "checkpoint_last.pt")])
    flags += ("--keep-interval-updates", 2, "--save-dir")
    plan, kills, report = iter(plan), Kills(), folder / f".{name}-report"
    for round_ in itertools.count(1):
        save_dir = folder / f"{name}-{round_}"
        last = save_dir / "checkpoint_last.pt"
        made, status = 0, None
        while status != 0:
            last_one = (updates, None, 0)
            enough = kills.total.total() == number
            after, point, skip = last_one if enough else next(plan, last_one)
            killer = Killer(after, point, str(save_dir), skip, str(report))
            status = run(
                "fairseq-train", *flags, save_dir, folder=folder, before=killer,
                expect=(0, -signal.SIGKILL),
            ).status  # fmt: skip
            if status != 0:
                begun, words = report.read_text().split(" ", 1)
                of = phase(made + int(begun) - 1)
                kills.total[of] += 1
                kills.points[point or "between updates"] += 1
            if last.exists():
                try:
                    made, state = read(last)
                    exact = equal(state, whole[made])
                except Exception as error:  # half a file
                    exact, words = False, f"{words}: {error!r}"
            else:
                exact = True
            if status != 0:
                kills.equal[of] += exact
            if not exact:
                kills.wrong.append(f"{name}, round {round_}, after {made} updates: {words}")
                break
        if (after, point) == (updates, None):
            return kills
