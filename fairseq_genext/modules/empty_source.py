"""Says that a source line has nothing to translate; it still gets its hypothesis."""

import functools
import logging

from torch import Tensor

logger = logging.getLogger(__name__)


def warn_of_empty_source(src_lengths: Tensor) -> None:
    """Logs one warning a process if a source, ``(batch,)`` lengths, is its end of sentence alone.

    For encoders in evaluation: it waits for the lengths, which a GPU in training should not.
    """
    if int(src_lengths.min()) <= 1:
        _warn_once()


@functools.cache
def _warn_once() -> None:
    logger.warning(
        "a source line is empty: what is generated for it comes from the model alone; remove such "
        "lines where every translation should mean something"
    )
