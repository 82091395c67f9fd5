"""Training whose numbers are no longer finite ends in one line, and nothing of it is saved.

fairseq ends it with a page of its NanDetector and a ``crash.pt``, and goes on where the loss alone
is not finite; a NaN as validation loss, or NaN weights, become its ``checkpoint_best.pt``.
"""

import math
from typing import NoReturn

import torch
from fairseq import checkpoint_utils
from fairseq.trainer import Trainer

from fairseq_genext.errors import UsageError, some
from fairseq_genext.patches.patch import patch


def stop(trainer: Trainer, told: str) -> NoReturn:
    """Raises UsageError: what is not finite, when, and what to do."""
    raise UsageError(
        f"{told} after {trainer.get_num_updates()} updates: training has diverged; the checkpoints "
        f"in {trainer.cfg.checkpoint.save_dir} stay as they are: go on from them, or start anew, "
        "with a smaller --lr, a smaller --clip-norm or more --warmup-updates"
    )


@patch(Trainer, "clip_grad_norm")
def require_finite_gradients(clip, self, clip_norm):
    """The norm of the gradients, which is that of all processes together.

    ``--amp`` leaves out an update whose scaled gradients overflow, and ``--fp16`` says so by an
    ``OverflowError``; both raise FloatingPointError only where the scale cannot fall any more.

    Raises:
        UsageError: it is not finite.
    """
    try:
        norm = clip(self, clip_norm)
    except FloatingPointError:
        stop(self, "the gradients are not finite even at the loss scale --min-loss-scale")
    if not self.cfg.common.amp and not torch.isfinite(norm).all():
        stop(self, "the gradients are not finite numbers (NaN or infinity)")
    return norm


@patch(Trainer, "_reduce_and_log_stats")
def require_finite_loss(log_stats, self, logging_outputs, sample_size, grad_norm=None):
    """The figures of an update or, without ``grad_norm``, of a batch of validation.

    Raises:
        UsageError: the loss of an update is not finite although its gradients are.
    """
    if grad_norm is not None:
        loss = sum(float(log.get("loss", 0.0)) for log in logging_outputs)
        if not math.isfinite(loss):
            stop(self, f"the loss is {loss}")
    return log_stats(self, logging_outputs, sample_size, grad_norm)


@patch(checkpoint_utils, "save_checkpoint")
def save_what_is_finite(save, cfg, trainer, epoch_itr, val_loss):
    """All processes come here, each with the same weights.

    Raises:
        UsageError: the figure of the validation, or a weight, is not a finite number.
    """
    if val_loss is not None and not math.isfinite(val_loss):
        stop(trainer, f"the validation's {cfg.best_checkpoint_metric} is {val_loss}")
    if not cfg.no_save and (ruined := not_finite(trainer.model)):
        stop(trainer, f"weights are not finite numbers (NaN or infinity): {some(ruined)}")
    return save(cfg, trainer, epoch_itr, val_loss)


def not_finite(model: torch.nn.Module) -> list[str]:
    """Names of the tensors of a model that have a number which is not finite."""
    found = []
    for name, weight in model.state_dict().items():
        # Of a sharded model, this process's share.
        own = weight.to_local() if hasattr(weight, "to_local") else weight
        if own.is_floating_point() and not torch.isfinite(own).all():
            found.append(name)
    return found
