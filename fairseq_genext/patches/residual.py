"""fairseq-eval-lm also tells of a GAN that keeps its discriminator: see ``gan.residual``."""

import logging

from fairseq_genext.errors import UsageError
from fairseq_genext.patches.patch import patch_command

logger = logging.getLogger(__name__)


@patch_command("eval_lm", "main")
def tell_of_residual(main, cfg, **kwargs) -> dict:
    """Adds the figures of ``evaluation.residual`` with ``--partition-samples``.

    Raises:
        UsageError: there is an ensemble, or no discriminator that scores whole texts.
    """
    number = getattr(cfg.task, "partition_samples", 0)
    if number == 0:
        return main(cfg, **kwargs)
    from fairseq_genext.evaluation.residual import residual_likelihood, told

    checkpoint = cfg.common_eval.path
    if number < 2:
        raise UsageError(f"--partition-samples is {number}; it must be 0, or at least 2")
    if ":" in checkpoint:
        raise UsageError("--partition-samples: a discriminator belongs to one checkpoint alone")
    results = main(cfg, **kwargs)
    found = residual_likelihood(
        checkpoint, cfg.task.data, cfg.dataset.gen_subset, number, cfg.common.seed
    )
    for line in told(found):
        logger.info(line)
    return results | found
