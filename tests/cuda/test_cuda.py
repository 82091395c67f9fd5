"""Every architecture on a GPU, in every precision: ``pytest -m cuda``. Skipped without one."""

import math
import re

import pytest
import torch
from architectures import ARCHITECTURES, GANS
from commands import USER_DIR, launch, run

pytestmark = [
    pytest.mark.cuda,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU"),
]

PRECISIONS = {
    "fp32": (),
    "fp16": ("--fp16", "--fp16-no-flatten-grads"),
    "fp16-flat": ("--fp16",),
    "bf16": ("--bf16",),
    "amp": ("--amp",),
    "memory-efficient-bf16": ("--memory-efficient-bf16", "--optimizer", "adam"),
}
# A GAN moves one player at a time, which only its own optimizer does, and that by --fp16 with
# gradients apart.
OF_A_GAN = ("fp32", "fp16", "bf16")


def train(folder, name: str, precision: str, updates: int, *flags):
    return run(
        "fairseq-train", *ARCHITECTURES[name], *PRECISIONS[precision], "--batch-size", 16,
        "--max-update", updates, "--save-dir", f"cuda-{name}-{precision}", "--num-workers", 0,
        "--log-format", "json", "--log-interval", 1, "--distributed-world-size", 1, *flags,
        folder=folder,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("name", "precision"),
    [
        (name, precision)
        for name in ARCHITECTURES
        for precision in PRECISIONS
        if name not in GANS or precision in OF_A_GAN
    ],
)
def test_trains_and_resumes(corpus, name, precision):
    """Two updates and two more: of a text GAN both pretrainings, then a turn of each player."""
    first = train(corpus, name, precision, 2)
    second = train(corpus, name, precision, 4)
    assert "CUDA enviroments" in first.stdout + first.stderr, "it ran on the CPU"
    assert "@ 2 updates" in second.stdout + second.stderr
    losses = first.logged("loss") + second.logged("loss")
    assert len(losses) >= 4 and all(map(math.isfinite, losses))
    if precision != "fp32":
        own = ("--no-save", "--save-dir", f"cuda-{name}-unborn")
        exact = train(corpus, name, "fp32", 1, *own).logged("loss")
        assert losses[0] == pytest.approx(exact[0], rel=0.05)


@pytest.fixture(scope="module")
def checkpoints(corpus):
    """A run of each kind that generates; in full float32, as resumed above or new."""
    for name in ("gpt_doc", "rnn_lm", "gan", "lstm_seq2seq_doc", "dbam"):
        train(corpus, name, "fp32", 4)
    return corpus


@pytest.mark.parametrize("flags", [(), ("--fp16",), ("--bf16",)])
@pytest.mark.parametrize("name", ["gpt_doc", "rnn_lm", "gan", "lstm_seq2seq_doc", "dbam"])
def test_generates(checkpoints, name, flags):
    path = ("--path", f"cuda-{name}-fp32/checkpoint_last.pt", "--seed", 1, "--num-workers", 0)
    translates = name in ("lstm_seq2seq_doc", "dbam")
    if translates:
        argv = ("mt", "--task", "translation", "--beam", 2)
    else:
        task = "gan" if name == "gan" else "unconditional_generation"
        argv = ("lm", "--task", task, "--num-samples", 5, "--sampling", "--beam", 1)
    done = run("fairseq-generate", *argv, *path, *flags, folder=checkpoints)
    assert len(done.lines("H")) == (21 if translates else 5)


def test_prompts_perplexity_and_validation(checkpoints):
    task = ("--task", "unconditional_generation", "--path", "cuda-gpt_doc-fp32/checkpoint_last.pt")
    prompted = run(
        "fairseq-generate", "lm", *task, "--prefix-size", 2, "--beam", 2, folder=checkpoints
    )
    assert len(prompted.lines("H")) == 21
    perplexity = []
    for device in ((), ("--cpu",)):
        done = run(
            "fairseq-eval-lm", "lm", *task, "--gen-subset", "test", *device, folder=checkpoints
        )
        (found,) = re.findall(r"Perplexity: ([\d.]+)", done.stdout + done.stderr)
        perplexity.append(float(found))
    assert perplexity[0] == pytest.approx(perplexity[1], rel=1e-3)
    run("fairseq-validate", "lm", *task, "--distributed-world-size", 1, folder=checkpoints)


def test_checkpointed_activations(corpus):
    done = train(corpus, "gpt_doc", "bf16", 2, "--checkpoint-activations", "--no-save")
    assert all(map(math.isfinite, done.logged("loss")))


@pytest.mark.skipif(torch.cuda.device_count() < 2, reason="there is one GPU")
@pytest.mark.parametrize(
    ("name", "backend"),
    [
        ("gpt_doc", "pytorch_ddp"),
        ("gpt_doc", "legacy_ddp"),
        ("gpt_doc", "fully_sharded"),
        ("gan", "pytorch_ddp"),
        ("gan_image", "pytorch_ddp"),
    ],
)
def test_two_gpus(corpus, name, backend):
    """NCCL, by the recipe's launcher; resumed."""
    for updates in (2, 4):
        started = launch(
            2, *ARCHITECTURES[name], "--user-dir", USER_DIR, "--ddp-backend", backend,
            "--batch-size", 8, "--max-update", updates, "--save-dir", f"cuda-two-{name}-{backend}",
            "--num-workers", 0, folder=corpus,
        )  # fmt: skip
        output, _ = started.communicate()
        assert started.returncode == 0, output[-3000:]
    assert "@ 2 updates" in output
