"""fairseq-eval-lm also tells of a GAN that keeps its discriminator: see ``gan.residual``."""

import ast
import logging

from fairseq_genext.errors import UsageError, require_least
from fairseq_genext.patches.patch import patch_command

logger = logging.getLogger(__name__)


@patch_command("eval_lm", "main")
def tell_of_residual(main, cfg, **kwargs) -> dict:
    """Adds the figures of ``evaluation.residual`` with ``--partition-samples``.

    Raises:
        UsageError: the number is too small, there is an ensemble, or a part of the split, or as
            ``require_residual``.
    """
    number = getattr(cfg.task, "partition_samples", 0)
    if number == 0:
        return main(cfg, **kwargs)
    from fairseq_genext.evaluation.checkpoints import load_language_model
    from fairseq_genext.evaluation.residual import require_residual, residual_likelihood, told

    require_least(cfg.task, 2, "partition_samples")
    if ":" in cfg.common_eval.path:
        raise UsageError("--partition-samples: a discriminator belongs to one checkpoint alone")
    if cfg.dataset.num_shards > 1:
        raise UsageError("--partition-samples reads the whole split: leave out --num-shards")
    if getattr(cfg.task, "loss_on", None):
        raise UsageError("--partition-samples is of whole texts: leave out --loss-on")
    overrides = ast.literal_eval(cfg.common_eval.model_overrides)
    path, data = cfg.common_eval.path, cfg.task.data
    model, task = load_language_model(path, data, cfg.common.cpu, overrides=overrides)
    require_residual(model, task)
    results = main(cfg, **kwargs)
    found = residual_likelihood(model, task, cfg.dataset.gen_subset, number, cfg.common.seed)
    for line in told(found):
        logger.info(line)
    return results | found
