"""A task is told how the model it samples from was trained.

fairseq builds the task of a generation from that command's flags, so that a flag of training such
as ``--sample-break-mode`` would have to be given again.
"""

from fairseq import checkpoint_utils

from fairseq_genext.patches.patch import patch


@patch(checkpoint_utils, "load_model_ensemble_and_task")
def tell_task(load, *args, **kwargs):
    """Calls the task's ``trained_with``, if it has one, with the task's flags of training."""
    ensemble, cfg, task = load(*args, **kwargs)
    if hasattr(task, "trained_with"):
        task.trained_with(cfg.task)
    return ensemble, cfg, task
