"""What fairseq still expects of numpy and torch, as they are now."""

import argparse
import types

import numpy as np
import torch
from fairseq import utils

# numpy 2 removed np.compat; TokenBlockDataset (every sentence-level LM) still reads np.compat.long,
# which was Python's int.
if not hasattr(np, "compat"):
    np.compat = types.SimpleNamespace(long=int)

# fairseq's own legacy architectures and criterions store an argparse.Namespace, and --eval-bleu its
# counts as arrays of numbers. Both are plain holders of values, so allowing them keeps weights-only
# loading safe; without, a checkpoint cannot be loaded again.
_ARRAYS = [np._core.multiarray._reconstruct, np.ndarray, np.dtype]
_NUMBERS = [type(np.dtype(kind)) for kind in (np.int64, np.float32, np.float64)]
torch.serialization.add_safe_globals([argparse.Namespace, *_ARRAYS, *_NUMBERS])


class SeedTheCPU(utils.set_torch_seed):
    """Seeds torch, as fairseq's, where there is no other device.

    The trainer seeds torch before every update, and torch writes down the stack once for each kind
    of missing accelerator: half a millisecond, a twelfth of a small model's update.
    """

    def __init__(self, seed: int) -> None:
        self.rng_state = utils.get_rng_state()
        torch.default_generator.manual_seed(seed)


if not torch.accelerator.is_available() and utils.xm is None:
    utils.set_torch_seed = SeedTheCPU
