"""`gpt_doc`'s decoder as a generator: a Transformer language model that writes from noise."""

from fairseq_genext.errors import require_divisible, require_positive
from fairseq_genext.gan.generators.noise import NoisyDecoder
from fairseq_genext.gan.generators.temperature import TemperedDecoder
from fairseq_genext.modules.gpt_block import GPTSettings
from fairseq_genext.modules.gpt_decoder import GPTDecoder


class GPTGenerator(NoisyDecoder, TemperedDecoder, GPTDecoder):
    """p(y_t | y_<t, z) by masked self-attention: see ``NoisyDecoder`` and ``GPTDecoder``.

    It has no state that the noise could start.
    """

    noise_inputs = ("prefix", "step", "none")

    @classmethod
    def from_config(cls, cfg, dictionary) -> "GPTGenerator":
        """Builds it from its flags; raises UsageError where one does not fit."""
        require_positive(
            cfg,
            "generator_embed_dim",
            "generator_hidden_dim",
            "generator_layers",
            "generator_heads",
            "max_target_positions",
        )
        require_divisible(cfg, "generator_embed_dim", "generator_heads")
        return cls(
            dictionary,
            noise_input=cfg.noise_input,
            noise_dim=cfg.noise_dim,
            temperature=cfg.generator_temperature,
            settings=GPTSettings(
                embed_dim=cfg.generator_embed_dim,
                num_layers=cfg.generator_layers,
                num_heads=cfg.generator_heads,
                ffn_dim=cfg.generator_hidden_dim,
                max_positions=cfg.max_target_positions,
                dropout=cfg.generator_dropout,
            ),
        )
