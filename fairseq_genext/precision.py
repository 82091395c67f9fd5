"""Lets an environment variable choose how exact products of float32 matrices are.

``GENEXT_MATMUL_PRECISION`` is ``highest`` (torch's default), ``high`` or ``medium``, as of
``torch.set_float32_matmul_precision``. Numbers stay float32 everywhere else, sums too (but for
``linear_of_many``); with ``medium`` only the factors are rounded to bfloat16, which CPUs with AMX
and recent GPUs multiply several times faster. It is no flag, because fairseq has no place for one
that any of its own architectures would understand.
"""

import functools
import os

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from fairseq_genext.errors import UsageError

VARIABLE = "GENEXT_MATMUL_PRECISION"
CHOICES = ("highest", "high", "medium")


def apply() -> None:
    """Sets the precision that the environment asks for, if it does.

    Raises:
        UsageError: it asks for one that does not exist.
    """
    precision = os.environ.get(VARIABLE)
    if precision is None:
        return
    if precision not in CHOICES:
        raise UsageError(
            f"{VARIABLE}={precision!r} does not exist; choose one of {', '.join(CHOICES)}"
        )
    torch.set_float32_matmul_precision(precision)


def linear_of_many(layer: nn.Linear, x: Tensor) -> Tensor:
    """``layer(x)`` for scores of thousands of samples, with ``medium`` wholly in bfloat16.

    torch's own ``medium`` converts factors inside its kernels, at half the speed that a CPU
    multiplies bfloat16 at. The price is a result that is rounded to bfloat16 as well, so it is done
    only where no gradient is wanted.

    Args:
        layer: weights in float32.
        x: ``(…, in features)``.

    Returns:
        ``(…, out features)``, in the type of ``x``.
    """
    if (
        torch.is_grad_enabled()
        or x.is_cuda
        or x.dtype != torch.float32
        or torch.get_float32_matmul_precision() != "medium"
        or not multiplies_bfloat16()
    ):
        return layer(x)
    return F.linear(x.bfloat16(), layer.weight.bfloat16(), layer.bias.bfloat16()).float()


@functools.cache
def multiplies_bfloat16() -> bool:
    """Whether this CPU has instructions for products of bfloat16."""
    found = getattr(torch.cpu, "get_capabilities", dict)()  # older torch cannot tell
    return any(found.get(name, False) for name in ("avx512_bf16", "amx_bf16"))
