"""Networks that turn noise into a sequence; by name in ``GENERATORS``.

Each is built by ``from_config(cfg, dictionary)`` from the flags it knows, and names the ways in for
noise that it admits in ``noise_inputs``.
"""

from fairseq_genext.gan.generators.gpt import GPTGenerator
from fairseq_genext.gan.generators.relational import RelationalGenerator
from fairseq_genext.gan.generators.rnn import RNNGenerator

GENERATORS = {"rnn": RNNGenerator, "relational": RelationalGenerator, "gpt": GPTGenerator}
