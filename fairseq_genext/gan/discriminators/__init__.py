"""Networks that score a sequence as real or generated; by name in ``DISCRIMINATORS``.

Each is built by ``from_config(cfg, dictionary)`` from the flags it knows, and maps a sequence and
its mask to ``gan.scores.Scores``.
"""

from fairseq_genext.gan.discriminators.cnn import CNNDiscriminator
from fairseq_genext.gan.discriminators.language_model import GPTDiscriminator, RNNLMDiscriminator
from fairseq_genext.gan.discriminators.multi_representation import MultiRepresentationDiscriminator
from fairseq_genext.gan.discriminators.rnn import RNNDiscriminator
from fairseq_genext.gan.discriminators.transformer import TransformerDiscriminator

DISCRIMINATORS = {
    "cnn": CNNDiscriminator,
    "rnn": RNNDiscriminator,
    "transformer": TransformerDiscriminator,
    "multi_representation": MultiRepresentationDiscriminator,
    "gpt": GPTDiscriminator,
    "rnn_lm": RNNLMDiscriminator,
}

*_others, _last = (name for name, kind in DISCRIMINATORS.items() if not kind.per_token)
OF_TEXTS = f"{', '.join(_others)} or {_last}"  # those that score whole texts, to be proposed
