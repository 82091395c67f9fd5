"""Reads npz and npy files of plain arrays.

numpy makes room for what a file's head says before it reads on: a head of a hundred bytes asks for
as much memory as it likes. Here the head is checked against the file first.
"""

import math
import os
import zipfile
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.lib import format as npy

from fairseq_genext.errors import UsageError
from fairseq_genext.files import require_honest_size

KINDS = "biufcU"  # of dtypes: numbers and text


def read_arrays(path: str | Path) -> dict[str, np.ndarray]:
    """The arrays of an npz file, in the order in which they stand there, by name.

    Raises:
        UsageError: the file is missing, broken or of another kind, holds something else than
            numbers and texts, or claims to hold more than it can.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            require_honest_size(Path(path), sum(member.file_size for member in members))
            arrays = {}
            for member in members:
                with archive.open(member) as file:
                    name = member.filename.removesuffix(".npy")
                    arrays[name] = _read_array(file, member.file_size)
            return arrays
    # A file may be wrong in as many ways as there are readers within the readers.
    except Exception as error:
        raise UsageError(f"{path} cannot be read as npz: {_line(error)}") from None


def read_array(path: str | Path) -> np.ndarray:
    """The array of an npy file; raises UsageError as ``read_arrays``."""
    try:
        with open(path, "rb") as file:
            return _read_array(file, os.fstat(file.fileno()).st_size)
    except Exception as error:
        raise UsageError(f"{path} cannot be read as npy: {_line(error)}") from None


def _line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__


def _read_array(file: BinaryIO, size: int) -> np.ndarray:
    version = npy.read_magic(file)
    if version != (1, 0):  # numpy takes others for structured arrays alone; their heads are endless
        raise ValueError(f"it has version {version} of the format; 1.0 is needed")
    shape, _, dtype = npy.read_array_header_1_0(file)
    if dtype.kind not in KINDS:
        raise ValueError(f"it holds {dtype}, which is neither numbers nor text")
    wanted = math.prod(shape) * dtype.itemsize
    if min(shape, default=0) < 0 or wanted != size - file.tell():
        raise ValueError(f"its head says {shape} of {dtype}, and there are {size} bytes with it")
    file.seek(0)
    return npy.read_array(file, allow_pickle=False)
