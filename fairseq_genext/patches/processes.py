"""Processes that train together know of each other, and one that dies ends all with one line."""

import logging
import os

import torch
from fairseq import distributed_utils, utils
from fairseq.dataclass.configs import DistributedTrainingConfig, FairseqConfig
from fairseq.tasks import FairseqTask
from fairseq.trainer import Trainer

from fairseq_genext.errors import UsageError
from fairseq_genext.patches.patch import patch

logger = logging.getLogger(__name__)

LAUNCH = "start them with recipes/distributed.sh"
TORCHRUN_SAYS = ("MASTER_ADDR", "MASTER_PORT", "WORLD_SIZE", "RANK")


@patch(distributed_utils, "call_main")
def agree_with_the_environment(call_main, cfg: FairseqConfig, main, **kwargs):
    """torchrun tells the processes that it starts of each other by the environment, which fairseq
    heeds in part: without ``--distributed-world-size`` each trains by itself into one folder,
    without ``--distributed-rank -1`` all take themselves for the first and wait for ever.

    Raises:
        UsageError: as ``join``; or a process of the group has died.
    """
    training = cfg.distributed_training
    join(training)
    if training.distributed_world_size > 1:
        gpus = 0 if cfg.common.cpu else torch.cuda.device_count()
        require_processes(training, gpus)
        if gpus == 0 and training.distributed_backend == "nccl":  # the default, for GPUs alone
            training.distributed_backend = "gloo"
    try:
        return call_main(cfg, Main(main), **kwargs)
    except torch.multiprocessing.ProcessRaisedException as error:
        raise UsageError(f"{error}\n{died(error.error_index)}") from None
    except torch.multiprocessing.ProcessExitedException as error:
        raise UsageError(died(error.error_index)) from None


def require_processes(training: DistributedTrainingConfig, gpus: int) -> None:
    """Raises UsageError where nobody starts the other processes: fairseq does, for a GPU each."""
    if any(name in os.environ for name in ("SLURM_STEP_NODELIST", "SLURM_JOB_NODELIST")):
        return
    alone = training.distributed_init_method is None
    unstarted = alone or not training.distributed_no_spawn
    if (alone and training.distributed_world_size > gpus) or (unstarted and gpus == 0):
        raise UsageError(
            f"--distributed-world-size is {training.distributed_world_size}, but there are {gpus} "
            f"GPUs to start processes for: {LAUNCH}"
        )
    if alone and training.distributed_port > 0:  # fairseq then starts none
        training.distributed_init_method = f"tcp://localhost:{training.distributed_port}"


def died(process: int) -> str:
    """The line for the end of a process that this one started."""
    return f"process {process} ended, its reason stands above; the others were stopped"


class Main:
    """A command's function, with one line for the loss of another process.

    fairseq sends it to the processes that it starts, where unpickling it loads the plugin before
    fairseq would, and so all patches of the command.
    """

    def __init__(self, main) -> None:
        self.main = main

    def __call__(self, cfg: FairseqConfig, **kwargs):
        try:
            return self.main(cfg, **kwargs)
        except RuntimeError as error:  # gloo's have no class of their own
            if not (isinstance(error, torch.distributed.DistError) or "gloo" in str(error)):
                raise
            raise UsageError(
                f"process {cfg.distributed_training.distributed_rank} lost the others, one of "
                f"which has ended: see what it says ({str(error).splitlines()[0].split('. ')[0]})"
            ) from None


def join(training: DistributedTrainingConfig) -> None:
    """Takes this process's place from torchrun's environment.

    Raises:
        UsageError: environment and flags disagree, or either cannot be.
    """
    started, rank = number("WORLD_SIZE"), number("RANK")
    world_size = training.distributed_world_size
    if world_size == 1 and (number("SLURM_STEP_NUM_TASKS") or 1) > 1:
        logger.warning(
            "Slurm has started several processes, but --distributed-world-size is 1: each works "
            "by itself, so give each its own --save-dir or all of them the world size"
        )
    if started is None or (started == 1 and world_size == 1):
        return
    if started != world_size:
        raise UsageError(
            f"{started} processes were started (WORLD_SIZE), but --distributed-world-size is "
            f"{world_size}: {LAUNCH}, or give --distributed-world-size {started}"
        )
    if rank is None:
        if training.distributed_init_method in (None, "env://"):
            raise UsageError(f"WORLD_SIZE is {started}, but RANK is not set: {LAUNCH}")
        return
    if not 0 <= rank < started:
        raise UsageError(f"RANK is {rank}; with WORLD_SIZE {started} it must be 0 to {started - 1}")
    if training.distributed_rank not in (0, -1, rank):  # 0 is the default as well
        raise UsageError(
            f"--distributed-rank is {training.distributed_rank}, but RANK is {rank}: leave the "
            "flag out"
        )
    missing = [name for name in TORCHRUN_SAYS if name not in os.environ]
    if training.distributed_init_method is None:
        training.distributed_init_method = "env://"
    if training.distributed_init_method == "env://" and missing:
        raise UsageError(f"{', '.join(missing)} is not set: {LAUNCH}")
    training.distributed_rank = rank
    training.device_id = number("LOCAL_RANK") or 0
    training.distributed_no_spawn = True  # they are there already


def number(variable: str) -> int | None:
    """The environment's number, None where it has none.

    Raises:
        UsageError: it is something else.
    """
    value = os.environ.get(variable)
    if value is None:
        return None
    if not value.isdecimal():
        raise UsageError(f"{variable} is {value!r}; it must be a number, as torchrun sets it")
    return int(value)


@patch(distributed_utils, "all_gather_list")
def gather_without_a_gpu(all_gather_list, data, group=None, max_size=16384):
    """fairseq's own gathers through a GPU's memory, also where there is none."""
    group = group or distributed_utils.get_global_group()
    if torch.distributed.get_backend(group) == "nccl":
        return all_gather_list(data, group, max_size)
    gathered = [None] * torch.distributed.get_world_size(group)
    torch.distributed.all_gather_object(gathered, utils.move_to_cpu(data), group)
    return gathered


@patch(FairseqTask, "valid_step")
def validate_no_batch(valid_step, self, sample, *args, **kwargs):
    """``fairseq-validate`` in several processes: some have a batch less than others."""
    return valid_step(self, sample, *args, **kwargs) if sample else (0, 0, {})


@patch(FairseqTask, "reduce_metrics")
def leave_out_no_batch(reduce_metrics, self, logging_outputs, criterion):
    """The other half of ``validate_no_batch``."""
    return reduce_metrics(self, [log for log in logging_outputs if log], criterion)


@patch(Trainer, "__init__")
def agree_under_hydra(init, self, *args, **kwargs) -> None:
    """``fairseq-hydra-train`` loads the plugin after ``call_main``.

    Raises:
        UsageError: as ``join``.
    """
    init(self, *args, **kwargs)
    join(self.cfg.distributed_training)


@patch(Trainer, "load_checkpoint")
def start_from_the_same_update(load_checkpoint, self, *args, **kwargs):
    """A machine that does not see the checkpoint would start from nothing among others that go on.

    Raises:
        UsageError: processes have not come to the same update.
    """
    extra_state = load_checkpoint(self, *args, **kwargs)
    if self.data_parallel_world_size > 1:
        group = self.data_parallel_process_group
        updates = distributed_utils.all_gather_list(self.get_num_updates(), group=group)
        if len(set(updates)) > 1:
            raise UsageError(
                f"processes would go on from updates {updates}: --save-dir must be a folder that "
                "all machines share"
            )
    return extra_state
