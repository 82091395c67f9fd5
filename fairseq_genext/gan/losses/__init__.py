"""What each player minimises, given the discriminator's scores; by name in ``LOSSES``."""

from fairseq_genext.gan.losses.bce import BCELoss
from fairseq_genext.gan.losses.hinge import HingeLoss
from fairseq_genext.gan.losses.loss import Loss
from fairseq_genext.gan.losses.penalties import R1, R2
from fairseq_genext.gan.losses.rsgan import RSGANLoss
from fairseq_genext.gan.losses.wgan_gp import WGANGPLoss

LOSSES = {"bce": BCELoss, "hinge": HingeLoss, "wgan-gp": WGANGPLoss, "rsgan": RSGANLoss}


def build_loss(cfg) -> Loss:
    """The loss and the penalties that the flags ask for.

    Args:
        cfg: ``gan_loss``, ``penalty_weight``, ``r1_weight``, ``r2_weight``; a weight of 0 is no
            penalty.

    Raises:
        ValueError: a weight is negative or no finite number.
    """
    weights = ((R1, cfg.r1_weight), (R2, cfg.r2_weight))
    penalties = [penalty(weight) for penalty, weight in weights if weight != 0]
    own = (cfg.penalty_weight,) if cfg.gan_loss == "wgan-gp" else ()
    return LOSSES[cfg.gan_loss](*own, *penalties)
