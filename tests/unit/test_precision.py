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
def test_products_in_bfloat16(capable, monkeypatch):
    """Result and gradient are near float32's, and rounded only where that is asked and admitted."""
    monkeypatch.setattr(precision, "multiplies_bfloat16", lambda: capable)
    torch.manual_seed(1)
    layer, x = torch.nn.Linear(300, 200), torch.randn(50, 300)
    upstream = torch.randn(50, 200)

    def result_and_gradient():
        layer.zero_grad()
        with precision.bfloat16_products(x):
            y = layer(x)
        y.float().backward(upstream)
        return y, layer.weight.grad

    torch.set_float32_matmul_precision("highest")
    exact = result_and_gradient()
    assert torch.equal(exact[0], layer(x))
    torch.set_float32_matmul_precision("medium")
    rounded = result_and_gradient()
    assert rounded[0].dtype is (torch.bfloat16 if capable else torch.float32)
    assert rounded[1].dtype is torch.float32
    for value, near in zip(rounded, exact, strict=True):
        distance = (value.float() - near).norm() / near.norm()
        assert (0.001 if capable else 0) <= distance < 0.01
