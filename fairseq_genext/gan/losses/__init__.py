"""What each player minimises, given the discriminator's scores; by name in ``LOSSES``."""

from fairseq_genext.gan.losses.bce import BCELoss
from fairseq_genext.gan.losses.hinge import HingeLoss
from fairseq_genext.gan.losses.rsgan import RSGANLoss
from fairseq_genext.gan.losses.wgan_gp import WGANGPLoss

LOSSES = {"bce": BCELoss, "hinge": HingeLoss, "wgan-gp": WGANGPLoss, "rsgan": RSGANLoss}
