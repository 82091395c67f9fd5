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


@pytest.mark.parametrize("capable", [True, False])
def test_scores_of_many_samples_by_products_in_bfloat16(capable, monkeypatch):
    """Near the float32 result, exactly it where a gradient is wanted or nothing is admitted."""
    monkeypatch.setattr(precision, "multiplies_bfloat16", lambda: capable)
    torch.manual_seed(1)
    layer, x = torch.nn.Linear(300, 200), torch.randn(50, 300)
    torch.set_float32_matmul_precision("highest")
    exact = layer(x)
    with torch.no_grad():
        assert torch.equal(precision.linear_of_many(layer, x), exact)
    torch.set_float32_matmul_precision("medium")
    assert precision.linear_of_many(layer, x).requires_grad
    with torch.no_grad():
        rounded = precision.linear_of_many(layer, x)
        assert torch.equal(rounded, rounded.bfloat16().float()) is capable
    assert rounded.dtype == torch.float32
    torch.testing.assert_close(rounded, exact, rtol=0.02, atol=0.02)
