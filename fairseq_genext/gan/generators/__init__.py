"""Networks that turn noise into a sequence; by name in ``GENERATORS``."""

from fairseq_genext.gan.generators.rnn import RNNGenerator

GENERATORS = {"rnn": RNNGenerator}
