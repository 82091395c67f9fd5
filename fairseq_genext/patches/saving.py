"""A checkpoint appears whole or not at all, and a disk that takes none is said in one line."""

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import torch
from fairseq import checkpoint_utils
from fairseq.file_io import PathManager

from fairseq_genext.errors import UsageError
from fairseq_genext.patches.patch import patch

PART = ".tmp"


def _cause(error: BaseException | None) -> OSError | None:
    """What the system said: torch reports a full disk as an error of its own that follows it."""
    while error is not None and not isinstance(error, OSError):
        error = error.__context__
    return error


@contextlib.contextmanager
def _refused_in_one_line(path: str) -> Iterator[None]:
    try:
        yield
    except Exception as error:
        cause = _cause(error)
        if cause is None:
            raise
        raise UsageError(
            f"cannot write {path}: {cause.strerror or cause}; what was saved before is as it was: "
            "make room, or name another --save-dir"
        ) from None


@contextlib.contextmanager
def _appears_whole(path: str) -> Iterator[BinaryIO]:
    """A file to write, which gets its name when all of it is on the disk."""
    part = path + PART
    try:
        with open(part, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.remove(part)
        raise


@patch(checkpoint_utils, "torch_persistent_save")
def save_whole(save, obj, filename: str, async_write: bool = False):
    """fairseq tries three times to write to a full disk, with two tracebacks.

    Raises:
        UsageError: the file cannot be written; the one of that name is as it was.
    """
    if async_write or not PathManager.supports_rename(filename):
        return save(obj, filename, async_write)
    with _refused_in_one_line(filename), _appears_whole(filename) as file:
        torch.save(obj, file)


@patch(PathManager, "copy")
def copy_whole(copy, src_path: str, dst_path: str, overwrite: bool = False):
    """fairseq writes the second and third name of a checkpoint in place: a kill there leaves half
    of ``checkpoint_last.pt``, and the one that it held is lost.

    Raises:
        UsageError: as ``save_whole``.
    """
    if not PathManager.supports_rename(dst_path):
        return copy(src_path, dst_path, overwrite)
    with (
        _refused_in_one_line(dst_path),
        open(src_path, "rb") as source,
        _appears_whole(dst_path) as file,
    ):
        shutil.copyfileobj(source, file)
    return True


@patch(checkpoint_utils, "verify_checkpoint_directory")
def refuse_folder(verify, save_dir: str) -> None:
    """Where nothing can be saved training ends before it begins.

    Raises:
        UsageError: the folder cannot be made or written to.
    """
    with _refused_in_one_line(save_dir):
        verify(save_dir)


def remove_parts(folder: str) -> None:
    """Removes what a kill has left of checkpoints that it interrupted."""
    for part in Path(folder).glob(f"*.pt{PART}"):
        part.unlink(missing_ok=True)
