"""A recurrent decoder: one fused call over a whole target, one step at a time when generating."""

import torch
from torch import Tensor, nn

from fairseq_genext.modules.rnn import RNN, Recurrence
from fairseq_genext.modules.word_decoder import WordDecoder


class RNNDecoder(WordDecoder):
    """p(y_t | y_<t, context), without attention.

    Each step reads the embedding of the previous token and, where there is one, a context vector
    that stays the same over time; the recurrent state starts from what the caller provides.

    Args:
        dictionary: target dictionary.
        cell: ``lstm``, ``gru`` or ``rnn``.
        embed_dim: width of the token embeddings.
        hidden_dim: width of the recurrent layers.
        num_layers: number of recurrent layers.
        context_dim: width of the context vector, 0 for none.
        dropout: dropout on embeddings, between layers and before the output layer.
        tie_embeddings: the output layer shares the weights of the input embeddings.
        embed_tokens: embeddings to share with another module, instead of new ones.
        embed_scale: what embeddings are multiplied by when they are read.
        deep_output: predict from the state, the previous word and the context, joined by a linear
            layer of width ``embed_dim`` (Cho et al. 2014, section 2.2: g(s_t, y_{t-1}, c)), and not
            from the state alone.
        rnn: a recurrence of outputs ``hidden_dim`` wide, instead of a new ``RNN``.

    Raises:
        ValueError: embeddings are tied, but the features have another width than ``embed_dim``.
    """

    def __init__(
        self,
        dictionary,
        cell: str = "lstm",
        embed_dim: int = 256,
        hidden_dim: int = 256,
        num_layers: int = 1,
        context_dim: int = 0,
        dropout: float = 0.0,
        tie_embeddings: bool = False,
        embed_tokens: nn.Embedding | None = None,
        embed_scale: float = 1.0,
        deep_output: bool = False,
        rnn: Recurrence | None = None,
    ) -> None:
        super().__init__(dictionary)
        feature_dim = embed_dim if deep_output else hidden_dim
        if tie_embeddings and feature_dim != embed_dim:
            raise ValueError(
                f"hidden width {hidden_dim} does not fit tied embeddings of width {embed_dim}"
            )
        self.pad = dictionary.pad()
        self.embed_scale = embed_scale
        self.embed_tokens = embed_tokens or embedding(len(dictionary), embed_dim, self.pad)
        self.rnn = rnn or RNN(cell, embed_dim + context_dim, hidden_dim, num_layers, dropout)
        self.deep_output = self.deep_output_context = None
        if deep_output:
            self.deep_output = nn.Linear(hidden_dim + embed_dim, embed_dim)
            if context_dim:
                self.deep_output_context = nn.Linear(context_dim, embed_dim, bias=False)
        self.output_projection = nn.Linear(feature_dim, len(dictionary), bias=not tie_embeddings)
        if tie_embeddings:
            self.output_projection.weight = self.embed_tokens.weight
        self.dropout = nn.Dropout(dropout)

    def forward(
        self,
        prev_output_tokens: Tensor,
        encoder_out: dict | None = None,
        incremental_state: dict | None = None,
        token_embeddings: Tensor | None = None,
        features_only: bool = False,
        **unused,
    ) -> tuple[Tensor, None]:
        """
        Args:
            prev_output_tokens: ``(batch, time)``, the target shifted right by one.
            encoder_out: ``state``, the initial recurrent state (see ``RNN.forward``), and
                ``context``, ``(batch, context_dim)``.
            incremental_state: cache for step-by-step decoding; once it holds a state, only the
                last token is read.
            token_embeddings: ``(batch, steps read, embed_dim)``, taken instead of the embeddings
                of ``prev_output_tokens``: the way in for tokens that carry a gradient.
            features_only: return what the output layer reads instead of the logits.

        Returns:
            Logits ``(batch, steps read, vocabulary)``, and None, where other decoders have
            attention.
        """
        state = None
        if encoder_out is not None and not self.rnn.has_started(incremental_state):
            state = encoder_out["state"]

        if token_embeddings is None:
            unread = self.unread_tokens(prev_output_tokens, incremental_state)
            token_embeddings = self.embed_tokens(unread)
        words = inputs = self.dropout(self.embed_scale * token_embeddings)
        context = None if encoder_out is None else encoder_out.get("context")
        if context is not None:
            context = context.unsqueeze(1)
            inputs = torch.cat([words, context.expand(-1, words.size(1), -1)], dim=-1)

        features, _ = self.rnn(inputs, state, incremental_state)
        if self.deep_output is not None:
            features = self.deep_output(torch.cat([features, words], dim=-1))
            if context is not None:
                # One product a sentence, not one a step, as the context stays the same.
                features = features + self.deep_output_context(context)
        features = self.dropout(features)
        return features if features_only else self.output_layer(features), None

    def unread_tokens(self, prev_output_tokens: Tensor, incremental_state: dict | None) -> Tensor:
        """Those of ``(batch, time)`` tokens that are yet to be read: the last one, once started."""
        started = self.rnn.has_started(incremental_state)
        return prev_output_tokens[:, -1:] if started else prev_output_tokens


def embedding(num_embeddings: int, embed_dim: int, padding_idx: int) -> nn.Embedding:
    """Embeddings drawn from N(0, 1 / embed_dim), so that tied output logits start near N(0, 1)."""
    table = nn.Embedding(num_embeddings, embed_dim, padding_idx=padding_idx)
    nn.init.normal_(table.weight, std=embed_dim**-0.5)
    nn.init.zeros_(table.weight[padding_idx])
    return table
