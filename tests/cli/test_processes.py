"""Processes and shards that must agree, and what ends them with one line."""

import os
import signal
import time
from pathlib import Path

import distributed
import pytest
import torch
from commands import USER_DIR, launch, run, run_together
from fairseq import distributed_utils
from fairseq.dataclass.configs import FairseqConfig
from omegaconf import OmegaConf

from fairseq_genext.errors import UsageError
from fairseq_genext.evaluation.generation import read_flags
from fairseq_genext.patches import processes, shards

TORCHRUN = {
    "WORLD_SIZE": "2", "RANK": "1", "LOCAL_RANK": "1", "MASTER_ADDR": "localhost",
    "MASTER_PORT": "1",
}  # fmt: skip
TRAIN = (
    "lm", "--task", "unconditional_generation", "--arch", "gpt_doc_tiny", "--optimizer",
    "fused_adamw", "--lr", 0.001, "--batch-size", 8, "--num-workers", 0,
)  # fmt: skip


def config(**training) -> FairseqConfig:
    changes = {"common": {"cpu": True}, "distributed_training": training}
    return OmegaConf.merge(OmegaConf.structured(FairseqConfig), changes)


@pytest.fixture
def environment(monkeypatch):
    """Sets torchrun's variables; None takes one out."""

    def change(**changes) -> None:
        for name, value in {**TORCHRUN, **changes}.items():
            if value is None:
                monkeypatch.delenv(name, raising=False)
            else:
                monkeypatch.setenv(name, value)

    return change


@pytest.mark.parametrize(
    ("variables", "flags", "says"),
    [
        ({}, {}, "--distributed-world-size is 1: start them with recipes/distributed.sh"),
        ({}, {"distributed_world_size": 3}, "2 processes were started .* is 3"),
        ({"WORLD_SIZE": "1"}, {"distributed_world_size": 2}, "1 processes were started"),
        ({"WORLD_SIZE": "two"}, {"distributed_world_size": 2}, "WORLD_SIZE is 'two'"),
        ({"RANK": "x"}, {"distributed_world_size": 2}, "RANK is 'x'"),
        ({"RANK": "2"}, {"distributed_world_size": 2}, "it must be 0 to 1"),
        ({"RANK": None}, {"distributed_world_size": 2}, "RANK is not set"),
        ({"MASTER_PORT": None}, {"distributed_world_size": 2}, "MASTER_PORT is not set"),
        ({"LOCAL_RANK": "x"}, {"distributed_world_size": 2}, "LOCAL_RANK is 'x'"),
        (
            {"RANK": "0"},
            {"distributed_world_size": 2, "distributed_rank": 1},
            "--distributed-rank is 1, but RANK is 0",
        ),
        ({"WORLD_SIZE": None}, {"distributed_world_size": 2}, "there are 0 GPUs"),
        (
            {"WORLD_SIZE": None},
            {"distributed_world_size": 2, "distributed_init_method": "tcp://localhost:1"},
            "there are 0 GPUs",
        ),
    ],
)
def test_processes_that_disagree_are_refused(environment, variables, flags, says):
    environment(**variables)
    with pytest.raises(UsageError, match=says):
        distributed_utils.call_main(config(**flags), lambda cfg: pytest.fail("it went on"))


@pytest.mark.parametrize("rank", [0, -1, 1])
def test_torchruns_place_is_taken(environment, rank):
    environment()
    training = config(distributed_world_size=2, distributed_rank=rank).distributed_training
    processes.join(training)
    assert (training.distributed_rank, training.device_id) == (1, 1)
    assert training.distributed_init_method == "env://" and training.distributed_no_spawn


def test_slurm_tasks_that_ignore_each_other_are_told(environment, caplog):
    environment(WORLD_SIZE=None, SLURM_STEP_NUM_TASKS="2")
    processes.join(config().distributed_training)
    assert "each works by itself" in caplog.text


@pytest.mark.parametrize(
    ("script", "argv"),
    [
        ("fairseq-train", TRAIN),
        ("fairseq-generate", ("lm", "--path", "x.pt")),
        ("fairseq-validate", ("lm", "--task", "language_modeling", "--path", "x.pt")),
        ("fairseq-eval-lm", ("lm", "--path", "x.pt")),
        ("fairseq-interactive", ("lm", "--path", "x.pt")),
        ("fairseq-hydra-train", (f"common.user_dir={USER_DIR}",)),
    ],
)
def test_every_command_refuses(corpus, script, argv):
    argv = [*argv, "--save-dir", "unborn"] if script == "fairseq-train" else argv
    done = run(script, *argv, folder=corpus, expect=1, environment=TORCHRUN)
    assert done.stderr.splitlines()[-1].startswith("error: 2 processes were started (WORLD_SIZE)")
    assert "Traceback" not in done.stderr and not (corpus / "unborn").exists()


def forget_call_main() -> None:
    """As under hydra, which loads the plugin later; here it is loaded with the tests."""
    distributed_utils.call_main = distributed_utils.call_main.__wrapped__


def test_hydra_refuses_to_train(corpus):
    done = run(
        "fairseq-hydra-train", "--config-dir", Path(USER_DIR).parent / "recipes" / "config",
        "--config-name", "gpt_doc", f"task.data={corpus}/lm", f"common.user_dir={USER_DIR}",
        "optimization.max_update=1", "common.cpu=true", f"checkpoint.save_dir={corpus}/twice",
        f"hydra.run.dir={corpus}/twice", folder=corpus, expect=1, environment=TORCHRUN,
        before=forget_call_main,
    )  # fmt: skip
    assert done.stderr.splitlines()[-1].startswith("error: 2 processes were started (WORLD_SIZE)")


def test_a_process_that_dies_ends_all_with_a_line(corpus):
    started = launch(
        2, *TRAIN, "--user-dir", USER_DIR, "--no-save", "--max-update", 10**6, "--log-format",
        "json", "--log-interval", 1, "--log-file", "dies.log", folder=corpus,
    )  # fmt: skip
    while not (corpus / "dies.log").exists() or not (corpus / "dies.log").stat().st_size:
        assert started.poll() is None, started.stdout.read()
        time.sleep(0.1)
    children = Path(f"/proc/{started.pid}/task/{started.pid}/children").read_text().split()
    os.kill(int(children[-1]), signal.SIGKILL)
    killed = time.monotonic()
    output = started.communicate()[0]
    assert started.returncode == 1 and time.monotonic() - killed < 30
    assert output.splitlines()[-1].startswith("error: process 1 of 2 ended with SIGKILL")
    assert "Traceback" not in output


def test_fairseq_starts_processes_on_gpus_also_by_a_port():
    training = config(distributed_world_size=2, distributed_port=5).distributed_training
    processes.require_processes(training, gpus=2)
    assert training.distributed_init_method == "tcp://localhost:5"


def test_a_process_of_fairseq_that_dies_is_one_line():
    def start(cfg, main):
        raise torch.multiprocessing.ProcessExitedException("", 1, 77, 1)

    with pytest.raises(UsageError, match="process 1 ended, its reason stands above"):
        processes.agree_with_the_environment(start, config(), None)


def test_another_update_elsewhere_is_refused(monkeypatch):
    """What a machine that does not see the checkpoints would do."""

    class Apart:
        data_parallel_world_size, data_parallel_process_group = 2, None

        def get_num_updates(self):
            return 5

    monkeypatch.setattr(distributed_utils, "all_gather_list", lambda updates, group: [updates, 0])
    replacement = processes.start_from_the_same_update
    with pytest.raises(UsageError, match=r"updates \[5, 0\]"):
        replacement(lambda trainer: None, Apart())


@pytest.fixture(scope="module")
def trained(corpus) -> Path:
    run("fairseq-train", *TRAIN, "--max-update", 2, "--save-dir", "shards-lm", folder=corpus)
    return corpus


def hypotheses(folder: Path, *argv, shares: int, how: tuple[str, str], **changes) -> dict:
    """``H-`` lines of all shares; each id is printed by one of them."""
    found = {}
    for share in range(shares):
        done = run(
            "fairseq-generate", *argv, how[0], shares, how[1], share, "--num-workers", 0,
            folder=folder, **changes,
        )  # fmt: skip
        lines = done.lines("H")
        assert not lines.keys() & found.keys()
        found.update(lines)
    return found


SAMPLES = (
    "lm", "--task", "unconditional_generation", "--path", "shards-lm/checkpoint_last.pt",
    "--num-samples", 6, "--batch-size", 3, "--sampling", "--beam", 1, "--max-len-b", 8,
)  # fmt: skip
SHARDS = ("--num-shards", "--shard-id")
RANKS = ("--distributed-world-size", "--distributed-rank")


@pytest.mark.parametrize(("how", "seed"), [(SHARDS, ("--seed", 1)), (RANKS, ())])
def test_each_share_draws_its_own(trained, how, seed):
    """Two batches: the third share has none."""
    found = hypotheses(trained, *SAMPLES, *seed, shares=3, how=how)
    assert sorted(found) == list(range(6))
    texts = [text for _, text in found.values()]
    assert len(set(texts)) == 6


def test_one_share_of_one_is_the_whole(trained):
    flags = ("--seed", 1)
    whole = run("fairseq-generate", *SAMPLES, *flags, folder=trained).lines("H")
    assert hypotheses(trained, *SAMPLES, *flags, shares=1, how=SHARDS) == whole
    first = run("fairseq-generate", *SAMPLES, *flags, "--num-shards", 2, folder=trained).lines("H")
    assert first == {number: whole[number] for number in range(3)}


def test_prompts_are_shared_out(trained):
    """By beam search, so that the lines are those of one process; and each writes its own file."""
    argv = (
        "lm", "--task", "unconditional_generation", "--path", "shards-lm/checkpoint_last.pt",
        "--prefix-size", 2, "--batch-size", 6, "--beam", 2, "--max-len-b", 8, "--num-workers", 0,
    )  # fmt: skip
    whole = run("fairseq-generate", *argv, folder=trained).lines("H")
    for share in range(2):
        run(
            "fairseq-generate", *argv, "--num-shards", 2, "--shard-id", share, "--results-path",
            "results", folder=trained,
        )  # fmt: skip
    lines = [
        line.split("\t")
        for path in sorted((trained / "results").glob("shard-*-of-2/generate-test.txt"))
        for line in path.read_text().splitlines()
        if line.startswith("H-")
    ]
    assert {int(name[2:]): text for name, _, text in lines} == {
        number: text for number, (_, text) in whole.items()
    }
    assert len(lines) == len(whole) == 21


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (("--num-shards", "2", "--shard-id", "2"), "--shard-id is 2; with --num-shards 2"),
        (("--num-shards", "0"), "--num-shards is 0"),
        (("--distributed-rank", "1"), "--distributed-rank is 1; with --distributed-world-size 1"),
    ],
)
def test_there_is_no_such_share(flags, says):
    cfg = read_flags(["--path", "x.pt", "--task", "unconditional_generation", "lm", *flags])
    with pytest.raises(UsageError, match=says):
        shards.generate_a_share(lambda cfg: pytest.fail("it went on"), cfg)


def test_eval_lm_is_refused(corpus):
    """It would report the first process's share as the whole."""
    argv = ("lm", "--path", "x.pt")
    for result in run_together(2, "fairseq-eval-lm", *argv, folder=corpus, expect=1):
        assert "error: fairseq-eval-lm does not add up" in result.stderr


def test_validation_is_shared_out(trained):
    """Five batches in two processes, of which one has no third."""
    argv = (
        "lm", "--task", "unconditional_generation", "--path", "shards-lm/checkpoint_last.pt",
        "--batch-size", 8, "--num-workers", 0,
    )  # fmt: skip
    together = run_together(2, "fairseq-validate", *argv, folder=trained)[0]
    alone = run("fairseq-validate", *argv, folder=trained)

    def figures(done) -> set[str]:
        return {line.split("| ", 3)[-1] for line in done.stdout.splitlines() if "valid on" in line}

    assert figures(together) == figures(alone) != set()


@pytest.mark.parametrize(
    ("argv", "says"),
    [
        ((), "there is nothing to run"),
        (("--processes", 0, "lm"), "must be greater than 0"),
        (("--nnodes", 2, "lm"), "--nnodes needs --master"),
        (("--nnodes", 2, "--master", "a", "--node-rank", 2, "lm"), "--node-rank must be 0 to 1"),
        (("fairseq-nothing", "lm"), "no command fairseq-nothing"),
    ],
)
def test_the_launcher_says_what_it_needs(monkeypatch, capsys, argv, says):
    monkeypatch.setattr("sys.argv", ["distributed.py", *map(str, argv)])
    with pytest.raises(SystemExit) as ended:
        distributed.main()
    assert says in f"{ended.value} {capsys.readouterr().err}"
