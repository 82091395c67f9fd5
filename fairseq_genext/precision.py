"""Lets an environment variable choose how exact products of float32 matrices are.

``GENEXT_MATMUL_PRECISION`` is ``highest`` (torch's default), ``high`` or ``medium``, as of
``torch.set_float32_matmul_precision``. With ``medium`` factors are rounded to bfloat16, which CPUs
with AMX and recent GPUs multiply several times faster, and sums stay float32; where the code asks
for its ``product_type``, results are rounded too. It is no flag, because fairseq has no place for
one that any of its own architectures would understand.
"""

import functools
import os
from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor

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


def product_type(x: Tensor) -> torch.dtype:
    """The type that factors of large products with ``x`` are best in: bfloat16 or that of ``x``.

    With ``medium`` torch leaves the rounding to its kernels: without AMX those of a CPU do none,
    with it they convert factors at half the speed that the CPU multiplies bfloat16 at. The price of
    converting them before is that results, and gradients, are rounded to bfloat16 as well.
    """
    rounded = (
        not x.is_cuda
        and x.dtype == torch.float32
        and torch.get_float32_matmul_precision() == "medium"
        and multiplies_bfloat16()
    )
    return torch.bfloat16 if rounded else x.dtype


def bfloat16_products(x: Tensor) -> AbstractContextManager:
    """A context in which layers multiply ``x`` in bfloat16, if that is its ``product_type``."""
    if product_type(x) == x.dtype:
        return nullcontext()
    return torch.autocast(x.device.type, torch.bfloat16)


@functools.cache
def multiplies_bfloat16() -> bool:
    """Whether this CPU has instructions for products of bfloat16."""
    found = getattr(torch.cpu, "get_capabilities", dict)()  # older torch cannot tell
    return any(found.get(name, False) for name in ("avx512_bf16", "amx_bf16"))
