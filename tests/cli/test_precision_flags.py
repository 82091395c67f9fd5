"""Mixed precision from the command line, on the CPU; ``tests/cuda`` has the same on a GPU."""

import re

import pytest
import torch
from architectures import ARCHITECTURES
from commands import run


def train(folder, name: str, *flags, updates: int, expect: int = 0):
    return run(
        "fairseq-train", *ARCHITECTURES[name], *flags, "--batch-size", 16, "--max-update", updates,
        "--save-dir", f"precision-{name}", "--num-workers", 0, "--log-format", "json",
        "--log-interval", 1, folder=folder, expect=expect,
    )  # fmt: skip


@pytest.mark.parametrize(
    "name", ["gpt_doc", "gpt_doc-modern", "lstm_seq2seq_doc", "dbam", "gan", "gan_image"]
)
def test_bf16_trains_and_resumes(corpus, name):
    """Without a TPU. Of GANs all phases."""
    losses = train(corpus, name, "--bf16", updates=2).logged("loss")
    resumed = train(corpus, name, "--bf16", updates=4)
    losses += resumed.logged("loss")
    assert "@ 2 updates" in resumed.stdout and len(losses) >= 4 and all(x < 20 for x in losses)
    saved = torch.load(corpus / f"precision-{name}" / "checkpoint_last.pt", weights_only=True)
    for weight in saved["model"].values():  # fairseq saves float32, of numbers that fit bfloat16
        if weight.is_floating_point():
            assert torch.equal(weight.bfloat16().to(weight.dtype), weight)


def test_a_bf16_model_generates(corpus):
    train(corpus, "gpt_doc", "--bf16", updates=4)
    done = run(
        "fairseq-generate", "lm", "--task", "unconditional_generation", "--bf16", "--path",
        "precision-gpt_doc/checkpoint_last.pt", "--num-samples", 3, "--sampling", "--beam", 1,
        folder=corpus,
    )  # fmt: skip
    assert len(done.lines("H")) == 3


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
@pytest.mark.parametrize("flag", ["--fp16", "--memory-efficient-fp16"])
def test_fp16_without_a_gpu(corpus, flag):
    """fairseq's trainer answers an overflow on the GPU that is not there."""
    done = train(corpus, "rnn_lm", flag, updates=1, expect=1)
    assert "error: --fp16 needs a GPU; a CPU trains with --bf16" in done.stderr


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (("--bf16", "--fp16"), "choose one of --fp16 and --bf16"),
        (("--tpu",), "--tpu needs the package torch_xla"),
        (("--memory-efficient-bf16",), "works with --optimizer adam .* or --bf16"),
    ],
)
def test_precisions_that_do_not_exist(corpus, flags, says):
    done = train(corpus, "rnn_lm", *flags, updates=1, expect=1)
    assert re.search(f"error: .*{says}", done.stderr) and "Traceback" not in done.stderr


def test_memory_efficient_bf16(corpus):
    flags = ("--memory-efficient-bf16", "--optimizer", "adam")
    assert train(corpus, "rnn_lm-relational", *flags, updates=1).logged("loss")
