"""An RNN decoder with an attention to each half of the source in every layer.

With E the source's states, p the timing signal and g its learned gains:

    h^l = RNN^l(u^{l-1}),                        u^0_t = √d · embed(y_{t-1})
    c^l_k = attention^l_k(h^l + g_q p, E + g_k p, E)     to half k = 1, 2 of the source
    u^l = layer_norm(h^l + W^l [h^l; c^l_1; c^l_2])
    d^0 = u^N,  d^k = modulation_k(d^{k-1}, c^N_k),   p(y_t | y_<t, x) = softmax(W d^2_t)
"""

import torch
from torch import Tensor, nn

from fairseq_genext.modules.modulation_decoder import ModulationDecoder
from fairseq_genext.modules.rnn import RNN
from fairseq_genext.modules.rnn_decoder import embedding
from fairseq_genext.modules.source_attention import SourceAttention
from fairseq_genext.modules.timing_signal import timing_signal
from fairseq_genext.modules.word_decoder import WordDecoder


class HalfAttentionDecoder(WordDecoder):
    """p(y_t | y_<t, x): layers of an RNN and its attentions, then the modulation decoders.

    Args:
        dictionary: target dictionary.
        cell: ``lstm``, ``gru`` or ``rnn``, in every layer and modulation decoder.
        embed_dim: width of everything.
        source_dim: width of the encoder's states.
        num_layers: layers, each an RNN and its attentions.
        num_attentions: attentions in a layer, one for each part of the source.
        num_heads: heads of each attention.
        modulation_decoders: number of modulation decoders; the k-th reads the k-th part's context,
            or that of the last part.
        modulation_dim: width of a modulation decoder's RNN.
        timing: whether queries and keys carry the timing signal.
        dropout: dropout on embeddings, on what a layer adds, and on the draft.
        attention_dropout: dropout on attention weights.
        tie_embeddings: the output layer shares the weights of the input embeddings.
        embed_tokens: embeddings to share with the encoder, instead of new ones.
    """

    def __init__(
        self,
        dictionary,
        cell: str,
        embed_dim: int,
        source_dim: int,
        num_layers: int,
        num_attentions: int,
        num_heads: int,
        modulation_decoders: int,
        modulation_dim: int,
        timing: bool,
        dropout: float,
        attention_dropout: float,
        tie_embeddings: bool,
        embed_tokens: nn.Embedding | None = None,
    ) -> None:
        super().__init__(dictionary)
        self.embed_tokens = embed_tokens or embedding(len(dictionary), embed_dim, dictionary.pad())
        # Vaswani et al. 2017, section 3.4: embeddings that are also output weights are small, and
        # the timing signal would drown what they say.
        self.embed_scale = embed_dim**0.5
        self.layers = nn.ModuleList(
            HalfAttentionLayer(
                cell, embed_dim, source_dim, num_attentions, num_heads, dropout, attention_dropout
            )
            for _ in range(num_layers)
        )
        self.modulation = nn.ModuleList(
            ModulationDecoder(cell, embed_dim, embed_dim, modulation_dim)
            for _ in range(modulation_decoders)
        )
        self.output_projection = nn.Linear(embed_dim, len(dictionary), bias=not tie_embeddings)
        if tie_embeddings:
            self.output_projection.weight = self.embed_tokens.weight
        self.timing = timing
        if timing:
            # Of the target's and of the source's times. Small at first: at full strength attention
            # follows the clock, and translations end early.
            self.timing_gain = nn.Parameter(torch.full((2,), 0.1))
        self.dropout = nn.Dropout(dropout)

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
            token_embeddings: ``(batch, steps read, embed_dim)``, taken instead of the
                embeddings of ``prev_output_tokens``: the way in for tokens that carry a gradient.
            features_only: return the modulated draft instead of logits.
            with_draft: return the logits of the unmodulated draft too.

        Returns:
            Logits ``(batch, steps read, vocabulary)``, and a dict of
            ``attn``, ``(batch, steps read, source length)`` in the columns of the source as it was
            given: the mean over layers of both halves' weights, which sum to 1, for fairseq's
            ``--print-alignment`` (None in training);
            ``attentions``, for every layer the weights of each of its attentions, same shape (none
            in training);
            ``modulations``, (scale, shift) of every modulation decoder, each
            ``(batch, steps read, embed_dim)``;
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
        key, query_time = source, torch.zeros((), dtype=x.dtype, device=x.device)
        if self.timing:
            query_time = self.timing_gain[0] * timing_signal(end - x.size(1), end, like=x)
            if not started:  # or the layers have the projected keys
                key = key + self.timing_gain[1] * timing_signal(0, key.size(1), like=key)

        attentions = []
        for index, layer in enumerate(self.layers):
            x, contexts, weights = layer(
                x,
                tuple(state[index : index + 1] for state in encoder_out["initial"]),
                query_time,
                key,
                source,
                encoder_out["parts"],
                incremental_state,
            )
            attentions.append([self._in_given_columns(part, encoder_out) for part in weights])

        draft, modulations = x, []
        for index, modulate in enumerate(self.modulation):
            # With one attention over the whole source, it serves both.
            context = contexts[min(index, len(contexts) - 1)]
            x, scale, shift = modulate(x, context, incremental_state)
            modulations.append((scale, shift))

        extra = {
            "attn": None if self.training else sum(map(sum, attentions)) / len(attentions),
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


class HalfAttentionLayer(nn.Module):
    """An RNN and, on its output, an attention to each part of the source.

    Args: as of ``HalfAttentionDecoder``.
    """

    def __init__(
        self,
        cell: str,
        embed_dim: int,
        source_dim: int,
        num_attentions: int,
        num_heads: int,
        dropout: float,
        attention_dropout: float,
    ) -> None:
        super().__init__()
        self.rnn = RNN(cell, embed_dim, embed_dim)
        self.attention = SourceAttention(embed_dim, source_dim, num_heads, attention_dropout)
        self.join = nn.Linear(embed_dim * (1 + num_attentions), embed_dim)
        self.dropout = nn.Dropout(dropout)
        self.layer_norm = nn.LayerNorm(embed_dim)

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
            x: ``(batch, time, embed_dim)``.
            initial: the RNN's first state, tensors of ``(1, batch, embed_dim)``.
            query_time: the timing signal of the target, ``(time, embed_dim)``.
            key, value: the source with and without its timing signal,
                ``(batch, source length, source_dim)``.
            parts: for each attention the mask ``(batch, source length)`` of what it may see.
            incremental_state: cache for step-by-step decoding.

        Returns:
            The layer's output ``(batch, time, embed_dim)``, and for each attention the context
            ``(batch, time, embed_dim)`` and, but in training, the weights
            ``(batch, time, source length)``.
        """
        hidden, _ = self.rnn(x, initial, incremental_state)
        contexts, weights = self.attention(
            hidden + query_time, key, value, parts, incremental_state
        )
        update = self.join(torch.cat([hidden, *contexts], dim=-1))
        # Not x + …: x holds the previous word, which tied output weights would say once more.
        return self.layer_norm(hidden + self.dropout(update)), contexts, weights
