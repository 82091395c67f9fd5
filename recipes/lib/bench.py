"""Measures speed side by side: who trains and samples faster, and where the time goes.

What is measured stands in recipes/experiments/bench.yaml. Every side is a process of its own
(bench_worker.py) that sets up once; they then work in turns, round by round, so that whatever else
the machine does hits all alike. On a CPU processor time counts, with one thread; on a GPU the
clock. Everything is written to FOLDER: speed.json, and report/ as a page, Markdown and JSON.
"""

import argparse
import datetime
import importlib.util
import json
import logging
import os
import pickle
import platform
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch

# As for compare.py: the package leaves out fairseq, whose classes for data alone are needed.
if __name__ == "__main__":
    sys.argv[0] = "-m"
import yaml_file
from compare import EXPERIMENTS, LIB, PROJECT, locked, write_experiment
from experiment import OneLine, positive, render, unique
from schema import FULL, NAMED, TEXT, WHOLE, check, mapping

from fairseq_genext.errors import UsageError
from fairseq_genext.files import write_whole
from fairseq_genext.precision import VARIABLE

RUNS = (
    "train", "generate", "nanogpt_train", "nanogpt_sample", "huggingface", "textgan",
)  # fmt: skip
FILE = mapping(title=str, notes=(list[str], []), flags=(dict[str, str], {}), groups=FULL)
DATA = mapping(words=WHOLE, lines=WHOLE, length=WHOLE, fixed=(bool, False), pairs=(bool, False))
GROUP = mapping(
    title=str, note=TEXT, data=(dict[str, Any] | None, None), shapes=FULL, sides=FULL,
    unit=(Literal["token", "sentence"], "token"), plot=TEXT, flops=TEXT, only=(Any, True),
    rounds=(WHOLE | None, None),
)  # fmt: skip
SIDE = mapping(
    run=Literal[RUNS], plugin=(bool, False), flags=(str, ""), generate=(str, ""), spec=NAMED,
    only=(Any, True), needs=(Literal["nanogpt", "textgan", "transformers"] | None, None),
    note=TEXT, environment=(dict[str, str], {}), work=(dict[str, WHOLE], {}),
    precision=(Literal["float32", "bfloat16"], "float32"),
)  # fmt: skip
MISSING = {
    "nanogpt": "give --nanogpt FOLDER, made by: git clone https://github.com/karpathy/nanoGPT",
    "textgan": "give --textgan FOLDER, made by: git clone "
    "https://github.com/williamSYSU/TextGAN-PyTorch",
    "transformers": "pip install 'transformers>=4.45,<5'",
}
CHECKOUT_FILES = {"nanogpt": "train.py", "textgan": "models/SeqGAN_G.py"}
MOST_UPDATES = 5000  # a round


def write_data(folder: Path, words: int, lines: int, length: int, fixed: bool, pairs: bool) -> int:
    """Lines of random words as fairseq-preprocess and nanoGPT write them; the dictionary's size.

    Lengths are ``length``, or uniform from half to one and a half times that. What text says costs
    nothing.
    """
    from fairseq.data import Dictionary
    from fairseq.data.indexed_dataset import make_builder

    dictionary = Dictionary()
    for number in range(words):
        dictionary.add_symbol(f"w{number}")
    draw = np.random.default_rng(1)
    endings = {"": ""} if not pairs else {"src": ".src-tgt.src", "tgt": ".src-tgt.tgt"}
    for language, ending in endings.items():
        dictionary.save(str(folder / f"dict.{language}.txt".replace("..", ".")))
        for split, number in (("train", lines), ("valid", 64), ("test", 64)):
            sizes = draw.integers(length // 2, length * 3 // 2 + 1, number)
            sizes = np.full(number, length) if fixed else sizes.clip(1)
            ids = draw.integers(dictionary.nspecial, len(dictionary), (number, sizes.max() + 1))
            ids[np.arange(number), sizes] = dictionary.eos()
            texts = [row[: size + 1] for row, size in zip(ids, sizes, strict=True)]
            prefix = str(folder / f"{split}{ending}")
            builder = make_builder(f"{prefix}.bin", "mmap", len(dictionary))
            for text in texts:
                builder.add_item(torch.from_numpy(text))
            builder.finalize(f"{prefix}.idx")
            if not pairs:
                (folder / "nanogpt").mkdir(exist_ok=True)
                name = {"train": "train", "valid": "val", "test": "test"}[split]
                np.concatenate(texts).astype(np.uint16).tofile(folder / f"nanogpt/{name}.bin")
    if not pairs:
        (folder / "nanogpt/meta.pkl").write_bytes(pickle.dumps({"vocab_size": len(dictionary)}))
    return len(dictionary)


class Worker:
    """The process of a side.

    Args:
        spec: what it does; see ``bench_worker.py``.
        environment: variables to set.
        log: file for what it prints.

    Raises:
        UsageError: it ends, with the last line that it printed.
    """

    def __init__(self, spec: dict, environment: dict[str, str], log: Path) -> None:
        self.spec, self.log = spec, log
        with log.open("w") as file:
            self.process = subprocess.Popen(
                [sys.executable, LIB / "bench_worker.py", json.dumps(spec)],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=file, text=True,
                env={**os.environ, **environment},
            )  # fmt: skip

    def answer(self) -> dict:
        """The next line that it says."""
        line = self.process.stdout.readline()
        if not line:
            self.process.wait()
            printed = self.log.read_text().strip().splitlines() or ["nothing printed"]
            raise UsageError(f"{self.spec['name']} ended: {printed[-1]:.300}; see {self.log}")
        return json.loads(line)

    def ask(self, updates: int, parts: bool = False) -> dict:
        """What some updates cost."""
        self.process.stdin.write(json.dumps([updates, parts]) + "\n")
        self.process.stdin.flush()
        return self.answer()

    def stop(self) -> None:
        """Ends it, whatever it does."""
        self.process.kill()
        self.process.wait()


@contextmanager
def started(spec: dict, environment: dict[str, str], log: Path) -> Iterator[tuple[Worker, dict]]:
    """A worker that has made its first update, and what that cost."""
    worker = Worker(spec, environment, log)
    try:
        yield worker, worker.answer()
    finally:
        worker.stop()


def measure(sides: dict[str, dict], rounds: int, seconds: float, logs: Path) -> dict[str, dict]:
    """What the sides of one shape cost, round by round.

    A peer that does not start, as one whose packages are not there, is left out.

    Args:
        sides: by name, what ``Worker`` takes, ``peer``, and ``work``: updates of each kind in a
            round.
        rounds: number of them.
        seconds: of a side and round, where ``work`` is empty.
        logs: folder for what the sides print.
    """
    with ExitStack() as stack:
        workers, found = {}, {}
        for name, side in sides.items():
            log = logs / f"{side['spec']['name']}.log".replace("/", " ")
            try:
                worker, setup = stack.enter_context(started(side["spec"], side["environment"], log))
            except UsageError as error:
                if not side["peer"]:
                    raise
                print(f"left out: {error}", file=sys.stderr, flush=True)
                found[name] = {"missing": str(error)}
                continue
            clock = "processor" if setup["device"] == "cpu" else "seconds"
            work = side["work"]
            if not work:
                least = worker.ask(1)[clock]
                work = {"update": min(MOST_UPDATES, max(1, round(seconds / least)))}
            elif set(work.values()) != {1}:
                for updates in work.values():  # caches warm up
                    worker.ask(updates)
            workers[name] = worker
            found[name] = {"setup": setup, "clock": clock, "work": work, "rounds": []}
        for number in range(rounds):
            for name, worker in workers.items():
                work = found[name]["work"]
                cost = {kind: worker.ask(updates) for kind, updates in work.items()}
                found[name]["rounds"].append(cost)
                clock = found[name]["clock"]
                told = ", ".join(
                    f"{kind} {cost[kind][clock] / updates * 1000:.1f} ms"
                    for kind, updates in work.items()
                )
                print(f"round {number + 1}: {name}: {told}", file=sys.stderr, flush=True)
        for name, worker in workers.items():
            if worker.spec["run"] in ("train", "nanogpt_train"):
                work = found[name]["work"].items()
                found[name]["parts"] = {kind: worker.ask(n, parts=True) for kind, n in work}
    return found


def commit(folder: Path) -> str | None:
    """The commit of a checkout, if it is one."""
    told = subprocess.run(
        ["git", "-C", str(folder), "rev-parse", "--short", "HEAD"], capture_output=True, text=True
    )
    return told.stdout.strip() or None


def machine(args: argparse.Namespace) -> dict:
    """What the figures were made on, and with."""
    processor = Path("/proc/cpuinfo").read_text()
    model = next((x.split(":")[1].strip() for x in processor.splitlines() if "model name" in x), "")
    kernels = ("avx2", "avx512f", "avx512_bf16", "amx_bf16")
    return {
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "processor": model,
        "cores": os.cpu_count(),
        "instructions": [name for name in kernels if f" {name} " in processor],
        "load": os.getloadavg()[0],
        "system": platform.platform(),
        "python": platform.python_version(),
        "threads": args.threads,
        "environment": {k: v for k, v in os.environ.items() if k.startswith(("MALLOC_", "OMP_"))},
        "commit": commit(PROJECT),
        **{name: commit(getattr(args, name)) for name in CHECKOUT_FILES if getattr(args, name)},
    }


def read_file(path: Path) -> dict:
    """A file of measurements, with the defaults of keys left out.

    Raises:
        UsageError: it is missing, or has wrong keys.
    """
    entries = check(FILE, yaml_file.load(path), str(path))
    for name, group in entries["groups"].items():
        where = f"{path}: groups.{name}"
        entries["groups"][name] = group = check(GROUP, group, where)
        for side, given in group["sides"].items():
            group["sides"][side] = check(SIDE, given, f"{where}.sides.{side}")
    return entries


def chosen(groups: dict, only: str | None) -> dict:
    """The groups to measure; a name stands for all that begin with it and a dash too.

    Raises:
        UsageError: a name is unknown.
    """
    if only is None:
        return groups
    wanted = unique(only.split(), "--only")
    known = sorted({name.split("-")[0] for name in groups} | set(groups))
    for name in wanted:
        if name not in known:
            raise UsageError(f"there is no group {name}; choose among {', '.join(known)}")
    return {k: v for k, v in groups.items() if k in wanted or k.split("-")[0] in wanted}


def is_missing(needs: str, args: argparse.Namespace) -> bool:
    """Whether what a side compares with is not there."""
    if needs in CHECKOUT_FILES:
        return getattr(args, needs) is None
    return importlib.util.find_spec(needs) is None


def prepare(side: dict, names: dict, where: str, data: Path, args: argparse.Namespace) -> dict:
    """A side as ``measure`` takes it."""
    parts = {key: render(side[key], names, f"{where}.{key}") for key in side if key != "note"}
    folder = data / "nanogpt" if side["run"] == "nanogpt_train" else data
    precision, matmul = side["precision"], "highest"
    if args.cuda and precision == "float32" and (side["plugin"] or side["run"] == "nanogpt_train"):
        precision, matmul = "tf32", "high"  # which nanoGPT asks for
    spec = {"run": side["run"], "data": str(folder), "precision": precision, "name": where}
    spec |= {"unit": names["unit"], "flags": parts["flags"], "generate": parts["generate"]}
    spec |= {"scratch": str(data / "scratch"), **parts["spec"]}
    if side["plugin"]:
        spec["plugin"] = str(PROJECT / "fairseq_genext")
    if side.get("needs") in CHECKOUT_FILES:
        spec["checkout"] = str(getattr(args, side["needs"]).resolve())
    environment = {"OMP_NUM_THREADS": str(args.threads), VARIABLE: matmul}
    environment |= {"PYTHONPATH": "", **parts["environment"]}
    needs = "needs" in side
    return {"spec": spec, "environment": environment, "work": parts["work"], "peer": needs}


def measure_group(name: str, group: dict, flags: dict, args: argparse.Namespace) -> list[dict]:
    """A record for every shape and side of a group: what it is, and what it cost or lacks."""
    records = []
    for shape, values in group["shapes"].items():
        where = f"{name}, {shape}"
        names = {**flags, **values, "cuda": args.cuda, "unit": group["unit"]}
        with tempfile.TemporaryDirectory() as scratch:
            if group.get("data"):
                data = check(DATA, render(group["data"], names, where), f"{where}: data")
                names["dictionary"] = write_data(Path(scratch), **data)
            sides = {}
            for side, given in group["sides"].items():
                if not render(given["only"], names, where):
                    continue
                record = {"group": name, "shape": shape, "values": values, "side": side}
                if given.get("needs") and is_missing(given["needs"], args):
                    records.append(record | {"missing": MISSING[given["needs"]]})
                    continue
                label = f"{where}, {side}"
                sides[side] = prepare(given, names, label, Path(scratch), args)
            precisions = {side["spec"]["precision"] for side in sides.values()}
            for precision in sorted(precisions) if group.get("flops") and not args.cuda else ():
                spec = {"run": "matmul", "precision": precision, "name": f"{where}, {precision}"}
                product = {**next(iter(sides.values())), "spec": spec, "work": {}}
                sides[f"matrix product, {precision}"] = product
            print(f"== {where}: {', '.join(sides)}", file=sys.stderr, flush=True)
            rounds = min(args.rounds, values.get("rounds", group.get("rounds", args.rounds)))
            found = measure(sides, rounds, args.seconds, args.output / "logs")
        for side, cost in found.items():
            record = {"group": name, "shape": shape, "values": values, "side": side}
            if "missing" not in cost:
                record |= {"spec": sides[side]["spec"], "environment": sides[side]["environment"]}
            if group.get("flops"):
                record["flops"] = render(group["flops"], names, f"{where}: flops")
            records.append(record | cost)
    return records


def main() -> None:
    """The command line."""
    parser = OneLine(
        prog="bash recipes/bench.sh",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("file", nargs="?", type=Path, metavar="FILE", help="instead of bench.yaml")
    parser.add_argument("--only", metavar='"NAME …"', help="some of the groups of measurements")
    parser.add_argument("--rounds", default="5", help="default: 5, of slow groups fewer")
    parser.add_argument(
        "--seconds", type=float, default=1.5, help="of a side in a round (default: 1.5)"
    )
    parser.add_argument("--threads", default="1", help="of every side (default: 1)")
    for name, about in (("nanogpt", "nanoGPT"), ("textgan", "TextGAN-PyTorch")):
        parser.add_argument(
            f"--{name}", type=Path, metavar="FOLDER", help=f"a checkout of {about}, to compare with"
        )
    default = PROJECT / "runs" / "bench"
    parser.add_argument("--output", type=Path, default=default, metavar="FOLDER")
    argv = sys.argv[1:]
    args = parser.parse_args(argv)
    logging.disable(logging.INFO)  # fairseq's
    args.rounds, args.threads = (
        positive(getattr(args, name), f"--{name}") for name in ("rounds", "threads")
    )
    if not 0 < args.seconds < 3600:
        raise UsageError(f"--seconds is {args.seconds}; it must be more than 0 and below 3600")
    for name, file in CHECKOUT_FILES.items():
        folder = getattr(args, name)
        if folder is not None and not (folder / file).is_file():
            raise UsageError(f"--{name} {folder} has no {file}; {MISSING[name]}")
    entries = read_file(args.file or EXPERIMENTS / "bench.yaml")
    args.cuda = torch.cuda.is_available()
    groups = {
        name: group
        for name, group in chosen(entries["groups"], args.only).items()
        if render(group["only"], {"cuda": args.cuda}, f"groups.{name}.only")
    }
    if not groups:
        raise UsageError("there is nothing to measure here: the groups chosen need a GPU")
    args.output = args.output.resolve()
    with locked(args.output):
        (args.output / "logs").mkdir(exist_ok=True)
        begun = time.monotonic()
        found: dict[str, Any] = {"machine": machine(args), "groups": {}, "records": []}
        for name, group in groups.items():
            told = ("title", "note", "unit", "plot")
            found["groups"][name] = {key: group[key] for key in told if key in group}
            found["groups"][name]["notes"] = {
                side: given["note"] for side, given in group["sides"].items() if "note" in given
            }
            found["records"] += measure_group(name, group, entries["flags"], args)
            # After every group: one that fails or is stopped leaves those before it.
            found["seconds"] = round(time.monotonic() - begun)
            write_whole(args.output / "speed.json", json.dumps(found, indent=1) + "\n")
        experiment = {key: entries[key] for key in ("title", "notes")} | {"report": ["speed"]}
        command = shlex.join(["bash", "recipes/bench.sh", *argv])
        write_experiment(args.output, experiment | {"data": {}, "systems": {}, "command": command})
        report = [sys.executable, "-m", "fairseq_genext.evaluation.report", str(args.output)]
        sys.exit(subprocess.run(report).returncode)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        print("stopped; speed.json has the groups that were done", file=sys.stderr)
        sys.exit(130)
