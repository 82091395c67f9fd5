"""Loads what measuring needs beside text: models of fairseq checkpoints, sentencepiece models."""

from pathlib import Path

import sentencepiece
from fairseq import checkpoint_utils

from fairseq_genext.errors import UsageError


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
