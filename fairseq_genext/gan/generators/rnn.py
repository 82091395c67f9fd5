"""A recurrent language model that writes from noise."""

from fairseq_genext.errors import UsageError, require_choice, require_positive
from fairseq_genext.gan.generators.noise import NoisyDecoder
from fairseq_genext.gan.generators.temperature import TemperedDecoder
from fairseq_genext.modules.rnn import CELLS
from fairseq_genext.modules.rnn_decoder import RNNDecoder


class RNNGenerator(NoisyDecoder, TemperedDecoder, RNNDecoder):
    """p(y_t | y_<t, z) by an LSTM, GRU or plain RNN: see ``NoisyDecoder`` and ``RNNDecoder``."""

    @classmethod
    def from_config(cls, cfg, dictionary) -> "RNNGenerator":
        """Builds it from its flags; raises UsageError where one does not fit."""
        require_choice(cfg, "rnn_cell", CELLS)
        require_positive(cfg, "generator_embed_dim", "generator_hidden_dim", "generator_layers")
        return cls(
            dictionary,
            noise_input=cfg.noise_input,
            noise_dim=cfg.noise_dim,
            temperature=cfg.generator_temperature,
            cell=cfg.rnn_cell,
            embed_dim=cfg.generator_embed_dim,
            hidden_dim=cfg.generator_hidden_dim,
            num_layers=cfg.generator_layers,
            dropout=cfg.generator_dropout,
            tie_embeddings=tied(cfg, cfg.generator_hidden_dim),
        )


def tied(cfg, output_dim: int) -> bool:
    """Whether the flags tie the embeddings to outputs ``output_dim`` wide.

    Raises:
        UsageError: they do, but the widths differ.
    """
    if not cfg.generator_tie_embeddings or cfg.generator_untie_embeddings:
        return False
    if output_dim != cfg.generator_embed_dim:
        raise UsageError(
            f"--generator-hidden-dim {cfg.generator_hidden_dim} does not fit tied embeddings of "
            f"--generator-embed-dim {cfg.generator_embed_dim}: make them equal or give "
            "--generator-untie-embeddings"
        )
    return True
