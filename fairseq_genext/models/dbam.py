"""`dbam`: Deep Bidirectional Attention Model.

The encoder is an autoregressive language model over the source (ARLM), the decoder an RNN with two
attentions in every layer, one to each half of the source, and two modulation decoders fine-tune the
draft. With E the source's states, p the timing signal, y the target:

    E_i = layer_norm(ARLM(x_1 … x_i) + embed(x_i))
    h^l = RNN^l(u^{l-1}),                        u^0_t = embed(y_{t-1})
    c^l_k = attention^l_k(h^l + p, E + p, E)     over half k = 1, 2 of the source
    u^l = layer_norm(h^l + W^l [h^l; c^l_1; c^l_2])
    d^0 = u^L,  d^k = modulation_k(d^{k-1}, c^L_k),   p(y_t | y_<t, x) = softmax(W d^2_t)

The article that describes it cites a paper that cannot be found; what stands here follows its
description. docs/dbam.md says which sentence each part comes from.
"""

from dataclasses import dataclass, field

import torch
from fairseq.dataclass import FairseqDataclass
from fairseq.models import (
    FairseqEncoder,
    FairseqEncoderDecoderModel,
    FairseqIncrementalDecoder,
    register_model,
    register_model_architecture,
)
from torch import Tensor, nn

from fairseq_genext.errors import UsageError, flag, require_choice, require_positive
from fairseq_genext.models.embeddings import require_joined_dictionary
from fairseq_genext.models.presets import preset
from fairseq_genext.modules.checked_loading import CheckedLoading
from fairseq_genext.modules.empty_source import warn_of_empty_source
from fairseq_genext.modules.gpt_decoder import GPTDecoder
from fairseq_genext.modules.modulation_decoder import ModulationDecoder
from fairseq_genext.modules.rnn import CELLS, RNN
from fairseq_genext.modules.rnn_decoder import RNNDecoder, embedding
from fairseq_genext.modules.source_attention import SourceAttention, halves, whole
from fairseq_genext.modules.state_bridge import StateBridge
from fairseq_genext.modules.timing_signal import timing_signal

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
class DBAM(CheckedLoading, FairseqEncoderDecoderModel):
    """ARLM encoder and half-attending decoder."""

    @classmethod
    def build_model(cls, cfg: DBAMConfig, task) -> "DBAM":
        """Builds the model for the task's dictionaries.

        Raises:
            UsageError: a flag's value does not exist or does not fit another's.
        """
        check(cfg, task)
        source, target = task.source_dictionary, task.target_dictionary
        embed_source = embedding(len(source), cfg.encoder_embed_dim, source.pad())
        encoder = ARLMEncoder(source, build_arlm(cfg, source, embed_source), cfg)
        decoder = DBAMDecoder(target, cfg, embed_source if cfg.share_all_embeddings else None)
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
            Logits ``(batch, time, vocabulary)``, and a dict as of ``DBAMDecoder.forward`` with
            ``arlm``: logits ``(batch, source length, source vocabulary)`` of the source itself,
            padded on the right, ``draft``: logits of the unmodulated draft, and ``source``: the
            tokens that ``arlm`` predicts.
        """
        encoder_out = self.encoder(src_tokens, src_lengths)
        logits, extra = self.decoder(
            prev_output_tokens, encoder_out=encoder_out, with_draft=with_draft, **kwargs
        )
        if with_arlm:
            extra["arlm"] = self.encoder.arlm.output_layer(encoder_out["predicting"])
            extra["source"] = encoder_out["tokens"]
        return logits, extra


def build_arlm(cfg: DBAMConfig, dictionary, embed_tokens: nn.Embedding):
    """The language model that ``--arlm`` names: a decoder without encoder, its embeddings tied."""
    if cfg.arlm == "gpt":
        return GPTDecoder(
            dictionary,
            embed_dim=cfg.encoder_embed_dim,
            num_layers=cfg.encoder_layers,
            num_heads=cfg.encoder_attention_heads,
            ffn_dim=4 * cfg.encoder_embed_dim,
            max_positions=cfg.max_source_positions + 1,  # and the start
            dropout=cfg.dropout,
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


class ARLMEncoder(FairseqEncoder):
    """A causal language model that reads the source; its states are what the decoder attends to.

    Args:
        dictionary: source dictionary.
        arlm: a decoder of ours that runs without encoder, such as ``RNNDecoder``.
        cfg: the model's flags.
    """

    def __init__(self, dictionary, arlm: FairseqIncrementalDecoder, cfg: DBAMConfig) -> None:
        super().__init__(dictionary)
        self.pad, self.eos = dictionary.pad(), dictionary.eos()
        self.arlm = arlm
        self.embed_scale = cfg.encoder_embed_dim**0.5
        self.dropout = nn.Dropout(cfg.dropout)
        self.layer_norm = nn.LayerNorm(cfg.encoder_embed_dim)
        self.parts = whole if cfg.single_attention else halves
        self.max_source_positions = cfg.max_source_positions
        self.num_states = 2 if cfg.rnn_cell == "lstm" else 1
        self.bridge = StateBridge(
            (1, cfg.encoder_embed_dim),
            (cfg.decoder_layers, cfg.decoder_embed_dim),
            self.num_states,
        )

    def forward(self, src_tokens: Tensor, src_lengths: Tensor, **unused) -> dict:
        """
        Args:
            src_tokens: ``(batch, source length)``, padded on either side.
            src_lengths: ``(batch,)``, source lengths without padding.

        Returns:
            With sources padded on the right, whatever ``src_tokens`` is:
            ``tokens``, ``(batch, source length)``;
            ``states``, ``(batch, source length, encoder_embed_dim)``, the i-th read up to token i;
            ``predicting``, of the same shape, the i-th read up to token i - 1;
            ``parts``, masks ``(batch, source length)`` of what each attention may see;
            ``initial``, the decoder's first state, a tuple of
            ``(decoder_layers, batch, decoder_embed_dim)``;
            ``columns``, ``(batch, source length)``, where each column of ``src_tokens`` is now.
        """
        if not self.training:
            warn_of_empty_source(src_lengths)
        length = src_tokens.size(1)
        # Causal reading wants the padding on the right; fairseq pads sources on the left.
        leading = src_tokens.ne(self.pad).int().argmax(dim=1, keepdim=True)
        columns = torch.arange(length, device=src_tokens.device)
        tokens = src_tokens.gather(1, (columns + leading) % length)

        # As in fairseq's language models, a text starts from the end of the one before.
        start = tokens.new_full((tokens.size(0), 1), self.eos)
        # The word itself beside what was read up to it: an attention finds rare words by it, and
        # with embeddings shared by both sides the output layer can name it.
        text = torch.cat([start, tokens], dim=1)
        states, _ = self.arlm(text, features_only=True)
        words = self.dropout(self.embed_scale * self.arlm.embed_tokens(text))
        read = self.layer_norm(states + words)
        last = read[torch.arange(tokens.size(0), device=tokens.device), src_lengths]
        return {
            "tokens": tokens,
            "states": read[:, 1:],
            "predicting": states[:, :-1],
            "parts": self.parts(src_lengths, length),
            "initial": self.bridge((last.unsqueeze(0),) * self.num_states),
            "columns": (columns - leading) % length,
        }

    def reorder_encoder_out(self, encoder_out: dict, new_order: Tensor) -> dict:
        """Moves everything to the beams of ``new_order``, ``(new batch,)``."""
        reordered = {
            name: encoder_out[name].index_select(0, new_order)
            for name in ("tokens", "states", "predicting", "columns")
        }
        reordered["parts"] = [part.index_select(0, new_order) for part in encoder_out["parts"]]
        reordered["initial"] = tuple(
            state.index_select(1, new_order) for state in encoder_out["initial"]
        )
        return reordered

    def max_positions(self) -> int:
        """Longest source, end of sentence included."""
        return self.max_source_positions


class DBAMDecoder(FairseqIncrementalDecoder):
    """p(y_t | y_<t, x): layers of an RNN and its attentions, then the modulation decoders.

    Args:
        dictionary: target dictionary.
        cfg: the model's flags.
        embed_tokens: embeddings to share with the encoder, instead of new ones.
    """

    def __init__(
        self, dictionary, cfg: DBAMConfig, embed_tokens: nn.Embedding | None = None
    ) -> None:
        super().__init__(dictionary)
        dim = cfg.decoder_embed_dim
        self.embed_tokens = embed_tokens or embedding(len(dictionary), dim, dictionary.pad())
        self.layers = nn.ModuleList(DecoderLayer(cfg) for _ in range(cfg.decoder_layers))
        self.modulation = nn.ModuleList(
            ModulationDecoder(cfg.rnn_cell, dim, dim, cfg.modulation_dim)
            for _ in range(cfg.modulation_decoders)
        )
        tied = cfg.share_decoder_input_output_embed or cfg.share_all_embeddings
        self.output_projection = nn.Linear(dim, len(dictionary), bias=not tied)
        if tied:
            self.output_projection.weight = self.embed_tokens.weight
        # Vaswani et al. 2017, section 3.4: embeddings that are also output weights are small, and
        # the timing signal would drown what they say.
        self.embed_scale = dim**0.5
        self.timing = not cfg.no_timing_signal
        self.dropout = nn.Dropout(cfg.dropout)

    def forward(
        self,
        prev_output_tokens: Tensor,
        encoder_out: dict | None = None,
        incremental_state: dict | None = None,
        token_embeddings: Tensor | None = None,
        features_only: bool = False,
        with_draft: bool = False,
        **unused,
    ) -> tuple[Tensor, dict]:
        """
        Args:
            prev_output_tokens: ``(batch, time)``, the target shifted right by one.
            encoder_out: what ``ARLMEncoder.forward`` returns.
            incremental_state: cache for step-by-step decoding; once it holds a state, only the
                last token is read.
            token_embeddings: ``(batch, steps read, decoder_embed_dim)``, taken instead of the
                embeddings of ``prev_output_tokens``: the way in for tokens that carry a gradient.
            features_only: return the modulated draft instead of logits.
            with_draft: return the logits of the unmodulated draft too.

        Returns:
            Logits ``(batch, steps read, vocabulary)``, and a dict of
            ``attn``, ``(batch, steps read, source length)`` in the columns of the source as it was
            given: the mean over layers of the attentions, each counted by its share of what the
            layer adds, for fairseq's ``--print-alignment`` (None in training);
            ``attentions``, for every layer the weights of each of its attentions, same shape;
            ``modulations``, (scale, shift) of every modulation decoder, each
            ``(batch, steps read, decoder_embed_dim)``;
            ``draft``, logits as the first, if asked for.
        """
        end = prev_output_tokens.size(1)
        started = self.layers[0].rnn.has_started(incremental_state)
        if token_embeddings is None:
            token_embeddings = self.embed_tokens(
                prev_output_tokens[:, -1:] if started else prev_output_tokens
            )
        x = self.dropout(self.embed_scale * token_embeddings)
        source = encoder_out["states"]
        query_time = key_time = torch.zeros((), dtype=x.dtype, device=x.device)
        if self.timing:
            query_time = timing_signal(end - x.size(1), end, like=x)
            key_time = timing_signal(0, source.size(1), like=source)

        attentions, alignment = [], None if self.training else 0.0
        for index, layer in enumerate(self.layers):
            x, contexts, weights = layer(
                x,
                tuple(state[index : index + 1] for state in encoder_out["initial"]),
                query_time,
                source + key_time,
                source,
                encoder_out["parts"],
                incremental_state,
            )
            attentions.append([self._in_given_columns(part, encoder_out) for part in weights])
            if not self.training:
                shares = zip(layer.shares(contexts), attentions[-1], strict=True)
                alignment = alignment + sum(share * part for share, part in shares)

        draft, modulations = x, []
        for index, modulate in enumerate(self.modulation):
            # With one attention over the whole source, it serves both.
            context = contexts[min(index, len(contexts) - 1)]
            x, scale, shift = modulate(x, context, incremental_state)
            modulations.append((scale, shift))

        extra = {
            "attn": None if self.training else alignment / len(self.layers),
            "attentions": attentions,
            "modulations": modulations,
        }
        if with_draft:
            extra["draft"] = self.output_layer(self.dropout(draft))
        x = self.dropout(x)
        return x if features_only else self.output_layer(x), extra

    @staticmethod
    def _in_given_columns(weights: Tensor, encoder_out: dict) -> Tensor:
        columns = encoder_out["columns"].unsqueeze(1).expand_as(weights)
        return weights.gather(2, columns)

    def extract_features(self, prev_output_tokens: Tensor, **kwargs) -> tuple[Tensor, dict]:
        """The modulated draft ``(batch, time, decoder_embed_dim)``; arguments as in ``forward``."""
        return self.forward(prev_output_tokens, features_only=True, **kwargs)

    def output_layer(self, features: Tensor, **unused) -> Tensor:
        """``(…, decoder_embed_dim)`` to logits ``(…, vocabulary)``."""
        return self.output_projection(features)

    def max_positions(self) -> int:
        """A recurrent decoder has no longest target."""
        return int(1e5)


class DecoderLayer(nn.Module):
    """An RNN and, on its output, an attention to each part of the source."""

    def __init__(self, cfg: DBAMConfig) -> None:
        super().__init__()
        dim = cfg.decoder_embed_dim
        self.rnn = RNN(cfg.rnn_cell, dim, dim)
        self.attentions = nn.ModuleList(
            SourceAttention(
                dim, cfg.encoder_embed_dim, cfg.decoder_attention_heads, cfg.attention_dropout
            )
            for _ in range(1 if cfg.single_attention else 2)
        )
        self.join = nn.Linear(dim * (1 + len(self.attentions)), dim)
        self.dropout = nn.Dropout(cfg.dropout)
        self.layer_norm = nn.LayerNorm(dim)

    def forward(
        self,
        x: Tensor,
        initial: tuple[Tensor, ...],
        query_time: Tensor,
        key: Tensor,
        value: Tensor,
        parts: list[Tensor],
        incremental_state: dict | None,
    ) -> tuple[Tensor, list[Tensor], list[Tensor]]:
        """
        Args:
            x: ``(batch, time, dim)``.
            initial: the RNN's first state, tensors of ``(1, batch, dim)``.
            query_time: the timing signal of the target, ``(time, dim)``.
            key, value: the source with and without its timing signal,
                ``(batch, source length, source dim)``.
            parts: for each attention the mask ``(batch, source length)`` of what it may see.
            incremental_state: cache for step-by-step decoding.

        Returns:
            The layer's output ``(batch, time, dim)``, and for each attention the context
            ``(batch, time, dim)`` and the weights ``(batch, time, source length)``.
        """
        hidden, _ = self.rnn(x, initial, incremental_state)
        contexts, weights = [], []
        for attention, part in zip(self.attentions, parts, strict=True):
            context, weight = attention(hidden + query_time, key, value, part, incremental_state)
            contexts.append(context)
            weights.append(weight)
        update = self.join(torch.cat([hidden, *contexts], dim=-1))
        # Not x + …: x holds the previous word, which tied output weights would say once more.
        return self.layer_norm(hidden + self.dropout(update)), contexts, weights

    @torch.no_grad()
    def shares(self, contexts: list[Tensor]) -> list[Tensor]:
        """Each attention's share ``(batch, time, 1)`` of what all of them add to the output.

        Weights sum to 1 also over a half that has nothing to say; the norm of what a context adds
        tells (Kobayashi et al. 2020, https://arxiv.org/abs/2004.10102). The shares sum to 1.
        """
        _, *parts = self.join.weight.split(self.join.out_features, dim=1)
        added = [context @ part.T for context, part in zip(contexts, parts, strict=True)]
        norms = torch.stack([update.norm(dim=-1, keepdim=True) for update in added])
        return list(norms / norms.sum(dim=0).clamp_min(torch.finfo(norms.dtype).tiny))


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
    for width, heads in (
        ("encoder_embed_dim", "encoder_attention_heads"),
        ("decoder_embed_dim", "decoder_attention_heads"),
    ):
        if getattr(cfg, width) % getattr(cfg, heads) != 0:
            raise UsageError(
                f"{flag(width)} {getattr(cfg, width)} cannot be divided among "
                f"{flag(heads)} {getattr(cfg, heads)}"
            )
        if getattr(cfg, width) % 2 != 0:
            raise UsageError(
                f"{flag(width)} {getattr(cfg, width)} must be even: the timing signal is made of "
                "pairs of sine and cosine"
            )
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
