"""What each player minimises, given the discriminator's logits; by name in ``LOSSES``."""

from fairseq_genext.gan.losses.bce import BCELoss

LOSSES = {"bce": BCELoss}
