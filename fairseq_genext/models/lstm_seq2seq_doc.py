"""`lstm_seq2seq_doc`: RNN encoder, one fixed context vector, RNN decoder, no attention.

Sutskever et al. 2014 (https://arxiv.org/abs/1409.3215) with the context read at every step, as in
Cho et al. 2014 (https://arxiv.org/abs/1406.1078):

    context = final encoder state after the last real source token
    s_0     = bridge(last states),   s_t = RNN(s_{t-1}, [embed(y_{t-1}); context])
    p(y_t | y_<t, x) = softmax(W s_t),   or softmax(W V [s_t; embed(y_{t-1}); context])
"""

from dataclasses import dataclass, field

from fairseq import utils
from fairseq.dataclass import FairseqDataclass
from fairseq.models import (
    FairseqEncoder,
    FairseqEncoderDecoderModel,
    register_model,
    register_model_architecture,
)
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence

from fairseq_genext.errors import (
    UsageError,
    require_choice,
    require_positive,
    require_probability,
    require_right_padded_target,
)
from fairseq_genext.models.embeddings import require_joined_dictionary
from fairseq_genext.models.presets import preset
from fairseq_genext.modules.empty_source import warn_of_empty_source
from fairseq_genext.modules.rnn import CELLS, RNN
from fairseq_genext.modules.rnn_decoder import RNNDecoder, embedding
from fairseq_genext.modules.state_bridge import StateBridge


@dataclass
class LSTMSeq2SeqDocConfig(FairseqDataclass):
    rnn_cell: str = field(default="lstm", metadata={"help": "lstm, gru or rnn"})
    encoder_embed_dim: int = field(default=256, metadata={"help": "source embedding width"})
    encoder_hidden_dim: int = field(
        default=256, metadata={"help": "encoder width u, per direction"}
    )
    encoder_layers: int = field(default=1, metadata={"help": "encoder layers"})
    encoder_unidirectional: bool = field(
        default=False,
        metadata={"help": "read the source left to right only; the context is then u wide, not 2u"},
    )
    reverse_source: bool = field(
        default=False,
        metadata={
            "help": "read the source backwards, so that its start is near the target's; with "
            "--encoder-unidirectional, as otherwise both directions are read anyway"
        },
    )
    decoder_embed_dim: int = field(default=256, metadata={"help": "target embedding width"})
    decoder_hidden_dim: int = field(
        default=512,
        metadata={
            "help": "decoder width; 2u takes the encoder's state as it is, any other width "
            "goes through a learned bridge"
        },
    )
    decoder_layers: int = field(default=1, metadata={"help": "decoder layers"})
    deep_output: bool = field(
        default=False,
        metadata={
            "help": "predict from decoder state, previous word and context, not from the state "
            "alone"
        },
    )
    dropout: float = field(
        default=0.2,
        metadata={"help": "dropout on embeddings, between layers and before the output layer"},
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


@register_model("lstm_seq2seq_doc", dataclass=LSTMSeq2SeqDocConfig)
class LSTMSeq2SeqDoc(FairseqEncoderDecoderModel):
    """Encoder and decoder joined by a fixed-dimension context vector."""

    @classmethod
    def build_model(cls, cfg: LSTMSeq2SeqDocConfig, task) -> "LSTMSeq2SeqDoc":
        """Builds the model for the task's dictionaries.

        Raises:
            UsageError: a flag's value does not exist or does not fit another's.
        """
        check(cfg, task)
        source, target = task.source_dictionary, task.target_dictionary
        encoder_embed = embedding(len(source), cfg.encoder_embed_dim, source.pad())
        encoder = RNNEncoder(
            source,
            encoder_embed,
            cell=cfg.rnn_cell,
            hidden_dim=cfg.encoder_hidden_dim,
            num_layers=cfg.encoder_layers,
            bidirectional=not cfg.encoder_unidirectional,
            dropout=cfg.dropout,
            reverse=cfg.reverse_source,
            decoder_hidden_dim=cfg.decoder_hidden_dim,
            decoder_layers=cfg.decoder_layers,
        )
        decoder = RNNDecoder(
            target,
            cell=cfg.rnn_cell,
            embed_dim=cfg.decoder_embed_dim,
            hidden_dim=cfg.decoder_hidden_dim,
            num_layers=cfg.decoder_layers,
            context_dim=encoder.context_dim,
            dropout=cfg.dropout,
            tie_embeddings=cfg.share_decoder_input_output_embed or cfg.share_all_embeddings,
            embed_tokens=encoder_embed if cfg.share_all_embeddings else None,
            embed_scale=cfg.decoder_embed_dim**0.5,
            deep_output=cfg.deep_output,
        )
        return cls(encoder, decoder)


class RNNEncoder(FairseqEncoder):
    """Maps a source of any length to one context vector and the decoder's initial state.

    Args:
        dictionary: source dictionary.
        embed_tokens: source embeddings.
        cell, hidden_dim, num_layers, bidirectional, dropout: see ``modules.rnn.RNN``.
        reverse: read every source from its last token to its first (Sutskever et al. 2014, 3.3).
        decoder_hidden_dim, decoder_layers: the shape of the state that the decoder starts from.
    """

    def __init__(
        self,
        dictionary,
        embed_tokens: nn.Embedding,
        cell: str,
        hidden_dim: int,
        num_layers: int,
        bidirectional: bool,
        dropout: float,
        reverse: bool,
        decoder_hidden_dim: int,
        decoder_layers: int,
    ) -> None:
        super().__init__(dictionary)
        self.pad = dictionary.pad()
        self.reverse = reverse
        self.embed_tokens = embed_tokens
        # Embeddings have the scale that tied output weights want; inputs want about N(0, 1).
        self.embed_scale = embed_tokens.embedding_dim**0.5
        self.dropout = nn.Dropout(dropout)
        self.rnn = RNN(
            cell, embed_tokens.embedding_dim, hidden_dim, num_layers, dropout, bidirectional
        )
        self.context_dim = hidden_dim * (2 if bidirectional else 1)
        self.bridge = StateBridge(
            (num_layers, self.context_dim),
            (decoder_layers, decoder_hidden_dim),
            self.rnn.num_states,
        )

    def forward(self, src_tokens: Tensor, src_lengths: Tensor, **unused) -> dict:
        """
        Args:
            src_tokens: ``(batch, source length)``, padded on either side.
            src_lengths: ``(batch,)``, source lengths without padding.

        Returns:
            ``context``, ``(batch, context_dim)``, and ``state``, the decoder's initial state, a
            tuple of ``(decoder_layers, batch, decoder_hidden_dim)``.
        """
        if not self.training:
            warn_of_empty_source(src_lengths)
        # Packing wants the padding on the right; fairseq pads a translation's source on the left.
        if self.reverse:
            src_tokens = src_tokens.flip(1)
        src_tokens = utils.convert_padding_direction(src_tokens, self.pad, left_to_right=True)
        inputs = self.dropout(self.embed_scale * self.embed_tokens(src_tokens))
        # Packed, the recurrence of each direction ends at the last real token, so the context of a
        # sentence does not depend on how far its batch is padded.
        packed = pack_padded_sequence(
            inputs, src_lengths.cpu(), batch_first=True, enforce_sorted=False
        )
        _, state = self.rnn(packed)
        state = tuple(self._join_directions(tensor) for tensor in state)
        return {"context": state[0][-1], "state": self.bridge(state)}

    def _join_directions(self, state: Tensor) -> Tensor:
        """``(layers * directions, batch, u)`` to ``(layers, batch, directions * u)``."""
        _, batch, _ = state.shape
        by_layer = state.view(self.rnn.layers.num_layers, -1, batch, state.size(-1))
        return by_layer.transpose(1, 2).reshape(by_layer.size(0), batch, self.context_dim)

    def reorder_encoder_out(self, encoder_out: dict, new_order: Tensor) -> dict:
        """Moves context and state to the beams of ``new_order``, ``(new batch,)``."""
        return {
            "context": encoder_out["context"].index_select(0, new_order),
            "state": tuple(tensor.index_select(1, new_order) for tensor in encoder_out["state"]),
        }

    def max_positions(self) -> int:
        """A recurrent encoder has no longest source."""
        return int(1e5)


def check(cfg: LSTMSeq2SeqDocConfig, task) -> None:
    """Raises UsageError for a flag whose value does not exist or does not fit another's."""
    require_choice(cfg, "rnn_cell", CELLS)
    require_positive(
        cfg,
        "encoder_embed_dim",
        "encoder_hidden_dim",
        "encoder_layers",
        "decoder_embed_dim",
        "decoder_hidden_dim",
        "decoder_layers",
    )
    require_probability(cfg, "dropout")
    require_right_padded_target(task)
    tied = cfg.share_decoder_input_output_embed or cfg.share_all_embeddings
    if tied and not cfg.deep_output and cfg.decoder_hidden_dim != cfg.decoder_embed_dim:
        raise UsageError(
            f"--decoder-hidden-dim {cfg.decoder_hidden_dim} does not fit tied embeddings of "
            f"--decoder-embed-dim {cfg.decoder_embed_dim}: make them equal, add --deep-output, or "
            "do not share"
        )
    if cfg.share_all_embeddings:
        require_joined_dictionary(cfg, task)


@register_model_architecture("lstm_seq2seq_doc", "lstm_seq2seq_doc_tiny")
def lstm_seq2seq_doc_tiny(args) -> None:
    """For tests: 16 units a direction."""
    preset(
        args,
        encoder_embed_dim=16,
        encoder_hidden_dim=16,
        decoder_embed_dim=16,
        decoder_hidden_dim=32,
        dropout=0.0,
    )


@register_model_architecture("lstm_seq2seq_doc", "lstm_seq2seq_doc_big")
def lstm_seq2seq_doc_big(args) -> None:
    """Two layers, twice the base widths."""
    preset(
        args,
        encoder_embed_dim=512,
        encoder_hidden_dim=512,
        encoder_layers=2,
        decoder_embed_dim=512,
        decoder_hidden_dim=1024,
        decoder_layers=2,
        dropout=0.3,
    )
