"""Runs fairseq's commands in fresh processes that need not import torch again.

A fork server imports fairseq once; each command is a fork of it with its own arguments, output and
exit status, exactly as the console script would run.
"""

import contextlib
import importlib
import json
import multiprocessing
import multiprocessing.connection
import os
import re
import subprocess
import sys
from argparse import Namespace
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from fairseq import options, tasks
from fairseq.models import ARCH_MODEL_NAME_REGISTRY, MODEL_DATACLASS_REGISTRY

import fairseq_genext
from fairseq_genext.errors import UsageError

USER_DIR = str(Path(fairseq_genext.__file__).parent)
RECIPES = Path(USER_DIR).parent / "recipes"

SCRIPTS = {
    "fairseq-train": "fairseq_cli.train",
    "fairseq-generate": "fairseq_cli.generate",
    "fairseq-interactive": "fairseq_cli.interactive",
    "fairseq-validate": "fairseq_cli.validate",
    "fairseq-eval-lm": "fairseq_cli.eval_lm",
    "fairseq-preprocess": "fairseq_cli.preprocess",
    "fairseq-hydra-train": "fairseq_cli.hydra_train",
}

# Whether there is a GPU is otherwise found out by starting CUDA, and then no fork can use it.
os.environ["PYTORCH_NVML_BASED_CUDA_CHECK"] = "1"
_server = multiprocessing.get_context("forkserver")
# The plugin is left out: --user-dir has to import it, as it does for users.
_server.set_forkserver_preload([*SCRIPTS.values()])


@dataclass
class Result:
    """What a command left: exit status, and its standard output and error."""

    status: int
    stdout: str
    stderr: str

    def lines(self, kind: str) -> dict[int, list[str]]:
        """Fields after the id of every line such as ``H-3<tab>…``, by id."""
        found = {}
        for line in self.stdout.splitlines():
            if line.startswith(f"{kind}-"):
                name, *fields = line.split("\t")
                found[int(name.removeprefix(f"{kind}-"))] = fields
        return found

    def logged(self, key: str) -> list[float]:
        """Every value of ``key`` in a log of ``--log-format json``, in order."""
        lines = re.findall(r"\{\"epoch.*\}", self.stdout + self.stderr)
        found = [json.loads(line).get(key) for line in lines]
        return [float(value) for value in found if value is not None]


def _main(
    script: str,
    argv: list[str],
    cwd: str,
    environment: dict[str, str],
    stdin: str,
    stdout: str,
    stderr: str,
    before: Callable[[], None],
) -> None:
    for path, stream, flags in (
        (stdin, 0, os.O_RDONLY),
        (stdout, 1, os.O_WRONLY | os.O_CREAT | os.O_TRUNC),
        (stderr, 2, os.O_WRONLY | os.O_CREAT | os.O_TRUNC),
    ):
        os.dup2(os.open(path, flags, 0o600), stream)
    # Left to itself the child would start its data loader's workers from the fork server too, which
    # no command does.
    multiprocessing.set_start_method("fork", force=True)
    sys.stdin = os.fdopen(0, closefd=False)
    os.environ.update(environment)
    os.chdir(cwd)
    sys.argv = [script, *argv]
    before()
    importlib.import_module(SCRIPTS[script]).cli_main()
    sys.stdout.flush()


def nothing() -> None:
    """What most commands do before they begin."""


def _start(
    script: str,
    argv,
    folder: Path,
    name: str = "",
    stdin: str = "",
    environment: dict | None = None,
    before: Callable[[], None] = nothing,
) -> _server.Process:
    """The running command; ``folder`` has its streams, ``name`` tells several apart."""
    arguments = [str(argument) for argument in argv]
    if script != "fairseq-hydra-train":
        arguments += ["--user-dir", USER_DIR]
    streams = [str(folder / f".{stream}{name}") for stream in ("stdin", "stdout", "stderr")]
    Path(streams[0]).write_text(stdin, encoding="utf-8")
    process = _server.Process(
        target=_main, args=(script, arguments, str(folder), environment or {}, *streams, before)
    )
    process.start()
    return process


def _result(
    process, script: str, argv, folder: Path, expect: int | tuple[int, ...], name: str = ""
) -> Result:
    process.join()
    expected = expect if isinstance(expect, tuple) else (expect,)
    output, error = (
        (folder / f".{stream}{name}").read_text(encoding="utf-8") for stream in ("stdout", "stderr")
    )
    assert process.exitcode in expected, f"{script} {argv}\n{output[-3000:]}\n{error[-3000:]}"
    return Result(process.exitcode, output, error)


def run(
    script: str,
    *argv,
    folder: Path,
    stdin: str = "",
    expect: int | tuple[int, ...] = 0,
    environment: dict[str, str] | None = None,
    before: Callable[[], None] = nothing,
) -> Result:
    """Runs a fairseq command with the plugin loaded.

    Args:
        script: a key of ``SCRIPTS``.
        argv: its arguments.
        folder: working directory, which also receives the streams.
        stdin: standard input.
        expect: the exit status the test relies on, or several that may be; any other fails it with
            the command's output.
        environment: variables to set.
        before: what its process does first.
    """
    process = _start(script, argv, folder, stdin=stdin, environment=environment, before=before)
    return _result(process, script, argv, folder, expect)


def refusal(*argv, folder: Path) -> str:
    """The line with which ``fairseq-train`` ends, if its task, model or criterion say so.

    They are built in this process from the parsed flags, in the order of ``fairseq_cli.train`` and
    before it writes anything, which takes a tenth of the command's time. Flags that are lists stay
    strings: they are for the command.
    """
    parser = options.get_training_parser()
    with contextlib.chdir(folder), pytest.raises(UsageError) as refused:
        args = options.parse_args_and_arch(parser, [str(argument) for argument in argv])
        # The parser knows no defaults of models, which fairseq-train takes from hydra.
        defaults = MODEL_DATACLASS_REGISTRY[ARCH_MODEL_NAME_REGISTRY[args.arch]]()
        args = Namespace(**{**vars(defaults), **vars(args)})
        task = tasks.setup_task(args)
        task.build_model(args)
        task.build_criterion(args)
    return str(refused.value)


def run_together(
    processes: int,
    script: str,
    *argv,
    folder: Path,
    expect: int = 0,
    before: Callable[[], None] = nothing,
) -> list[Result]:
    """Runs a command on the CPU in several processes of one group.

    Args:
        expect: the exit status of each.
        before: what the last process does first.
    """
    meeting = folder / ".meeting"
    meeting.unlink(missing_ok=True)
    argv += (
        "--cpu", "--distributed-init-method", f"file://{meeting}", "--distributed-no-spawn",
        "--distributed-world-size", processes, "--distributed-rank",
    )  # fmt: skip
    firsts = [nothing] * (processes - 1) + [before]
    started = [
        _start(script, (*argv, rank), folder, name=str(rank), before=first)
        for rank, first in enumerate(firsts)
    ]
    running, done = dict(enumerate(started)), {}
    while running:  # one that fails leaves the others waiting for it
        multiprocessing.connection.wait([process.sentinel for process in running.values()])
        for rank, process in list(running.items()):
            if process.exitcode is not None:
                del running[rank]
                if process.exitcode != expect:
                    for other in running.values():
                        other.terminate()
                done[rank] = _result(process, script, (*argv, rank), folder, expect, name=str(rank))
    return [done[rank] for rank in range(processes)]


def launch(processes: int, *argv, folder: Path) -> subprocess.Popen:
    """Starts a command by the launcher of ``recipes/distributed.sh``, output in a pipe."""
    launcher = [sys.executable, RECIPES / "lib" / "distributed.py", "--processes", processes]
    return subprocess.Popen(
        list(map(str, [*launcher, *argv])),
        cwd=folder,
        # torchrun's start of a process by its script finds the commands there.
        env={**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def run_recipe(name: str, *argv, cwd: Path) -> subprocess.CompletedProcess:
    """Runs ``recipes/name`` in the environment of the tests, whatever its exit status."""
    command = ["bash", RECIPES / name, *map(str, argv)]
    environment = {**os.environ, "VIRTUAL_ENV": sys.prefix, "GENEXT_USE_ACTIVE": "1"}
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True)
