"""Reads npz files of plain arrays."""

import zipfile
import zlib
from pathlib import Path

import numpy as np

from fairseq_genext.errors import UsageError


def read_arrays(path: str | Path) -> dict[str, np.ndarray]:
    """The arrays of a file, in the order in which they stand there, by name.

    Raises:
        UsageError: the file is missing, broken or of another kind, or holds pickled objects.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise UsageError(f"{path} cannot be read as npz: {error}") from None
    except TypeError:  # a lone array is no context
        raise UsageError(f"{path} is a single array; an npz file is needed") from None
