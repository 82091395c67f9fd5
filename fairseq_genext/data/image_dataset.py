"""A data set of grey images for fairseq's trainer."""

import numpy as np
import torch
from fairseq.data import FairseqDataset, data_utils


class ImageDataset(FairseqDataset):
    """Images, scaled to the generator's range [-1, 1] when a batch is made.

    An image counts as one token, so that fairseq's words per second are images per second.

    Args:
        pixels: ``(number, height, width)``, uint8.
        shuffle: draw a new order every epoch. fairseq by itself shuffles batches only, so that the
            same images would meet in every epoch.
        seed: of the order.
    """

    def __init__(self, pixels: np.ndarray, shuffle: bool = False, seed: int = 1) -> None:
        self.pixels = torch.from_numpy(pixels)
        self.shuffle = shuffle
        self.seed = seed
        self.epoch = 1

    def __getitem__(self, index: int) -> int:
        return int(index)

    def __len__(self) -> int:
        return len(self.pixels)

    def num_tokens(self, index: int) -> int:
        """An image counts as one."""
        return 1

    def num_tokens_vec(self, indices) -> np.ndarray:
        """Ones, as many as ``indices``."""
        return np.ones(len(indices), dtype=np.int64)

    def size(self, index: int) -> int:
        """An image counts as one."""
        return 1

    def set_epoch(self, epoch: int) -> None:
        """Chooses the order; a resumed run gets its epoch's order again."""
        self.epoch = epoch

    @property
    def can_reuse_epoch_itr_across_epochs(self) -> bool:
        """False where every epoch has batches of its own."""
        return not self.shuffle

    def ordered_indices(self) -> np.ndarray:
        """The order of this epoch."""
        if not self.shuffle:
            return np.arange(len(self))
        with data_utils.numpy_seed(self.seed, self.epoch):
            return np.random.permutation(len(self))

    def collater(self, samples: list[int]) -> dict:
        """A batch: ``images`` is ``(batch, height, width)`` in [-1, 1]."""
        if not samples:
            return {}  # how a data-parallel process learns that no batch is left for it
        ids = torch.tensor(samples, dtype=torch.long)
        return {
            "id": ids,
            "nsentences": len(samples),
            "ntokens": len(samples),
            "net_input": {"images": self.pixels[ids].float() / 127.5 - 1},
        }
