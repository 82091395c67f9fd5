"""What a criterion must know when training goes on is saved with the checkpoint.

fairseq saves a criterion's parameters. One with state of another kind has ``training_state``, which
returns it as tensors and numbers in nested dicts, ``load_training_state``, which takes it back, and
``each_process``, whether it differs between processes. Who reads a checkpoint's weights alone
passes it over.
"""

import torch
from fairseq import checkpoint_utils, utils
from fairseq.trainer import Trainer

from fairseq_genext.patches.patch import patch

KEY = "criterion_state"  # of a checkpoint's extra state


@patch(checkpoint_utils, "save_checkpoint")
def ask_the_criterion(save, cfg, trainer, epoch_itr, val_loss):
    """All processes come here, and the first alone saves."""
    criterion = trainer.get_criterion()
    trainer.criterion_states = None
    if hasattr(criterion, "training_state") and not cfg.no_save:
        state = utils.apply_to_sample(torch.Tensor.cpu, criterion.training_state())
        states = [state] * (trainer.data_parallel_world_size if criterion.each_process else 1)
        if len(states) > 1:
            group = trainer.data_parallel_process_group
            torch.distributed.all_gather_object(states, state, group)
        trainer.criterion_states = states if any(states) else None
    return save(cfg, trainer, epoch_itr, val_loss)


@patch(Trainer, "save_checkpoint")
def save_the_state(save, self, filename: str, extra_state: dict):
    """A list with an entry a process, or with one for all."""
    states = getattr(self, "criterion_states", None)
    return save(self, filename, {**extra_state, **({KEY: states} if states else {})})


@patch(checkpoint_utils, "load_checkpoint")
def give_the_state_back(load, cfg, trainer, **kwargs):
    """Not where training begins from the weights alone."""
    extra_state, epoch_itr = load(cfg, trainer, **kwargs)
    states = (extra_state or {}).get(KEY)
    if states and trainer.get_num_updates() > 0:
        # Where processes have been added, some begin with the same.
        state = states[trainer.data_parallel_rank % len(states)]
        state = utils.apply_to_sample(lambda held: held.to(trainer.device), state)
        trainer.get_criterion().load_training_state(state)
    return extra_state, epoch_itr
