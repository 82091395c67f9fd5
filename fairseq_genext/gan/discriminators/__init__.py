"""Networks that score a sequence as real or generated; by name in ``DISCRIMINATORS``."""

from fairseq_genext.gan.discriminators.cnn import CNNDiscriminator

DISCRIMINATORS = {"cnn": CNNDiscriminator}
