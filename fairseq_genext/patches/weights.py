"""A checkpoint whose tensors or training state do not fit is refused in one line."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

import torch
from fairseq import checkpoint_utils
from fairseq.file_io import PathManager
from fairseq.models import BaseFairseqModel
from fairseq.trainer import Trainer
from omegaconf import OmegaConf

from fairseq_genext.errors import UsageError, reason
from fairseq_genext.modules.fitting import misfit, other_functions, other_numbers, two_for_one
from fairseq_genext.patches.averages import begun_by_loading
from fairseq_genext.patches.checkpoints import architecture, require_known
from fairseq_genext.patches.dictionaries import require_same_dictionaries
from fairseq_genext.patches.patch import patch
from fairseq_genext.patches.resuming import on_master

WEIGHTS_ALONE = "--reset-optimizer --reset-lr-scheduler --reset-dataloader --reset-meters"
GIVE_WORDS = "give it this folder's words by python -m fairseq_genext.weights.vocabulary"
# What torch's optimizers keep of every number of a parameter.
OF_EVERY_NUMBER = ("exp_avg", "exp_avg_sq", "max_exp_avg_sq", "momentum_buffer")


@patch(BaseFairseqModel, "load_state_dict")
def name_misfits(load, self, state_dict, *args, **kwargs):
    """torch lists every tensor that does not fit, takes complex numbers for real ones,
    and of two tensors for one that is tied the last.

    Raises:
        ValueError: in one line; also where a tensor holds another kind of numbers, or is two.
    """
    try:
        loaded = load(self, state_dict, *args, **kwargs)
    except RuntimeError as error:
        raise ValueError(misfit(self, state_dict) or reason(error)) from None
    if problem := other_numbers(self, state_dict) or two_for_one(self, state_dict):
        raise ValueError(problem)
    return loaded


@contextmanager
def one_line(path: str, holds: str | None, wanted: str | None = None) -> Iterator[None]:
    """Says in one line why a checkpoint cannot be loaded.

    Args:
        path: of the checkpoint.
        holds: its architecture.
        wanted: the one that it is loaded into, if that is given apart.

    Raises:
        UsageError: in place of any exception.
    """
    try:
        yield
    except UsageError as error:
        raise UsageError(f"{path}: {str(error).removeprefix('error: ')}") from None
    except Exception as error:  # of torch, omegaconf, fairseq and whatever a model is built from
        # The trainer says of all faults of the weights that the architectures must match.
        weights = str(error).startswith("Cannot load model parameters")
        cause = error.__context__ if weights and error.__context__ is not None else error
        told = f"{path} cannot be loaded: {reason(cause)}"
        if wanted not in (None, holds):
            told += f"; it holds --arch {holds}, and --arch {wanted} was asked for"
        elif wanted is not None and not weights:
            told += f"; its weights alone are taken with {WEIGHTS_ALONE}"
        raise UsageError(told) from error


@patch(checkpoint_utils, "load_model_ensemble_and_task")
def load_ensemble(
    load, filenames, arg_overrides=None, task=None, strict=True, suffix="", num_shards=1, state=None
):
    """Loads one model after the other, to say which file it was.

    Raises:
        UsageError: one cannot be loaded.
    """
    models, cfg = [], None
    for path in filenames:
        if state is None and num_shards == 1:
            name = checkpoint_utils.get_maybe_sharded_checkpoint_filename(path, suffix, 0, 1)
            state = checkpoint_utils.load_checkpoint_to_cpu(name, arg_overrides)
        if state is not None:
            require_known(path, state["cfg"])
        holds = architecture(state["cfg"]) if state is not None else None
        with one_line(path, holds):
            loaded, cfg, task = load([path], arg_overrides, task, strict, suffix, num_shards, state)
        if state is not None:
            require_same_dictionaries(path, state, task)
        models += loaded
        state = None
    return models, cfg, task


@patch(Trainer, "load_checkpoint")
def resume(load, self, filename: str, reset_optimizer: bool = False, *args, **kwargs):
    """Training goes on from a whole checkpoint that fits, or says in one line why it cannot.

    The first process reads the file before all of them do, so that none waits for it in vain.

    Raises:
        UsageError: there is no file that was asked for, or it cannot be loaded.
    """
    last = os.path.join(self.cfg.checkpoint.save_dir, f"checkpoint_last{self.checkpoint_suffix}.pt")
    if filename == last and not PathManager.exists(filename):
        if getattr(self.cfg.model, "lora_rank", 0) > 0:
            raise UsageError(
                "--lora-rank trains adapters of a model that there is: name its checkpoint by "
                "--finetune-from-model"
            )
        return load(self, filename, reset_optimizer, *args, **kwargs)

    def checked() -> tuple[str | None, bool]:
        state = checkpoint_utils.load_checkpoint_to_cpu(filename)
        require_position(filename, state, reset_optimizer)
        if state.get("last_optimizer_state") is None and not reset_optimizer:
            raise UsageError(
                f"{filename} was saved without the state of its optimizer "
                "(--no-save-optimizer-state), and training cannot go on from it; its weights "
                f"alone are taken with {WEIGHTS_ALONE}"
            )
        try:
            require_same_dictionaries(filename, state, self.task)
        except UsageError as error:
            if not reset_optimizer:
                raise
            raise UsageError(f"{str(error).removeprefix('error: ')}, or {GIVE_WORDS}") from None
        held, wanted = state["cfg"].model, self.cfg.model
        if architecture(state["cfg"]) == architecture(self.cfg):
            flags = wanted if OmegaConf.is_config(wanted) else vars(wanted)
            if problem := other_functions(held, flags):
                raise UsageError(f"{filename}: {problem}; give the flag of the checkpoint")
        return architecture(state["cfg"]), "ema" in state["extra_state"]

    holds, averaged = on_master(self, checked)
    begins = self.cfg.ema.store_ema and not averaged
    average = begun_by_loading(self, filename) if begins else nullcontext()
    with one_line(filename, holds, architecture(self.cfg)), average:
        extra_state = load(self, filename, reset_optimizer, *args, **kwargs)
        if not reset_optimizer:
            require_optimizer_state(self.optimizer.optimizer)
    return extra_state


def whole(number, least: int) -> bool:
    """Whether it is a whole number of some size."""
    return isinstance(number, int) and number >= least


def require_position(path: str, state: dict, reset_optimizer: bool) -> None:
    """Raises UsageError unless a checkpoint says how far its training had come."""
    position = state["extra_state"].get("train_iterator")
    known = isinstance(position, dict) and (
        reset_optimizer
        or (
            whole(position.get("epoch"), least=1)
            and whole(position.get("iterations_in_epoch"), least=0)
        )
    )
    if not known:
        raise UsageError(
            f"{path} does not say where in its data training was; its weights alone are taken with "
            f"{WEIGHTS_ALONE}"
        )


def require_optimizer_state(optimizer: torch.optim.Optimizer) -> None:
    """Raises ValueError if an optimizer's state is of other shapes than its parameters.

    torch finds it at the first update, or never.
    """
    for parameter, state in optimizer.state.items():
        for name in OF_EVERY_NUMBER:
            kept = state.get(name)
            if kept is None:
                continue
            if not torch.is_tensor(kept) or kept.shape != parameter.shape:
                raise ValueError("the state of its optimizer is that of another model")
            # A squared gradient may well be infinite, which only stops its parameter.
            if torch.isnan(kept).any():
                raise ValueError("the state of its optimizer has NaN in it")
