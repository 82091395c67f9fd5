"""The relational-memory language model of RelGAN (Nie et al. 2019), which writes from noise."""

from fairseq_genext.errors import UsageError, require_divisible, require_positive
from fairseq_genext.gan.generators.noise import NoisyDecoder
from fairseq_genext.gan.generators.rnn import tied
from fairseq_genext.gan.generators.temperature import TemperedDecoder
from fairseq_genext.modules.relational_memory import RelationalMemory
from fairseq_genext.modules.rnn_decoder import RNNDecoder


class RelationalGenerator(NoisyDecoder, TemperedDecoder, RNNDecoder):
    """p(y_t | y_<t, z) by a relational memory: see ``NoisyDecoder`` and ``RelationalMemory``."""

    @classmethod
    def from_config(cls, cfg, dictionary) -> "RelationalGenerator":
        """Builds it from its flags; raises UsageError where one does not fit."""
        require_positive(
            cfg,
            "generator_embed_dim",
            "generator_hidden_dim",
            "generator_heads",
            "generator_memory_slots",
        )
        if cfg.generator_layers != 1:
            raise UsageError(
                f"--generator-layers is {cfg.generator_layers}; --generator relational has 1"
            )
        require_divisible(cfg, "generator_hidden_dim", "generator_heads")
        output_dim = cfg.generator_memory_slots * cfg.generator_hidden_dim
        memory = RelationalMemory(
            cfg.generator_embed_dim,
            cfg.generator_memory_slots,
            cfg.generator_hidden_dim,
            cfg.generator_heads,
        )
        return cls(
            dictionary,
            noise_input=cfg.noise_input,
            noise_dim=cfg.noise_dim,
            temperature=cfg.generator_temperature,
            embed_dim=cfg.generator_embed_dim,
            hidden_dim=output_dim,
            dropout=cfg.generator_dropout,
            tie_embeddings=tied(cfg, output_dim),
            rnn=memory,
        )
