"""`gan`: a generator and a discriminator of text in one fairseq model.

The model only holds the two players. To fairseq's generation commands it is a language model, the
generator; which player learns what, and when, is the business of the criterion and the schedule.
Goodfellow et al. 2014 (https://arxiv.org/abs/1406.2661); published text GANs are points in the
space that the folders of ``fairseq_genext.gan`` span.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import List

from fairseq.dataclass import FairseqDataclass
from fairseq.models import FairseqLanguageModel, register_model, register_model_architecture
from torch import Tensor, nn

from fairseq_genext.errors import UsageError, require_choice, require_positive
from fairseq_genext.gan.discriminators import DISCRIMINATORS
from fairseq_genext.gan.generators import GENERATORS
from fairseq_genext.models.presets import preset
from fairseq_genext.modules.checked_loading import CheckedLoading
from fairseq_genext.modules.rnn import CELLS


@dataclass
class GANConfig(FairseqDataclass):
    generator: str = field(default="rnn", metadata={"help": f"one of {', '.join(GENERATORS)}"})
    noise_dim: int = field(default=100, metadata={"help": "width of the noise z ~ N(0, I)"})
    rnn_cell: str = field(default="lstm", metadata={"help": "generator: lstm, gru or rnn"})
    generator_embed_dim: int = field(default=256, metadata={"help": "token embedding width"})
    generator_hidden_dim: int = field(default=256, metadata={"help": "recurrent width"})
    generator_layers: int = field(default=1, metadata={"help": "recurrent layers"})
    generator_dropout: float = field(default=0.1, metadata={"help": "generator's dropout"})
    generator_tie_embeddings: bool = field(
        default=False, metadata={"help": "tie the generator's input and output embeddings"}
    )
    discriminator: str = field(
        default="cnn", metadata={"help": f"one of {', '.join(DISCRIMINATORS)}"}
    )
    discriminator_embed_dim: int = field(default=64, metadata={"help": "embedding width"})
    discriminator_widths: List[int] = field(
        default_factory=lambda: [1, 2, 3, 4, 5], metadata={"help": "n-gram widths, by commas"}
    )
    discriminator_filters: List[int] = field(
        default_factory=lambda: [64, 64, 64, 64, 64],
        metadata={"help": "number of filters for each width, by commas"},
    )
    discriminator_dropout: float = field(default=0.25, metadata={"help": "discriminator's dropout"})


@register_model("gan", dataclass=GANConfig)
class GAN(CheckedLoading, FairseqLanguageModel):
    """Two players; ``decoder`` is the generator's name in fairseq.

    Args:
        generator: an incremental decoder that draws its own noise.
        discriminator: scores sequences, see ``gan.discriminators``.
    """

    def __init__(self, generator, discriminator: nn.Module) -> None:
        super().__init__(generator)
        self.discriminator = discriminator
        # The two-player optimizer finds each parameter's player by this mark, which fairseq's
        # mixed-precision copies carry along.
        for player, module in (("generator", generator), ("discriminator", discriminator)):
            for param in module.parameters():
                param.param_group = player

    @classmethod
    def build_model(cls, cfg: GANConfig, task) -> "GAN":
        """Builds both players for the task's dictionary.

        Raises:
            UsageError: a flag's value does not exist or does not fit another's.
        """
        check(cfg)
        dictionary = task.target_dictionary
        generator = GENERATORS[cfg.generator](
            dictionary,
            noise_dim=cfg.noise_dim,
            cell=cfg.rnn_cell,
            embed_dim=cfg.generator_embed_dim,
            hidden_dim=cfg.generator_hidden_dim,
            num_layers=cfg.generator_layers,
            dropout=cfg.generator_dropout,
            tie_embeddings=cfg.generator_tie_embeddings,
        )
        discriminator = DISCRIMINATORS[cfg.discriminator](
            len(dictionary),
            dictionary.pad(),
            embed_dim=cfg.discriminator_embed_dim,
            widths=list(cfg.discriminator_widths),
            filters=list(cfg.discriminator_filters),
            dropout=cfg.discriminator_dropout,
        )
        return cls(generator, discriminator)

    def forward(
        self, src_tokens: Tensor | None = None, play: Callable | None = None, **kwargs
    ) -> tuple[Tensor, None] | Tensor:
        """The generator's logits, or whatever ``play(generator, discriminator)`` returns.

        Distributed wrappers see a step only if it passes through ``forward``, so the criterion
        hands its step in as ``play``.

        Args:
            src_tokens: ``(batch, time)``, the text shifted right by one.
            play: a function of the two players.
        """
        if play is not None:
            return play(self.decoder, self.discriminator)
        return super().forward(src_tokens, **kwargs)


def check(cfg: GANConfig) -> None:
    """Raises UsageError for a flag whose value does not exist or does not fit another's."""
    require_choice(cfg, "generator", GENERATORS)
    require_choice(cfg, "discriminator", DISCRIMINATORS)
    require_choice(cfg, "rnn_cell", CELLS)
    require_positive(
        cfg,
        "noise_dim",
        "generator_embed_dim",
        "generator_hidden_dim",
        "generator_layers",
        "discriminator_embed_dim",
    )
    if cfg.generator_tie_embeddings and cfg.generator_hidden_dim != cfg.generator_embed_dim:
        raise UsageError(
            f"--generator-hidden-dim {cfg.generator_hidden_dim} does not fit tied embeddings of "
            f"--generator-embed-dim {cfg.generator_embed_dim}: make them equal or leave out "
            "--generator-tie-embeddings"
        )
    widths, filters = cfg.discriminator_widths, cfg.discriminator_filters
    if len(widths) != len(filters) or min([*widths, *filters], default=0) <= 0:
        raise UsageError(
            "--discriminator-widths and --discriminator-filters must be as many positive numbers, "
            f"not {list(widths)} and {list(filters)}"
        )


@register_model_architecture("gan", "gan_doc")
def gan_doc(args) -> None:
    """The article's text GAN: RNN generator from 100-dimensional noise, CNN discriminator."""


@register_model_architecture("gan", "gan_doc_tiny")
def gan_doc_tiny(args) -> None:
    """For tests: 16 units, 8 filters."""
    preset(
        args,
        noise_dim=8,
        generator_embed_dim=16,
        generator_hidden_dim=16,
        generator_dropout=0.0,
        discriminator_embed_dim=8,
        discriminator_widths="1,2,3",
        discriminator_filters="4,4,4",
        discriminator_dropout=0.0,
    )
