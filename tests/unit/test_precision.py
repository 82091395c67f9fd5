"""The environment variable that rounds factors of matrix products."""

import pytest
import torch

from fairseq_genext import precision
from fairseq_genext.errors import UsageError


@pytest.fixture(autouse=True)
def restore():
    before = torch.get_float32_matmul_precision()
    yield
    torch.set_float32_matmul_precision(before)


def test_it_sets_torch(monkeypatch):
    monkeypatch.setenv(precision.VARIABLE, "medium")
    precision.apply()
    assert torch.get_float32_matmul_precision() == "medium"


def test_without_it_torch_stays(monkeypatch):
    monkeypatch.delenv(precision.VARIABLE, raising=False)
    precision.apply()
    assert torch.get_float32_matmul_precision() == "highest"


def test_unknown_value(monkeypatch):
    monkeypatch.setenv(precision.VARIABLE, "low")
    with pytest.raises(UsageError, match="choose one of highest, high, medium"):
        precision.apply()
