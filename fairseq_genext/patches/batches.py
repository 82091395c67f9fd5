"""No sentence is dropped silently, and one that is too long is named in one line."""

import re

import numpy as np
from fairseq.data import data_utils
from fairseq.tasks import FairseqTask
from omegaconf import open_dict

from fairseq_genext.errors import UsageError
from fairseq_genext.patches.patch import patch, patch_command


class NothingLeftError(UsageError):
    """No sentence is left that the model can take."""


@patch(data_utils, "batch_by_size")
def keep_last_batch(batch_by_size, indices, *args, **kwargs):
    """fairseq drops the final batch of an epoch, a validation or a generation when its size is no
    multiple of ``--required-batch-size-multiple`` (8 by default): 197 inputs give 192 hypotheses.

    Raises:
        NothingLeftError: there is no sentence at all.
        UsageError: one is longer than ``--max-tokens``, which fairseq asserts.
    """
    if len(indices) == 0:
        raise NothingLeftError("no sentence is left: the data has none that the model can take")
    try:
        batches = list(batch_by_size(indices, *args, **kwargs))
    except AssertionError as error:
        if not (longest := re.search(r"max_tokens=(\d+)", str(error))):
            raise
        raise UsageError(
            f"a sentence has more tokens than a batch may have, {longest[1]}: raise --max-tokens "
            "and --max-tokens-valid, or shorten the sentence"
        ) from None
    # Batches are consecutive slices of the indices, so what was dropped is the tail.
    rest = indices[sum(len(batch) for batch in batches) :]
    return [*batches, np.asarray(rest)] if len(rest) > 0 else batches


@patch(FairseqTask, "filter_indices_by_size")
def say_too_long_in_one_line(filter_indices_by_size, self, *args, **kwargs):
    """A sentence longer than the model's positions ends in a bare ``Exception``.

    Raises:
        UsageError: in its place.
    """
    try:
        return filter_indices_by_size(self, *args, **kwargs)
    except Exception as error:
        if not str(error).startswith("Size of sample"):
            raise
        raise UsageError(
            f"{str(error)[0].lower()}{str(error)[1:]}, or shorten it, or train with more "
            "--max-source-positions and --max-target-positions"
        ) from None


@patch_command("interactive", "make_batches")
def leave_out_lines_that_are_too_long(make_batches, lines, cfg, *args):
    """One line that is longer than the model takes does not end a session; fairseq warns of it."""
    with open_dict(cfg):
        cfg.dataset.skip_invalid_size_inputs_valid_test = True
    try:
        yield from make_batches(lines, cfg, *args)
    except NothingLeftError:
        return
