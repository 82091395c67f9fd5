"""``--store-ema``: the running average of a model's weights."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace

from fairseq import checkpoint_utils
from fairseq.models.ema import EMA
from fairseq.trainer import Trainer

from fairseq_genext.errors import UsageError, reason
from fairseq_genext.patches.patch import patch

logger = logging.getLogger(__name__)


@patch(EMA, "__init__")
def copy_whole_numbers(init, self, model, config, device=None, skip_keys=()) -> None:
    """fairseq averages counts and indices too, such as a GAN's turns, and ends in a traceback.

    Raises:
        UsageError: the average of ``--ema-seed-model`` is that of another model.
    """
    whole = {name for name, held in model.state_dict().items() if not held.is_floating_point()}
    try:
        init(self, model, config, device, whole.union(skip_keys or ()))
    except ValueError as error:
        raise UsageError(f"--ema-seed-model {config.ema_seed_model}: {error}") from None


@patch(checkpoint_utils, "load_ema_from_checkpoint")
def find_average(load, path: str) -> dict:
    """Raises UsageError if there is no average in the checkpoint of ``--ema-seed-model``."""
    try:
        return load(path)
    except Exception as error:  # torch and pickle have a dozen kinds
        raise UsageError(
            f"--ema-seed-model {path} is missing, or no checkpoint with a running average "
            f"(--store-ema): {reason(error)}"
        ) from None


@patch(EMA, "_step_internal")
def step_shared_weights_once(step, self, new_model, updates=None) -> None:
    """Tied weights have two names, and fairseq moves their one average twice an update."""
    averages = self.fp32_params if self.config.ema_fp32 else self.model.state_dict()
    own = dict(self.model.named_parameters(remove_duplicate=False))
    first: dict[int, str] = {}

    def is_first(name: str) -> bool:
        # Averages in 32 bits of a 16-bit model are two tensors.
        if name not in own or averages[name].dtype != own[name].dtype:
            return True
        return first.setdefault(id(own[name]), name) == name

    once = {name: weight for name, weight in new_model.state_dict().items() if is_first(name)}
    step(self, SimpleNamespace(state_dict=lambda: once), updates)


@patch(EMA, "step")
def step_by_the_number_of_updates(step, self, new_model, updates=None) -> None:
    """With ``--ema-update-freq`` fairseq counts from where training went on."""
    if updates is not None:
        self.update_freq_counter = (updates - 1) % self.config.ema_update_freq
    step(self, new_model, updates)


@contextmanager
def begun_by_loading(trainer: Trainer, path: str) -> Iterator[None]:
    """While a checkpoint without an average is loaded, after which one begins from its weights.

    fairseq means to do that, and ends in a ``KeyError``.
    """
    logger.warning(f"{path} has no running average (--store-ema): one begins from its weights")
    trainer.cfg.ema.store_ema = False
    try:
        yield
    finally:
        trainer.cfg.ema.store_ema = True
    trainer._ema = None  # it is made when it is first asked for
