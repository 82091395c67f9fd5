"""`gan`: a generator and a discriminator of text in one fairseq model.

The model only holds the two players. To fairseq's generation commands it is a language model, the
generator; which player learns what, and when, is the business of the criterion and the schedule.
Goodfellow et al. 2014 (https://arxiv.org/abs/1406.2661); published text GANs are presets, which
combine the parts in ``fairseq_genext.gan``.
"""

import logging
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import List

from fairseq.dataclass import FairseqDataclass
from fairseq.models import FairseqLanguageModel, register_model
from omegaconf import DictConfig, OmegaConf
from torch import Tensor, nn

from fairseq_genext.errors import (
    UsageError,
    flag,
    require_choice,
    require_positive,
    require_probability,
    require_temperature,
)
from fairseq_genext.gan.checkpoint import load_weights
from fairseq_genext.gan.discriminators import DISCRIMINATORS
from fairseq_genext.gan.discriminators.language_model import LanguageModelDiscriminator
from fairseq_genext.gan.generators import GENERATORS
from fairseq_genext.gan.generators.noise import NOISE_INPUTS
from fairseq_genext.gan.players import mark_players
from fairseq_genext.gan.progress import Progress

logger = logging.getLogger(__name__)


@dataclass
class DiscriminatorConfig(FairseqDataclass):
    discriminator: str = field(
        default="cnn", metadata={"help": f"one of {', '.join(DISCRIMINATORS)}"}
    )
    discriminator_embed_dim: int = field(default=64, metadata={"help": "embedding width"})
    discriminator_widths: List[int] = field(
        default_factory=lambda: [1, 2, 3, 4, 5],
        metadata={"help": "cnn, multi_representation: n-gram widths, by commas"},
    )
    discriminator_filters: List[int] = field(
        default_factory=lambda: [64, 64, 64, 64, 64],
        metadata={"help": "cnn, multi_representation: number of filters for each width, by commas"},
    )
    discriminator_representations: int = field(
        default=64,
        metadata={"help": "multi_representation: slices that the embedding is cut into"},
    )
    discriminator_cell: str = field(
        default="lstm", metadata={"help": "rnn, rnn_lm: lstm, gru or rnn"}
    )
    discriminator_hidden_dim: int = field(
        default=256,
        metadata={"help": "rnn, rnn_lm: recurrent width; transformer, gpt: width inside the MLP"},
    )
    discriminator_layers: int = field(
        default=1, metadata={"help": "rnn, rnn_lm, transformer, gpt: number of layers"}
    )
    discriminator_heads: int = field(
        default=4, metadata={"help": "transformer, gpt: attention heads"}
    )
    discriminator_dropout: float = field(default=0.25, metadata={"help": "discriminator's dropout"})


@dataclass
class GANConfig(DiscriminatorConfig):
    generator: str = field(default="rnn", metadata={"help": f"one of {', '.join(GENERATORS)}"})
    noise_input: str = field(
        default="state",
        metadata={
            "help": "where the noise enters the generator: its first state, the prefix (the first "
            "input), every step (each input), or none"
        },
    )
    noise_dim: int = field(default=100, metadata={"help": "width of the noise z ~ N(0, I)"})
    rnn_cell: str = field(default="lstm", metadata={"help": "generator rnn: lstm, gru or rnn"})
    generator_embed_dim: int = field(default=256, metadata={"help": "token embedding width"})
    generator_hidden_dim: int = field(
        default=256,
        metadata={
            "help": "rnn: recurrent width; relational: width of a memory slot; gpt: width inside "
            "the MLP, usually 4 * --generator-embed-dim"
        },
    )
    generator_layers: int = field(default=1, metadata={"help": "rnn, gpt: number of layers"})
    generator_heads: int = field(default=2, metadata={"help": "relational, gpt: attention heads"})
    generator_memory_slots: int = field(default=1, metadata={"help": "relational: memory slots"})
    generator_dropout: float = field(default=0.1, metadata={"help": "generator's dropout"})
    generator_temperature: float = field(
        default=1.0,
        metadata={
            "help": "what the generator's logits are divided by, in training as in sampling; less "
            "than 1: it writes near its mode"
        },
    )
    generator_tie_embeddings: bool = field(
        default=False,
        metadata={"help": "tie the generator's input and output embeddings; gpt always does"},
    )
    # fairseq's switches cannot be given a value, so one that a preset sets needs a second one.
    generator_untie_embeddings: bool = field(
        default=False,
        metadata={"help": "do not tie them although the preset does, as gan_scratchgan"},
    )
    generator_checkpoint: str = field(
        default="",
        metadata={
            "help": "start the generator from the decoder of this checkpoint: an rnn_lm's for rnn "
            "and relational, a gpt_doc's for gpt, or that of another GAN with the same generator"
        },
    )
    discriminator_checkpoint: str = field(
        default="",
        metadata={
            "help": "start the discriminator from the decoder of this checkpoint: a gpt_doc's for "
            "gpt, an rnn_lm's for rnn_lm, or that of another GAN's generator"
        },
    )
    max_target_positions: int = field(
        default=256,
        metadata={"help": "longest sequence, in tokens, of a gpt or transformer player"},
    )


@register_model("gan", dataclass=GANConfig)
class GAN(FairseqLanguageModel):
    """Two players; ``decoder`` is the generator's name in fairseq.

    Args:
        generator: an incremental decoder that draws its own noise.
        discriminator: scores sequences, see ``gan.discriminators``.
    """

    def __init__(self, generator, discriminator: nn.Module) -> None:
        super().__init__(generator)
        self.discriminator = discriminator
        self.register_buffer("progress", Progress.empty())
        mark_players(generator, discriminator)

    @classmethod
    def build_model(cls, cfg: GANConfig, task) -> "GAN":
        """Builds both players for the task's dictionary.

        Raises:
            UsageError: a flag's value does not exist or does not fit another's.
        """
        check(cfg)
        dictionary = task.target_dictionary
        generator = GENERATORS[cfg.generator].from_config(cfg, dictionary)
        discriminator = DISCRIMINATORS[cfg.discriminator].from_config(cfg, dictionary)
        start_from_checkpoint(generator, "generator_checkpoint", cfg, task)
        if cfg.discriminator_checkpoint:
            if not isinstance(discriminator, LanguageModelDiscriminator):
                raise UsageError(
                    f"--discriminator-checkpoint: a {cfg.discriminator} is no language model; take "
                    "--discriminator gpt or rnn_lm, or leave the flag out"
                )
            start_from_checkpoint(discriminator.decoder, "discriminator_checkpoint", cfg, task)
        return cls(generator, discriminator)

    def forward(
        self, src_tokens: Tensor | None = None, compute: Callable | None = None, **kwargs
    ) -> tuple[Tensor, None] | Tensor:
        """The generator's logits, or whatever ``compute(generator, discriminator)`` returns.

        Distributed wrappers see a step only if it passes through ``forward``, so the criterion
        hands its step in as ``compute``.

        Args:
            src_tokens: ``(batch, time)``, the text shifted right by one.
            compute: a function of the two players.
        """
        if compute is not None:
            return compute(self.decoder, self.discriminator)
        return super().forward(src_tokens, **kwargs)

    def max_positions(self) -> int:
        """Longest sequence that both players can read."""
        return min(self.decoder.max_positions(), self.discriminator.max_positions())

    def longest_sample(self) -> int:
        """Longest text, in tokens, that both players can read."""
        return self.max_positions()


def check(cfg: GANConfig) -> None:
    """Raises UsageError for a flag whose value does not exist or does not fit another's."""
    require_choice(cfg, "generator", GENERATORS)
    require_choice(cfg, "discriminator", DISCRIMINATORS)
    require_choice(cfg, "noise_input", NOISE_INPUTS)
    admitted = GENERATORS[cfg.generator].noise_inputs
    if cfg.noise_input not in admitted:
        raise UsageError(
            f"--noise-input {cfg.noise_input} does not go with --generator {cfg.generator}; choose "
            f"one of {', '.join(admitted)}"
        )
    require_temperature(cfg, "generator_temperature")
    if cfg.noise_input != "none":
        require_positive(cfg, "noise_dim")
    require_probability(cfg, "generator_dropout", "discriminator_dropout")


def start_from_checkpoint(player: nn.Module, name: str, cfg: GANConfig, task) -> None:
    """Gives a player's decoder the weights of the checkpoint that a flag names, if it does.

    Once and for all: who loads the GAN's own checkpoint, or goes on from it, does not need them
    again.

    Args:
        player: a decoder.
        name: of the flag.

    Raises:
        UsageError: the file is not there or does not fit.
    """
    path = getattr(cfg, name)
    if not path:
        return
    if os.path.exists(path) or begun(cfg) is None:
        try:
            load_weights(player, path, task)
        except ValueError as error:
            raise UsageError(f"{flag(name)} {path}: {error}") from None
        logger.info("the %s starts from %s", name.split("_")[0], path)
    change_saved_config(cfg, **{name: ""})


def run_of(cfg: FairseqDataclass) -> DictConfig | None:
    """The configuration of the run that a model's is part of; None for a model alone."""
    return cfg._get_parent() if OmegaConf.is_config(cfg) else None


def begun(cfg: FairseqDataclass) -> str | None:
    """The checkpoint that the run of a model's configuration goes on from, if there is one."""
    run = run_of(cfg)
    if run is None or "checkpoint" not in run:
        return None
    path = os.path.join(run.checkpoint.save_dir, run.checkpoint.restore_file)
    return path if os.path.exists(path) else None


def change_saved_config(cfg: FairseqDataclass, **values) -> None:
    """Changes the model's part of the run's configuration, which fairseq saves with the weights.

    Whoever loads the weights must not need the files again that the model was built from.
    """
    run = run_of(cfg)
    if run is not None:
        for name, value in values.items():
            run.model[name] = value
