"""`conditional_gan`: a sequence-to-sequence generator and a discriminator of (source, target).

The generator is a trained `lstm_seq2seq_doc` or `dbam`, whose architecture, size and weights come
from its checkpoint. To fairseq's generation commands the model is an ordinary translation model.
"""

import json
import logging
import os
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from types import SimpleNamespace

from fairseq import checkpoint_utils
from fairseq.models import (
    FairseqEncoderDecoderModel,
    build_model,
    register_model,
    register_model_architecture,
)
from omegaconf import II, OmegaConf
from torch import Tensor, nn

from fairseq_genext.errors import UsageError, require_choice, require_probability
from fairseq_genext.gan.discriminators import DISCRIMINATORS
from fairseq_genext.gan.pairs import JointVocabulary, PairDiscriminator
from fairseq_genext.gan.players import mark_players
from fairseq_genext.gan.progress import Progress
from fairseq_genext.models.gan import DiscriminatorConfig, begun, change_saved_config
from fairseq_genext.models.gan_presets import rewarded_tokens
from fairseq_genext.models.presets import preset
from fairseq_genext.modules.conditions import Source
from fairseq_genext.patches.checkpoints import architecture
from fairseq_genext.patches.dictionaries import require_same_dictionaries

logger = logging.getLogger(__name__)

NAME = "conditional_gan"
GENERATORS = ("lstm_seq2seq_doc", "dbam")
PLAYERS = ("encoder.", "decoder.")  # of the generator


@dataclass
class ConditionalGANConfig(DiscriminatorConfig):
    generator_checkpoint: str = field(
        default="",
        metadata={
            "help": f"the generator: a trained {' or '.join(GENERATORS)}, or the generator of "
            "another conditional GAN"
        },
    )
    generator_config: str = field(
        default="",
        metadata={"help": "the generator's configuration as JSON; --generator-checkpoint sets it"},
    )
    max_source_positions: int = II("task.max_source_positions")
    max_target_positions: int = II("task.max_target_positions")


@register_model(NAME, dataclass=ConditionalGANConfig)
class ConditionalGAN(FairseqEncoderDecoderModel):
    """Two players; ``encoder`` and ``decoder`` are the generator.

    Args:
        generator: an encoder-decoder model whose decoder reads ``token_embeddings``.
        discriminator: scores pairs of source and target.
        max_target_positions: longest target, in tokens, that it reads with the longest source.
    """

    def __init__(
        self,
        generator: FairseqEncoderDecoderModel,
        discriminator: PairDiscriminator,
        max_target_positions: int,
    ) -> None:
        super().__init__(generator.encoder, generator.decoder)
        self.discriminator = discriminator
        self.max_target_positions = max_target_positions
        self.register_buffer("progress", Progress.empty())
        mark_players(nn.ModuleList([self.encoder, self.decoder]), discriminator)

    @classmethod
    def build_model(cls, cfg: ConditionalGANConfig, task) -> "ConditionalGAN":
        """Builds the generator as its checkpoint says, and a discriminator for both dictionaries.

        Raises:
            UsageError: there is no checkpoint or it does not fit, or a flag's value does not exist.
        """
        require_choice(cfg, "discriminator", DISCRIMINATORS)
        config, weights, path = cfg.generator_config, None, cfg.generator_checkpoint
        if path and not os.path.exists(path):
            path = begun(cfg) or path  # its architecture is known there too
        if path:
            config, weights = trained_generator(path, task)
        if not config:
            raise UsageError(
                "a conditional GAN needs --generator-checkpoint: a trained "
                f"{' or '.join(GENERATORS)}"
            )
        generator = build_model(OmegaConf.create(json.loads(config)), task)
        if weights is not None:
            try:
                generator.load_state_dict(weights)
            except ValueError as error:
                raise UsageError(f"--generator-checkpoint {path}: {error}") from None
            logger.info("the generator starts from %s", path)
            change_saved_config(cfg, generator_checkpoint="", generator_config=config)
        return cls(generator, build_discriminator(cfg, task), cfg.max_target_positions)

    def forward(
        self,
        src_tokens: Tensor,
        src_lengths: Tensor,
        prev_output_tokens: Tensor | None = None,
        compute: Callable | None = None,
        **kwargs,
    ):
        """The generator's logits, or what ``compute(decoder, discriminator, condition)`` returns.

        Args:
            src_tokens: ``(batch, source length)``, padded on either side.
            src_lengths: ``(batch,)``, source lengths without padding.
            prev_output_tokens: ``(batch, time)``, the target shifted right by one.
            compute: a function of the two players and of the sources; see ``GAN.forward``.
        """
        if compute is not None:
            source = Source(self.encoder, src_tokens, src_lengths)
            return compute(self.decoder, self.discriminator, source)
        return super().forward(src_tokens, src_lengths, prev_output_tokens, **kwargs)

    def longest_sample(self) -> int:
        """Longest target, in tokens, that both players can read."""
        return min(self.decoder.max_positions(), self.max_target_positions)


def trained_generator(path: str, task) -> tuple[str, dict[str, Tensor]]:
    """Configuration, as JSON, and weights of a checkpoint's encoder and decoder.

    Raises:
        UsageError: it is missing, holds another model than a conditional GAN's generator, or was
            trained with other dictionaries than the task's.
    """
    state = checkpoint_utils.load_checkpoint_to_cpu(path)
    require_same_dictionaries(path, state, task)
    model, name = state["cfg"].model, architecture(state["cfg"])
    if name not in (*GENERATORS, NAME):
        raise UsageError(
            f"--generator-checkpoint {path} holds {name}; the generator of a conditional GAN is "
            f"{' or '.join(GENERATORS)}"
        )
    if name == NAME:
        config = model.generator_config
    else:
        config = json.dumps({**OmegaConf.to_container(model), "_name": name})
    weights = {key: value for key, value in state["model"].items() if key.startswith(PLAYERS)}
    return config, weights


def build_discriminator(cfg: ConditionalGANConfig, task) -> PairDiscriminator:
    """The discriminator that the flags name, with positions for the longest pair."""
    require_probability(cfg, "discriminator_dropout")
    flags = {entry.name: getattr(cfg, entry.name) for entry in fields(DiscriminatorConfig)}
    kind = DISCRIMINATORS[cfg.discriminator]
    longest = cfg.max_source_positions + cfg.max_target_positions
    flags["max_target_positions"] = longest + kind.start_positions
    vocabulary = JointVocabulary(task.source_dictionary, task.target_dictionary)
    network = kind.from_config(SimpleNamespace(**flags), vocabulary)
    return PairDiscriminator(network, vocabulary)


@register_model_architecture(NAME, "gan_seq2seq")
def gan_seq2seq(args) -> None:
    """A reward for every token of the translation, from an LSTM that has read the source.

    No published system: ScratchGAN's rewards (see ``gan_presets``) on pairs. The generator comes
    trained and has no pretraining.
    """
    preset(
        args,
        discriminator="rnn",
        discriminator_cell="lstm",
        discriminator_embed_dim=128,
        discriminator_hidden_dim=256,
        discriminator_dropout=0.1,
    )
    rewarded_tokens(
        args,
        reward_baseline="leave-one-out",
        generator_pretrain_updates=0,
        generator_turns_lr_scale=0.03,
    )


@register_model_architecture(NAME, "gan_seq2seq_tiny")
def gan_seq2seq_tiny(args) -> None:
    """For tests: 8 units, 12 filters."""
    preset(
        args,
        discriminator_embed_dim=8,
        discriminator_hidden_dim=8,
        discriminator_heads=2,
        discriminator_representations=4,
        discriminator_widths="1,2,3",
        discriminator_filters="4,4,4",
        discriminator_dropout=0.0,
    )
    gan_seq2seq(args)
