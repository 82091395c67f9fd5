"""Lets an environment variable choose how exact products of float32 matrices are.

``GENEXT_MATMUL_PRECISION`` is ``highest`` (torch's default), ``high`` or ``medium``, as of
``torch.set_float32_matmul_precision``. With ``medium`` factors are rounded to bfloat16, which CPUs
with AMX and recent GPUs multiply several times faster, and sums stay float32. It is no flag,
because fairseq has no place for one that any of its own architectures would understand.
"""

import os

import torch

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
