"""Loads what measuring needs beside text: models of fairseq checkpoints, sentencepiece models."""

import zipfile
from pathlib import Path

import sentencepiece
from fairseq import checkpoint_utils

from fairseq_genext import plugin  # noqa: F401  as a command of its own nothing has yet
from fairseq_genext.errors import UsageError


def named_checkpoints(given: list[str]) -> dict[str, str]:
    """What a command line calls its checkpoints: NAME=PATH … as a mapping.

    A name may become that of a folder.

    Raises:
        UsageError: one has another form, a name is given twice, or a file is no checkpoint.
    """
    named: dict[str, str] = {}
    for entry in given:
        name, found, path = entry.partition("=")
        if not found or not name or "/" in name or name.startswith("."):
            raise UsageError(f"{entry!r} is no checkpoint with a name: write NAME=PATH")
        if name in named:
            raise UsageError(f"two checkpoints are called {name!r}")
        if not Path(path).is_file():
            raise UsageError(f"{path} does not exist")
        if not zipfile.is_zipfile(path):  # the format of torch.save
            raise UsageError(f"{path} is no checkpoint")
        named[name] = path
    return named


def load_model(path: str, data: str | None = None) -> tuple:
    """The model of a checkpoint, in evaluation mode, and its task.

    Args:
        path: the checkpoint.
        data: binarised data folder, for its dictionaries; None for a model that has none.

    Raises:
        UsageError: there is no such file.
    """
    if not Path(path).is_file():
        raise UsageError(f"{path} does not exist")
    overrides = {} if data is None else {"data": data}
    (model,), _, task = checkpoint_utils.load_model_ensemble_and_task([path], overrides)
    return model.eval(), task


def load_pieces(path: str) -> sentencepiece.SentencePieceProcessor:
    """A sentencepiece model.

    Raises:
        UsageError: there is no such file, or it is something else.
    """
    try:
        return sentencepiece.SentencePieceProcessor(model_file=path)
    except (OSError, RuntimeError):  # which of them depends on its version
        raise UsageError(f"{path} does not exist or is no sentencepiece model") from None
