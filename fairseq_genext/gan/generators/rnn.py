"""A recurrent language model that writes from noise."""

from fairseq_genext.errors import UsageError, require_choice, require_positive
from fairseq_genext.gan.generators.noise import NoisyDecoder
from fairseq_genext.modules.rnn import CELLS
from fairseq_genext.modules.rnn_decoder import RNNDecoder


class RNNGenerator(NoisyDecoder, RNNDecoder):
    """p(y_t | y_<t, z) by an LSTM, GRU or plain RNN: see ``NoisyDecoder`` and ``RNNDecoder``."""

    @classmethod
    def from_config(cls, cfg, dictionary) -> "RNNGenerator":
        """Builds it from its flags; raises UsageError where one does not fit."""
        require_choice(cfg, "rnn_cell", CELLS)
        require_positive(cfg, "generator_embed_dim", "generator_hidden_dim", "generator_layers")
        require_tieable(cfg, cfg.generator_hidden_dim)
        return cls(
            dictionary,
            noise_input=cfg.noise_input,
            noise_dim=cfg.noise_dim,
            cell=cfg.rnn_cell,
            embed_dim=cfg.generator_embed_dim,
            hidden_dim=cfg.generator_hidden_dim,
            num_layers=cfg.generator_layers,
            dropout=cfg.generator_dropout,
            tie_embeddings=cfg.generator_tie_embeddings,
        )


def require_tieable(cfg, output_dim: int) -> None:
    """Raises UsageError if embeddings are to be tied to outputs of another width."""
    if cfg.generator_tie_embeddings and output_dim != cfg.generator_embed_dim:
        raise UsageError(
            f"--generator-hidden-dim {cfg.generator_hidden_dim} does not fit tied embeddings of "
            f"--generator-embed-dim {cfg.generator_embed_dim}: make them equal or leave out "
            "--generator-tie-embeddings"
        )
