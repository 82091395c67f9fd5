"""Training that is at its end stays as it is, and one that is told to stop saves first."""

import logging
import os
import signal
import sys
import threading
from typing import ClassVar

import torch
from fairseq import checkpoint_utils
from fairseq.trainer import Trainer
from torch.utils.data._utils import signal_handling

from fairseq_genext.patches.exact_resume import patience_spent
from fairseq_genext.patches.patch import patch, patch_command
from fairseq_genext.patches.resuming import LAST

logger = logging.getLogger(__name__)

SIGNALS = (signal.SIGTERM, signal.SIGINT)


class _Stop:
    """Which signal has asked this process to stop, and which one all processes know of."""

    asked: signal.Signals | None = None
    agreed: signal.Signals | None = None
    several: bool = False
    process: int | None = None  # that listens; its forks do not
    before: ClassVar[dict] = {}  # handlers that training stands in for


@patch(sys, "excepthook")
def interrupt_in_one_line(show, kind, error, trace) -> None:
    """Ctrl-C before training listens, or in another command, ends with a page of traceback."""
    if issubclass(kind, KeyboardInterrupt):
        print("stopped by SIGINT", file=sys.stderr)
    else:
        show(kind, error, trace)


def _ask(number: int, frame: object) -> None:
    """The first signal asks, a second one ends the process at once.

    Launchers pass on the Ctrl-C that their processes have got from the terminal already, so that
    several processes take no second one.
    """
    if _Stop.asked is None:
        _Stop.asked = signal.Signals(number)
    elif not _Stop.several:
        before = _Stop.before[number]
        signal.signal(number, signal.SIG_DFL if before is signal.default_int_handler else before)
        signal.raise_signal(number)


def _listen(trainer: Trainer) -> None:
    _Stop.asked = _Stop.agreed = None
    _Stop.several = trainer.data_parallel_world_size > 1
    if threading.current_thread() is not threading.main_thread():
        return
    _listen_no_more()
    _Stop.process = os.getpid()
    for number in SIGNALS:
        if signal.getsignal(number) != signal.SIG_IGN:  # as a shell starts what runs behind it
            _Stop.before[number] = signal.signal(number, _ask)


def _listen_no_more() -> None:
    while _Stop.before:
        signal.signal(*_Stop.before.popitem())


@patch(signal_handling, "_set_worker_signal_handlers")
def workers_outlive_the_signal(set_handlers) -> None:
    """Schedulers and terminals send a signal to the workers that load data too. They go on, or the
    last update and its validation would lack data; the trainer's own request ends them."""
    set_handlers()
    if _Stop.process != os.getppid():
        return
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})

    def obey_the_trainer() -> None:
        while signal.sigwaitinfo({signal.SIGTERM}).si_pid != os.getppid():
            pass
        os._exit(0)

    threading.Thread(target=obey_the_trainer, daemon=True).start()


@patch(Trainer, "_aggregate_logging_outputs")
def agree_on_the_signal(aggregate, self, logging_outputs, *sums, ignore=False):
    """The processes add up whether one of them is asked to stop, where they add up their losses, so
    that all stop after the same update."""
    asked = [int(_Stop.asked == number) for number in SIGNALS]
    logging_outputs, sums = aggregate(self, logging_outputs, *sums, *asked, ignore=ignore)
    *sums, term, interrupt = sums
    for number, count in zip(SIGNALS, (term, interrupt), strict=True):
        if count > 0:
            _Stop.agreed = _Stop.agreed or number
    return logging_outputs, sums


def _end(cfg, updates: int, trainer: Trainer, epoch_itr) -> str | None:
    """Which limit ``updates`` updates have reached, if any."""
    limits = cfg.optimization
    if 0 < limits.max_update <= updates:
        return f"--max-update {limits.max_update}"
    if 0 < limits.max_epoch < epoch_itr.next_epoch_idx:
        return f"--max-epoch {limits.max_epoch}"
    if 0 < limits.stop_time_hours < trainer.cumulative_training_time() / 3600:
        return f"--stop-time-hours {limits.stop_time_hours}"
    if 0 < cfg.checkpoint.patience <= patience_spent().get("num_runs", 0):
        return f"--patience {cfg.checkpoint.patience}"
    return None


@patch(checkpoint_utils, "load_checkpoint")
def see_the_end(load, cfg, trainer, **kwargs):
    """From here on training can be stopped without losing an update."""
    extra_state, epoch_itr = load(cfg, trainer, **kwargs)
    tuned = cfg.finetune_from_model is not None and trainer.get_num_updates() == 0
    trainer.at_its_end = False
    if extra_state is not None and not cfg.reset_optimizer and not tuned:
        updates = trainer._optim_history[-1]["num_updates"]
        limit = _end(trainer.cfg, updates, trainer, epoch_itr)
        if limit is not None:
            trainer.at_its_end = True
            logger.info(
                f"{limit} is reached: {updates} updates are made, none is left to make, and every "
                "checkpoint stays as it is"
            )
    _listen(trainer)
    return extra_state, epoch_itr


@patch_command("train", "train")
def leave_what_is_finished(train, cfg, trainer, task, epoch_itr):
    """fairseq looks at its limits after an update alone: a finished run makes one more, and writes
    over its checkpoints."""
    losses, ends = [None], True
    try:
        if not trainer.at_its_end:
            losses, ends = train(cfg, trainer, task, epoch_itr)
    finally:
        if ends or 0 < cfg.optimization.max_epoch < epoch_itr.next_epoch_idx:
            _listen_no_more()
    return losses, ends


@patch(checkpoint_utils, "save_checkpoint")
def note_what_is_saved(save, cfg, trainer, epoch_itr, val_loss):
    """So that nothing is saved twice after one update."""
    path = save(cfg, trainer, epoch_itr, val_loss)
    if not cfg.no_save:
        trainer.saved_updates = trainer.get_num_updates()
    return path


@patch_command("train", "validate_and_save")
def stop_when_asked(validate_and_save, cfg, trainer, task, epoch_itr, valid_subsets, end_of_epoch):
    """Ends training by a signal after the update and what is due with it.

    Raises:
        SystemExit: with status 128 + the signal's number, when the checkpoint is written.
    """
    losses, ends = validate_and_save(cfg, trainer, task, epoch_itr, valid_subsets, end_of_epoch)
    asked = _Stop.agreed if _Stop.several else _Stop.asked
    if asked is None or ends:
        return losses, ends
    updates = trainer.get_num_updates()
    if getattr(trainer, "saved_updates", None) != updates:
        trainer.unsaved_loss = losses[0]
        checkpoint_utils.save_checkpoint(cfg.checkpoint, trainer, epoch_itr, None)
    if trainer.is_data_parallel_master:
        print(f"stopped by {asked.name} after update {updates}; {_advice(cfg)}", file=sys.stderr)
    if _Stop.several:
        torch.distributed.barrier(trainer.data_parallel_process_group)
    raise SystemExit(128 + asked)


def _advice(cfg) -> str:
    saving = cfg.checkpoint
    if saving.no_save:
        return "nothing is saved (--no-save)"
    if saving.no_last_checkpoints:
        return "updates since the last checkpoint are lost (--no-last-checkpoints)"
    if saving.restore_file != LAST:
        return f"go on without --restore-file and what resets, from {saving.save_dir}/{LAST}"
    return "run the same command to go on"
