"""``fairseq-generate`` shares its inputs out among processes and shards.

A shard is ``--shard-id`` of ``--num-shards``, which fairseq reads and ignores here, and within it a
process is ``--distributed-rank`` of ``--distributed-world-size``, or as torchrun says.
"""

import logging
import sys
import traceback
from argparse import Namespace

import numpy as np
import torch
from fairseq import utils
from fairseq.dataclass.utils import convert_namespace_to_omegaconf

from fairseq_genext.errors import UsageError
from fairseq_genext.patches.patch import patch_command
from fairseq_genext.patches.processes import join

logger = logging.getLogger(__name__)


@patch_command("generate", "main")
def generate_a_share(main, cfg):
    """Every share has its own inputs, random numbers, GPU and, in ``--results-path``, folder.

    Raises:
        UsageError: shard or rank does not exist, or flags and torchrun disagree.
    """
    if isinstance(cfg, Namespace):
        cfg = convert_namespace_to_omegaconf(cfg)
    training = cfg.distributed_training
    join(training)
    share, shares = place(cfg)
    if shares == 1:
        return main(cfg)
    if torch.cuda.is_available() and not cfg.common.cpu:
        local = training.device_id or training.distributed_rank
        torch.cuda.set_device(local % torch.cuda.device_count())
    # What the command hands to its iterator of batches.
    training.distributed_world_size, training.distributed_rank = shares, share
    # The command would seed all shares alike. Its own seed stays: it orders the inputs.
    cfg.generation.no_seed_provided = True
    seed = share_seed(cfg.common.seed, share)
    np.random.seed(seed)
    utils.set_torch_seed(seed)
    if cfg.common_eval.results_path is not None:
        cfg.common_eval.results_path += f"/shard-{share}-of-{shares}"
    # Processes under torchrun write to the same file: each line at once, or they mix.
    sys.stdout.reconfigure(line_buffering=True, write_through=False)
    try:
        return main(cfg)
    except ZeroDivisionError as error:
        if traceback.extract_tb(error.__traceback__)[-1].name != "_main":  # its sentences a second
            raise
        logger.info(f"shard {share} of {shares} has no batch")


def place(cfg) -> tuple[int, int]:
    """This process's share of the inputs and the number of shares.

    Raises:
        UsageError: there is no such share.
    """
    shard, shards = cfg.dataset.shard_id, cfg.dataset.num_shards
    rank = cfg.distributed_training.distributed_rank
    processes = cfg.distributed_training.distributed_world_size
    for name, value, of, number in (
        ("--shard-id", shard, "--num-shards", shards),
        ("--distributed-rank", rank, "--distributed-world-size", processes),
    ):
        if number < 1:
            raise UsageError(f"{of} is {number}; it must be greater than 0")
        if not 0 <= value < number:
            raise UsageError(f"{name} is {value}; with {of} {number} it must be 0 to {number - 1}")
    return shard * processes + rank, shards * processes


def share_seed(seed: int, share: int) -> int:
    """The first share's is ``seed``; others are drawn from both, far from seeds people choose."""
    return seed if share == 0 else int(np.random.SeedSequence([seed, share]).generate_state(1)[0])


@patch_command("eval_lm", "main")
def score_in_one_process(main, cfg, **kwargs):
    """In several processes the first one's share is reported as if it were the whole text.

    Raises:
        UsageError: there are several, or no such share.
    """
    place(cfg)
    if cfg.distributed_training.distributed_world_size > 1:
        raise UsageError(
            "fairseq-eval-lm does not add up what several processes find: run it in one, or use "
            "fairseq-validate, which does"
        )
    return main(cfg, **kwargs)
