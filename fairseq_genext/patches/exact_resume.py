"""A run that is stopped and goes on ends bit by bit as if it had not been."""

import logging

import torch
from fairseq import checkpoint_utils
from fairseq.data.iterators import EpochBatchIterator
from fairseq.optim import FP16Optimizer
from fairseq.trainer import Trainer
from omegaconf import OmegaConf

from fairseq_genext.errors import UsageError
from fairseq_genext.patches.patch import command_module, patch, patch_command

logger = logging.getLogger(__name__)

# The key of a checkpoint's extra state under which this file keeps what fairseq forgets.
REMEMBERED = "fairseq_genext"


@patch(Trainer, "get_train_iterator")
def group_as_in_the_first_epoch(get, self, epoch: int, load_dataset: bool = True, **kwargs):
    """fairseq groups sentences into batches once, seeded with the epoch in which the run began: one
    that goes on from the third epoch groups otherwise, reads some sentences of that epoch twice and
    others never. What is grouped once is grouped as in epoch 1, and what is grouped anew for every
    epoch (``--update-epoch-batch-itr``, shards, data that differ by epoch) as in that epoch.
    """
    anew = kwargs.get("disable_iterator_cache") or self.cfg.dataset.update_epoch_batch_itr
    if epoch == 1 or not load_dataset or anew:
        return get(self, epoch, load_dataset=load_dataset, **kwargs)
    iterator = get(self, 1, load_dataset=True, **kwargs)
    if iterator not in self.task.dataset_to_epoch_iter.values():
        return get(self, epoch, load_dataset=False, **kwargs)
    iterator.epoch = epoch
    if callable(iterator.batch_sampler):  # it groups by the iterator's epoch
        iterator._frozen_batches = None
    return iterator


def _order(iterator: EpochBatchIterator) -> dict[str, int]:
    """What the order of an epoch's batches depends on, apart from the epoch."""
    return {"batches": len(iterator), "seed": iterator.seed}


@patch(EpochBatchIterator, "state_dict")
def note_the_order(state_dict, self) -> dict:
    """fairseq notes how many batches were read, but not of how many."""
    return {**state_dict(self), "order": _order(self)}


@patch(EpochBatchIterator, "load_state_dict")
def note_where_the_epoch_stopped(load, self, state: dict) -> None:
    """fairseq makes the rest of the epoch at once, before the flags of training are known."""
    self.epoch = state["epoch"]
    self.stopped_at = state.get("iterations_in_epoch", 0)
    self.stopped_in = state.get("order")  # older checkpoints lack it


@patch(EpochBatchIterator, "next_epoch_itr")
def start_epoch_where_it_stopped(
    start, self, shuffle=True, fix_batches_to_gpus=False, set_dataset_epoch=True
):
    """A loader that is kept for the next epoch shuffles as in the first (``--curriculum``), and its
    worker processes hold the data as of the first, with the same words masked in every epoch.

    Raises:
        UsageError: the epoch has fewer batches than the checkpoint has read of it.
    """
    if set_dataset_epoch:
        self.dataloader = None
    stopped_at = self.__dict__.pop("stopped_at", 0)
    stopped_in = self.__dict__.pop("stopped_in", None)
    if stopped_at > 0:
        if set_dataset_epoch and hasattr(self.dataset, "set_epoch"):
            self.dataset.set_epoch(self.epoch)
        self._next_epoch_itr = self._get_iterator_for_epoch(
            self.epoch,
            shuffle and not self.disable_shuffling,
            fix_batches_to_gpus=fix_batches_to_gpus,
            offset=stopped_at,
        )
        if self._next_epoch_itr is None:
            raise UsageError(
                f"the checkpoint has read {stopped_at} batches of epoch {self.epoch}, which has "
                f"{len(self)}: the data or the size of a batch is another; --reset-dataloader "
                "begins with epoch 1 again"
            )
        if stopped_in is not None and stopped_in != _order(self):
            logger.warning(
                f"epoch {self.epoch} had {stopped_in['batches']} batches and seed "
                f"{stopped_in['seed']}, and now has {len(self)} and {self.seed}: after the first "
                f"{stopped_at}, some sentences are read twice in it and others never; "
                "--reset-dataloader begins with epoch 1 again"
            )
    return start(self, shuffle, fix_batches_to_gpus, set_dataset_epoch)


def _counts(owner: object) -> dict[str, float | None]:
    """Attributes that are numbers or None."""
    return {
        name: float(value) if isinstance(value, float) else value
        for name, value in vars(owner).items()
        if value is None or isinstance(value, (int, float))
    }


def _schedule(trainer: Trainer) -> dict | None:
    """All that a learning-rate schedule counts, and the flags that it is made from.

    None of ``manual``, which has no configuration of its own; fairseq saves all that it counts.
    """
    flags = trainer.cfg.lr_scheduler
    if not OmegaConf.is_config(flags):
        return None
    inner = getattr(trainer.lr_scheduler, "lr_scheduler", None)  # torch's, of reduce_lr_on_plateau
    return {
        "flags": OmegaConf.to_container(flags, resolve=True),
        "counts": _counts(trainer.lr_scheduler),
        "inner_counts": _counts(inner) if inner is not None else {},
    }


def _restore_schedule(trainer, saved: dict | None, iterator_state: dict, val_loss) -> None:
    """Brings the schedule to where a run that was not stopped has it.

    fairseq saves its best loss alone, and forgets the loss with which the last epoch ended. A
    schedule of other flags begins as fairseq would have it.
    """
    made = _schedule(trainer)
    if made is None or saved is None or saved["flags"] != made["flags"]:
        return
    vars(trainer.lr_scheduler).update(saved["counts"])
    if saved["inner_counts"]:
        vars(trainer.lr_scheduler.lr_scheduler).update(saved["inner_counts"])
    epoch = iterator_state["epoch"]
    if iterator_state["iterations_in_epoch"] > 0:
        trainer.begun_epoch = epoch
        trainer.lr_step_update()
    elif epoch > 1:
        trainer.lr_step(epoch - 1, val_loss)


def _precision(trainer: Trainer) -> dict:
    """Of ``--fp16``, ``--bf16`` and ``--amp``: the weights that are moved, of which the model has
    rounded ones, and the state of the loss's scale."""
    optimizer = trainer.optimizer
    scaler = getattr(optimizer, "scaler", None)
    amp = isinstance(scaler, torch.amp.GradScaler)
    exact = optimizer.fp32_optimizer.params if isinstance(optimizer, FP16Optimizer) else ()
    return {
        "weights": [weight.detach().cpu() for weight in exact],
        "amp": scaler.state_dict() if amp else {},
        "scale": _counts(scaler) if scaler is not None and not amp else {},
    }


def _restore_precision(trainer: Trainer, saved: dict) -> None:
    """What is saved of another precision is passed over."""
    made = _precision(trainer)
    if saved["weights"] and len(saved["weights"]) == len(made["weights"]):
        moved = trainer.optimizer.fp32_optimizer.params
        with torch.no_grad():
            for weight, exact in zip(moved, saved["weights"], strict=True):
                weight.copy_(exact)
    if saved["amp"] and made["amp"]:
        trainer.optimizer.scaler.load_state_dict(saved["amp"])
    if saved["scale"] and made["scale"]:
        vars(trainer.optimizer.scaler).update(saved["scale"])


@patch(Trainer, "lr_step_begin_epoch")
def begin_epoch_once(begin, self, epoch: int):
    """An epoch that goes on has begun before: ``polynomial_decay`` with ``--force-anneal`` starts
    each epoch from the rate at its beginning."""
    if self.__dict__.pop("begun_epoch", None) == epoch:
        return self.lr_step_update()
    return begin(self, epoch)


def patience_spent() -> dict[str, float]:
    """``best``, and ``num_runs``, the validations since: what ``--patience`` counts."""
    counter = getattr(command_module("train"), "should_stop_early", None)
    return {name: getattr(counter, name) for name in ("best", "num_runs") if hasattr(counter, name)}


def _validation_is_due(cfg, trainer: Trainer, epoch: int, end_of_epoch: bool) -> bool:
    """Whether ``fairseq_cli.train`` would validate here if training did not end."""
    updates = trainer.get_num_updates()

    def reached(interval: int) -> bool:
        return interval > 0 and updates % interval == 0

    if end_of_epoch and epoch % cfg.dataset.validate_interval == 0:
        return True
    saves = not end_of_epoch and reached(cfg.checkpoint.save_interval_updates)
    return saves or reached(cfg.dataset.validate_interval_updates)


@patch_command("train", "validate_and_save")
def forget_the_validation_at_the_end(
    validate_and_save, cfg, trainer, task, epoch_itr, valid_subsets, end_of_epoch
):
    """The validation with which ``--max-update`` ends is none that a longer run would have made."""
    due = _validation_is_due(cfg, trainer, epoch_itr.epoch, end_of_epoch)
    trainer.patience_before_end = None if due else patience_spent()
    return validate_and_save(cfg, trainer, task, epoch_itr, valid_subsets, end_of_epoch)


@patch(Trainer, "save_checkpoint")
def save_what_fairseq_forgets(save, self, filename: str, extra_state: dict):
    """The state of the learning-rate schedule, of ``--patience`` and of low precision."""
    before_end = getattr(self, "patience_before_end", None)
    loss = getattr(self, "unsaved_loss", extra_state.get("val_loss"))
    remembered = {
        "schedule": _schedule(self),
        "precision": _precision(self),
        "patience": patience_spent() if before_end is None else before_end,
        "val_loss": loss if before_end is None else None,
    }
    return save(self, filename, {**extra_state, REMEMBERED: remembered})


@patch(checkpoint_utils, "load_checkpoint")
def restore_what_fairseq_forgets(load, cfg, trainer, **kwargs):
    """What ``save_what_fairseq_forgets`` has saved; nothing where a flag resets it, or where the
    checkpoint is an older one."""
    extra_state, epoch_itr = load(cfg, trainer, **kwargs)
    remembered = (extra_state or {}).get(REMEMBERED)
    updates = trainer.get_num_updates()
    if remembered is not None and updates > 0:
        _restore_precision(trainer, remembered["precision"])
        if trainer.cfg.ema.store_ema:  # it moves after every --ema-update-freq updates
            trainer.ema.update_freq_counter = updates % trainer.cfg.ema.ema_update_freq
        if not cfg.reset_meters:
            for name, value in remembered["patience"].items():
                setattr(command_module("train").should_stop_early, name, value)
        if not cfg.reset_lr_scheduler and not cfg.reset_dataloader:
            _restore_schedule(
                trainer,
                remembered["schedule"],
                extra_state["train_iterator"],
                remembered["val_loss"],
            )
    return extra_state, epoch_itr
