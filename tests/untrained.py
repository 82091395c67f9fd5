"""Checkpoints of models as they are initialised, written in this process and without training."""

import torch
from command_line import parsed
from fairseq import tasks

from fairseq_genext.weights import checkpoint


def write_untrained(path, *argv):
    """Writes a checkpoint of the model and task of a command line, with random weights.

    Returns:
        The model.
    """
    cfg = parsed(*argv)
    task = tasks.setup_task(cfg.task)
    torch.manual_seed(1)
    model = task.build_model(cfg.model)
    history = {"criterion_name": "", "optimizer_name": "", "lr_scheduler_state": {}}
    state = {
        "args": None,
        "cfg": cfg,
        "model": model.state_dict(),
        "criterion": None,
        "optimizer_history": [{**history, "num_updates": 0}],
        "task_state": task.state_dict(),
        "extra_state": {"train_iterator": {"epoch": 1, "iterations_in_epoch": 0}},
    }
    checkpoint.write(path, state)
    return model
