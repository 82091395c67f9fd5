"""What fairseq still expects of numpy and torch, and what of its own handling loses or repeats.

``apply`` runs once, when ``--user-dir`` imports the package. Each part says what breaks without it.
"""

import argparse
import logging
import os
import types

import numpy as np
import torch
from fairseq import utils
from fairseq.data import data_utils
from fairseq.logging import progress_bar
from fairseq.tasks import FairseqTask

from fairseq_genext.errors import UsageError


def _supply_numpy_compat() -> None:
    # numpy 2 removed np.compat; TokenBlockDataset (every sentence-level LM) still reads
    # np.compat.long, which was Python's int.
    if not hasattr(np, "compat"):
        np.compat = types.SimpleNamespace(long=int)


def _allow_plain_values_in_checkpoints() -> None:
    # fairseq's own legacy architectures and criterions store an argparse.Namespace, and --eval-bleu
    # its counts as arrays of numbers. Both are plain holders of values, so allowing them keeps
    # weights-only loading safe; without, a checkpoint cannot be loaded again.
    arrays = [np._core.multiarray._reconstruct, np.ndarray, np.dtype]
    numbers = [type(np.dtype(kind)) for kind in (np.int64, np.float32, np.float64)]
    torch.serialization.add_safe_globals([argparse.Namespace, *arrays, *numbers])


def _keep_last_batch() -> None:
    # fairseq drops the final batch of an epoch, a validation or a generation when its size is not a
    # multiple of --required-batch-size-multiple (8 by default): 197 inputs give 192 hypotheses.
    drops_remainder = data_utils.batch_by_size
    if getattr(drops_remainder, "keeps_remainder", False):
        return

    def batch_by_size(indices, *args, **kwargs):
        if len(indices) == 0:
            raise UsageError("no sentence is left: the data has none that the model can take")
        batches = list(drops_remainder(indices, *args, **kwargs))
        # Batches are consecutive slices of the indices, so what was dropped is the tail.
        rest = indices[sum(len(batch) for batch in batches) :]
        return [*batches, np.asarray(rest)] if len(rest) > 0 else batches

    batch_by_size.keeps_remainder = True
    data_utils.batch_by_size = batch_by_size


def _say_too_long_in_one_line() -> None:
    # A sentence longer than the model's positions ends in a bare Exception, hence in a traceback.
    plain = FairseqTask.filter_indices_by_size
    if getattr(plain, "says_one_line", False):
        return

    def filter_indices_by_size(self, *args, **kwargs):
        try:
            return plain(self, *args, **kwargs)
        except Exception as error:
            if not str(error).startswith("Size of sample"):
                raise
            raise UsageError(
                f"{str(error)[0].lower()}{str(error)[1:]}, or shorten it, or train with more "
                "--max-source-positions and --max-target-positions"
            ) from None

    filter_indices_by_size.says_one_line = True
    FairseqTask.filter_indices_by_size = filter_indices_by_size


def _log_each_line_once() -> None:
    # Every epoch and every validation opens --log-file again and closes none, so that a line of
    # the hundredth epoch is written two hundred times, and long training ends at the system's limit
    # of open files.
    opens_again = progress_bar.progress_bar
    if getattr(opens_again, "opens_once", False):
        return

    def build(*args, log_file: str | None = None, **kwargs):
        if log_file is not None and os.path.abspath(log_file) in {
            handler.baseFilename
            for handler in progress_bar.logger.handlers
            if isinstance(handler, logging.FileHandler)
        }:
            log_file = None
        return opens_again(*args, log_file=log_file, **kwargs)

    build.opens_once = True
    progress_bar.progress_bar = build


def _seed_only_what_is_there() -> None:
    # The trainer seeds torch before every update, and torch writes down the stack once for each
    # kind of missing accelerator: half a millisecond, a twelfth of a small model's update.
    seeds_everything = utils.set_torch_seed
    accelerated = torch.accelerator.is_available() or utils.xm is not None
    if accelerated or getattr(seeds_everything, "only_cpu", False):
        return

    class SeedTheCPU(seeds_everything):
        only_cpu = True

        def __init__(self, seed: int) -> None:
            self.rng_state = utils.get_rng_state()
            torch.default_generator.manual_seed(seed)

    utils.set_torch_seed = SeedTheCPU


def apply() -> None:
    """Applies every part; safe to call more than once."""
    _supply_numpy_compat()
    _allow_plain_values_in_checkpoints()
    _keep_last_batch()
    _say_too_long_in_one_line()
    _log_each_line_once()
    _seed_only_what_is_there()
