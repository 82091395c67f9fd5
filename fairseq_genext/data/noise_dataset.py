"""A data set of N empty inputs: what a generator that starts from nothing is given."""

import numpy as np
import torch
from fairseq.data import FairseqDataset

EXPECTED_TOKENS = 48  # so that fairseq's default of 12,000 tokens a batch is 250 samples


class NoiseDataset(FairseqDataset):
    """N items that differ only in their id, batched for ``fairseq-generate``.

    Args:
        num_samples: N.
        eos: the token every sequence starts from.
    """

    def __init__(self, num_samples: int, eos: int) -> None:
        self.num_samples = num_samples
        self.eos = eos
        self.sizes = np.ones(num_samples, dtype=np.int64)

    def __getitem__(self, index: int) -> int:
        return index

    def __len__(self) -> int:
        return self.num_samples

    def num_tokens(self, index: int) -> int:
        """What a sample counts in ``--max-tokens``: it grows, while its input is one token."""
        return EXPECTED_TOKENS

    def num_tokens_vec(self, indices) -> np.ndarray:
        """``num_tokens`` of each of ``indices``."""
        return np.full(len(indices), EXPECTED_TOKENS)

    def size(self, index: int) -> int:
        """Every input is one token long."""
        return 1

    def collater(self, samples: list[int]) -> dict:
        """A batch without target: ``src_tokens`` is ``(batch, 1)``, the starting token."""
        if not samples:  # of a shard that has fewer batches than others
            return {}
        return {
            "id": torch.tensor(samples),
            "nsentences": len(samples),
            "ntokens": len(samples),
            "net_input": {
                "src_tokens": torch.full((len(samples), 1), self.eos),
                "src_lengths": torch.ones(len(samples), dtype=torch.long),
            },
            "target": None,
        }
