"""Speeds of a training log are of training; a figure that cannot be known is not logged."""

import time
from types import SimpleNamespace

import pytest
import torch
from fairseq.logging import metrics
from fairseq.logging.meters import MetersDict

from fairseq_genext.patches import training_figures


def test_validation_does_not_slow_training():
    with metrics.aggregate("train"):
        metrics.log_speed("wps", 1.0)
        before = metrics.get_meter("train", "wps").elapsed_time
        training_figures.train_by_its_own_clock(lambda: time.sleep(0.5))
        assert metrics.get_meter("train", "wps").elapsed_time - before < 0.25
    metrics.reset()


@pytest.mark.parametrize(("bytes_", "told"), [(4.0, 2.5), (float("nan"), None), (0.0, None)])
def test_bits_per_byte(bytes_, told):
    with metrics.aggregate(new_root=True) as figures:
        metrics.log_scalar_sum("_bits", 10.0)
        metrics.log_scalar_sum("_bytes", torch.tensor(bytes_))
        metrics.log_derived("bits_per_byte", training_figures.bits_per_byte)
    assert isinstance(figures, MetersDict)
    expected = {} if told is None else {"bits_per_byte": told}
    assert dict(figures.get_smoothed_values()) == expected


def test_prompts_are_work_too():
    """With --loss-on the tokens that were read are more than the targets."""
    trainer = SimpleNamespace(seconds_at_peak=lambda tokens, texts: tokens / texts)
    batches = [{"ntokens": 3, "nsentences": 1}, {"ntokens": 2, "tokens_read": 9, "nsentences": 1}]
    with metrics.aggregate(new_root=True) as figures:
        for _ in range(2):  # the first starts a clock
            training_figures.log_utilisation(lambda *args: {}, trainer, batches, 1, 1.0)
        assert figures["mfu"].n == 6.0


@pytest.mark.parametrize(
    ("flags", "matmul", "told"),
    [
        ({}, "highest", "float32"),
        ({}, "high", "tf32"),
        ({"amp": True}, "highest", "float16"),
        ({"fp16": True}, "highest", "float16"),
        ({"bf16": True}, "highest", "bfloat16"),
    ],
)
def test_precision(flags, matmul, told):
    common = SimpleNamespace(**{"bf16": False, "fp16": False, "amp": False} | flags)
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision(matmul)
    try:
        assert training_figures.precision(SimpleNamespace(common=common)) == told
    finally:
        torch.set_float32_matmul_precision(before)
