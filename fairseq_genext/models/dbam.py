"""`dbam`: Deep Bidirectional Attention Model.

The encoder is an autoregressive language model over the source (``modules/arlm_encoder.py``), the
decoder an RNN with two attentions in every layer, one to each half of the source, whose draft two
modulation decoders fine-tune (``modules/half_attention_decoder.py``, ``modulation_decoder.py``).

The article that describes it cites a paper that cannot be found; what stands here follows its
description. ``docs/dbam.md`` says which sentence each part comes from.
"""

from dataclasses import dataclass, field

from fairseq.dataclass import FairseqDataclass
from fairseq.models import (
    FairseqEncoderDecoderModel,
    FairseqIncrementalDecoder,
    register_model,
    register_model_architecture,
)
from torch import Tensor, nn

from fairseq_genext.errors import (
    UsageError,
    flag,
    require_choice,
    require_divisible,
    require_positive,
    require_probability,
    require_right_padded_target,
)
from fairseq_genext.models.embeddings import require_joined_dictionary
from fairseq_genext.models.presets import preset
from fairseq_genext.modules.arlm_encoder import ARLMEncoder
from fairseq_genext.modules.gpt_block import GPTSettings
from fairseq_genext.modules.gpt_decoder import GPTDecoder
from fairseq_genext.modules.half_attention_decoder import HalfAttentionDecoder
from fairseq_genext.modules.rnn import CELLS
from fairseq_genext.modules.rnn_decoder import RNNDecoder, embedding
from fairseq_genext.modules.source_attention import halves, whole

ARLMS = ("rnn", "gpt")


@dataclass
class DBAMConfig(FairseqDataclass):
    arlm: str = field(
        default="rnn", metadata={"help": "the encoder's language model: rnn or gpt (Transformer)"}
    )
    rnn_cell: str = field(default="gru", metadata={"help": "lstm, gru or rnn, in every RNN"})
    encoder_embed_dim: int = field(
        default=256, metadata={"help": "width of source embeddings and of the ARLM"}
    )
    encoder_layers: int = field(default=2, metadata={"help": "layers of the ARLM"})
    encoder_attention_heads: int = field(
        default=4, metadata={"help": "attention heads of --arlm gpt"}
    )
    max_source_positions: int = field(default=1024, metadata={"help": "longest source, in tokens"})
    decoder_embed_dim: int = field(
        default=256, metadata={"help": "width of target embeddings and of the decoder"}
    )
    decoder_layers: int = field(
        default=2, metadata={"help": "decoder layers, each an RNN and its attentions"}
    )
    decoder_attention_heads: int = field(
        default=4, metadata={"help": "heads of each attention to the source"}
    )
    modulation_dim: int = field(default=64, metadata={"help": "width of a modulation decoder"})
    dropout: float = field(
        default=0.2, metadata={"help": "dropout on embeddings, between layers and on the draft"}
    )
    attention_dropout: float = field(
        default=0.0, metadata={"help": "dropout on the weights of the attentions to the source"}
    )
    single_attention: bool = field(
        default=False,
        metadata={"help": "ablation: one attention over the whole source instead of two halves"},
    )
    no_timing_signal: bool = field(
        default=False, metadata={"help": "ablation: queries and keys without timing signal"}
    )
    modulation_decoders: int = field(
        default=2, metadata={"help": "ablation: 2, 1 (the first) or 0 modulation decoders"}
    )
    share_decoder_input_output_embed: bool = field(
        default=False, metadata={"help": "tie the decoder's input and output embeddings"}
    )
    share_all_embeddings: bool = field(
        default=False,
        metadata={
            "help": "share encoder, decoder input and decoder output embeddings; needs a "
            "joined dictionary"
        },
    )


@register_model("dbam", dataclass=DBAMConfig)
class DBAM(FairseqEncoderDecoderModel):
    """ARLM encoder and half-attending decoder."""

    loss_terms = ("arlm", "draft")  # besides the translation's: what ``with_…`` of forward asks for

    @classmethod
    def build_model(cls, cfg: DBAMConfig, task) -> "DBAM":
        """Builds the model for the task's dictionaries.

        Raises:
            UsageError: a flag's value does not exist or does not fit another's.
        """
        check(cfg, task)
        source, target = task.source_dictionary, task.target_dictionary
        embed_source = embedding(len(source), cfg.encoder_embed_dim, source.pad())
        encoder = ARLMEncoder(
            source,
            build_arlm(cfg, source, embed_source),
            embed_dim=cfg.encoder_embed_dim,
            dropout=cfg.dropout,
            parts=whole if cfg.single_attention else halves,
            decoder_shape=(cfg.decoder_layers, cfg.decoder_embed_dim),
            num_states=2 if cfg.rnn_cell == "lstm" else 1,
            max_positions=cfg.max_source_positions,
        )
        decoder = HalfAttentionDecoder(
            target,
            cell=cfg.rnn_cell,
            embed_dim=cfg.decoder_embed_dim,
            source_dim=cfg.encoder_embed_dim,
            num_layers=cfg.decoder_layers,
            num_attentions=1 if cfg.single_attention else 2,
            num_heads=cfg.decoder_attention_heads,
            modulation_decoders=cfg.modulation_decoders,
            modulation_dim=cfg.modulation_dim,
            timing=not cfg.no_timing_signal,
            dropout=cfg.dropout,
            attention_dropout=cfg.attention_dropout,
            tie_embeddings=cfg.share_decoder_input_output_embed or cfg.share_all_embeddings,
            embed_tokens=embed_source if cfg.share_all_embeddings else None,
        )
        return cls(encoder, decoder)

    def forward(
        self,
        src_tokens: Tensor,
        src_lengths: Tensor,
        prev_output_tokens: Tensor,
        with_arlm: bool = False,
        with_draft: bool = False,
        **kwargs,
    ) -> tuple[Tensor, dict]:
        """
        Args:
            src_tokens: ``(batch, source length)``, padded on either side.
            src_lengths: ``(batch,)``, source lengths without padding.
            prev_output_tokens: ``(batch, time)``, the target shifted right by one.
            with_arlm, with_draft: return those logits too, for the terms of criterion ``dbam``.

        Returns:
            Logits ``(batch, time, vocabulary)``, and the dict of ``HalfAttentionDecoder.forward``
            with ``arlm``: logits ``(batch, source length, source vocabulary)`` of the source,
            padded on the right, and ``source``: the tokens that these predict.
        """
        encoder_out = self.encoder(src_tokens, src_lengths)
        logits, extra = self.decoder(
            prev_output_tokens, encoder_out=encoder_out, with_draft=with_draft, **kwargs
        )
        if with_arlm:
            extra["arlm"] = self.encoder.arlm.output_layer(encoder_out["predicting"])
            extra["source"] = encoder_out["tokens"]
        return logits, extra


def build_arlm(
    cfg: DBAMConfig, dictionary, embed_tokens: nn.Embedding
) -> FairseqIncrementalDecoder:
    """The language model that ``--arlm`` names: a decoder without encoder, its embeddings tied."""
    if cfg.arlm == "gpt":
        return GPTDecoder(
            dictionary,
            GPTSettings(
                embed_dim=cfg.encoder_embed_dim,
                num_layers=cfg.encoder_layers,
                num_heads=cfg.encoder_attention_heads,
                max_positions=cfg.max_source_positions + 1,  # and the start
                dropout=cfg.dropout,
            ),
            embed_tokens=embed_tokens,
        )
    return RNNDecoder(
        dictionary,
        cell=cfg.rnn_cell,
        embed_dim=cfg.encoder_embed_dim,
        hidden_dim=cfg.encoder_embed_dim,
        num_layers=cfg.encoder_layers,
        dropout=cfg.dropout,
        tie_embeddings=True,
        embed_tokens=embed_tokens,
        embed_scale=cfg.encoder_embed_dim**0.5,
    )


def check(cfg: DBAMConfig, task) -> None:
    """Raises UsageError for a flag whose value does not exist or does not fit another's."""
    require_choice(cfg, "arlm", ARLMS)
    require_choice(cfg, "rnn_cell", CELLS)
    require_choice(cfg, "modulation_decoders", (0, 1, 2))
    require_positive(
        cfg,
        "encoder_embed_dim",
        "encoder_layers",
        "encoder_attention_heads",
        "max_source_positions",
        "decoder_embed_dim",
        "decoder_layers",
        "decoder_attention_heads",
        "modulation_dim",
    )
    require_probability(cfg, "dropout", "attention_dropout")
    require_divisible(cfg, "decoder_embed_dim", "decoder_attention_heads")
    if cfg.arlm == "gpt":
        require_divisible(cfg, "encoder_embed_dim", "encoder_attention_heads")
    for width in ("encoder_embed_dim", "decoder_embed_dim"):
        if getattr(cfg, width) % 2 != 0 and not cfg.no_timing_signal:
            raise UsageError(
                f"{flag(width)} {getattr(cfg, width)} must be even: the timing signal is made of "
                "pairs of sine and cosine"
            )
    require_right_padded_target(task)
    if cfg.share_all_embeddings:
        require_joined_dictionary(cfg, task)


@register_model_architecture("dbam", "dbam_tiny")
def dbam_tiny(args) -> None:
    """For tests: width 16."""
    preset(
        args,
        encoder_embed_dim=16,
        encoder_attention_heads=2,
        decoder_embed_dim=16,
        decoder_attention_heads=2,
        modulation_dim=8,
        dropout=0.0,
    )


@register_model_architecture("dbam", "dbam_iwslt_de_en")
def dbam_iwslt_de_en(args) -> None:
    """About the size of fairseq's ``transformer_iwslt_de_en``."""
    preset(
        args,
        encoder_embed_dim=512,
        encoder_layers=6,
        encoder_attention_heads=4,
        decoder_embed_dim=512,
        decoder_layers=5,
        modulation_dim=256,
    )
