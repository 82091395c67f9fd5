"""Empty inputs as fairseq batches them."""

import numpy as np
from fairseq.data import data_utils

from fairseq_genext.data.noise_dataset import NoiseDataset


def test_batches_leave_room_for_what_the_samples_become():
    """fairseq-generate's default is 12,000 tokens a batch."""
    noise = NoiseDataset(600, eos=2)
    batches = data_utils.batch_by_size(
        np.arange(600), noise.num_tokens, noise.num_tokens_vec(np.arange(600)), max_tokens=12000
    )
    assert [len(batch) for batch in batches] == [250, 250, 100]


def test_no_batch_of_a_shard_is_empty():
    assert NoiseDataset(3, eos=2).collater([]) == {}
