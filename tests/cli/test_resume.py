"""Training that is killed, told to stop, run again, or has nowhere to write."""

import resource
import shutil
import signal
import sys

import pytest
from commands import run, run_together
from gan_states import equal
from killing import Killer, kill_and_compare, read

LM = (
    "lm", "--task", "unconditional_generation", "--arch", "gpt_doc_tiny", "--criterion",
    "cross_entropy", "--optimizer", "fused_adamw", "--batch-size", 32, "--lr", 0.01,
    "--num-workers", 0,
)  # fmt: skip
EPOCH = 11  # updates
UPDATES = 25
EVERY_FIVE = (*LM, "--save-interval-updates", 5, "--save-dir")
OWN = (
    "lm", "--task", "language_modeling", "--arch", "transformer_lm", "--decoder-layers", 1,
    "--decoder-embed-dim", 16, "--decoder-attention-heads", 2, "--optimizer", "adam",
    "--batch-size", 32, "--lr", 0.01,
)  # fmt: skip
DBAM = (
    "mt", "--task", "translation", "--arch", "dbam_tiny", "--criterion", "dbam",
    "--draft-loss-weight", 0.1, "--optimizer", "fused_adamw", "--batch-size", 32, "--lr", 0.01,
)  # fmt: skip


@pytest.fixture(scope="module")
def whole(corpus):
    run("fairseq-train", *EVERY_FIVE, "resume-whole", "--max-update", UPDATES, folder=corpus)
    return corpus / "resume-whole"


@pytest.fixture
def copy(whole, tmp_path):
    """A copy of the finished run's folder, and what is in it."""
    return shutil.copytree(whole, tmp_path / "copy")


def files(folder):
    return {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in folder.iterdir()}


def ending(result):
    """The one line with which it ends."""
    lines = [line for line in result.stderr.splitlines() if line.startswith("error: ")]
    assert len(lines) == 1 and "Traceback" not in result.stderr + result.stdout, result.stderr
    return lines[0]


@pytest.mark.parametrize(
    ("flags", "plan"),
    [
        # In the middle of a checkpoint, at the copy named last, between updates of epoch 2.
        (LM, [(2, "in write", 20), (5, "opened", 2), (5, None, 0)]),
        (DBAM, [(7, "before os.rename", 1)]),
    ],
    ids=["gpt_doc", "dbam"],
)
def test_kills(corpus, request, flags, plan):
    """A hundred an architecture are in ``tests/long``."""
    kills = kill_and_compare(flags, 14, plan, corpus, request.node.callspec.id)
    assert not kills.wrong and sum(kills.equal.values()) == len(plan)


@pytest.mark.parametrize(
    "flags",
    [
        (
            *LM, "--lr-scheduler", "reduce_lr_on_plateau", "--lr-threshold", 0.9, "--lr-patience",
            1, "--lr-shrink", 0.5, "--patience", 30, "--update-freq", "2,1", "--curriculum", 1,
        ),
        (
            *OWN, "--lr-scheduler", "polynomial_decay", "--force-anneal", 2, "--warmup-updates", 5,
            "--total-num-update", 50, "--sample-break-mode", "none", "--tokens-per-sample", 24,
            "--num-workers", 1,
        ),
        (
            *LM, "--arch", "gpt_doc_modern_tiny", "--optimizer", "muon", "--weight-decay", 0.1,
            "--lr-scheduler", "tri_stage", "--warmup-steps", 5, "--hold-steps", 15,
            "--decay-steps", 14,
        ),
    ],
    ids=["plateau", "polynomial", "muon"],
)  # fmt: skip
def test_resume_is_exact_in_every_epoch(corpus, request, flags):
    """Stopped in the middle of two epochs and where another ends."""
    name = request.node.callspec.id
    flags += ("--no-epoch-checkpoints", "--save-dir")
    run("fairseq-train", *flags, f"{name}-whole", "--max-update", 34, folder=corpus)
    for until in (10, 17, 24, 34):
        run("fairseq-train", *flags, f"{name}-parts", "--max-update", until, folder=corpus)
    found = [read(corpus / f"{name}-{run_}" / "checkpoint_last.pt") for run_ in ("whole", "parts")]
    assert equal(*found)


@pytest.mark.parametrize("limit", [("--max-update", UPDATES), ("--max-update", 7)])
def test_finished_run_stays_as_it_is(whole, corpus, limit):
    before = files(whole)
    result = run("fairseq-train", *EVERY_FIVE, whole, *limit, folder=corpus)
    assert f"--max-update {limit[1]} is reached: {UPDATES} updates are made" in result.stdout
    assert files(whole) == before


def test_patience_outlives_the_run(corpus):
    """By a metric that grows with every update the first of three validations is the best."""
    flags = (*LM, "--patience", 2, "--best-checkpoint-metric", "num_updates", "--max-update")
    for until in (EPOCH, 4 * EPOCH):
        run("fairseq-train", *flags, until, "--save-dir", "patience", folder=corpus)
    before = files(corpus / "patience")
    result = run("fairseq-train", *flags, 40, "--save-dir", "patience", folder=corpus)
    assert f"--patience 2 is reached: {3 * EPOCH} updates are made" in result.stdout
    assert files(corpus / "patience") == before


def test_signals_stop_after_the_update(whole, corpus):
    """In an epoch and at the end of one, where nothing would have been saved."""
    flags = (*LM, "--save-interval", 2, "--save-dir", "told", "--max-update", UPDATES)
    for after, number, made in ((7, signal.SIGTERM, 8), (2, signal.SIGINT, EPOCH)):
        result = run(
            "fairseq-train", *flags, folder=corpus, before=Killer(after, number=number),
            expect=128 + number,
        )  # fmt: skip
        line = f"stopped by {number.name} after update {made}; run the same command to go on\n"
        assert result.stderr.count(line) == 1 and "Traceback" not in result.stderr
    run("fairseq-train", *flags, folder=corpus)
    told, untold = (read(folder / "checkpoint_last.pt") for folder in (corpus / "told", whole))
    assert equal(told[1]["model"], untold[1]["model"])
    assert equal(told[1]["optimizer"], untold[1]["optimizer"])


def test_interrupt_before_training(capsys):
    sys.excepthook(KeyboardInterrupt, KeyboardInterrupt(), None)
    assert capsys.readouterr().err == "stopped by SIGINT\n"


def test_two_processes_stop_together_and_go_on_exactly(corpus):
    """The signal goes to one of them."""
    flags = (*DBAM, "--update-freq", "2,1", "--no-epoch-checkpoints", "--num-workers", 0)
    flags += ("--max-update", 13, "--save-dir")
    run_together(2, "fairseq-train", *flags, "two-whole", folder=corpus)
    told = run_together(
        2, "fairseq-train", *flags, "two-told", folder=corpus, expect=128 + signal.SIGTERM,
        before=Killer(6, number=signal.SIGTERM),
    )  # fmt: skip
    assert [result.stderr.count("stopped by SIGTERM after update 7;") for result in told] == [1, 0]
    run_together(2, "fairseq-train", *flags, "two-told", folder=corpus)
    found = [read(corpus / name / "checkpoint_last.pt") for name in ("two-whole", "two-told")]
    assert equal(*found)


def test_damaged_last_checkpoint(copy, corpus):
    last = copy / "checkpoint_last.pt"
    half = last.read_bytes()[:9000]
    last.write_bytes(half)
    (copy / "checkpoint_2_15.pt.tmp").write_bytes(half)
    result = run("fairseq-train", *EVERY_FIVE, copy, "--max-update", UPDATES, folder=corpus)
    assert "checkpoint_last.pt.broken; training goes on from" in result.stdout
    assert f"--max-update {UPDATES} is reached: {UPDATES} updates" in result.stdout
    assert (copy / "checkpoint_last.pt.broken").read_bytes() == half
    assert not list(copy.glob("*.tmp"))


def small_files() -> None:
    """A full disk, for a process: what it writes ends after 60 kB."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, 60_000))


def test_full_disk(copy, corpus):
    before = files(copy)
    result = run(
        "fairseq-train", *EVERY_FIVE, copy, "--max-update", 30, folder=corpus, expect=1,
        before=small_files,
    )  # fmt: skip
    line = f"error: cannot write {copy}/checkpoint_3_30.pt: File too large"
    assert ending(result).startswith(line)
    assert files(copy) == before
