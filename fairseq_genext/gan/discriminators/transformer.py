"""A bidirectional Transformer encoder that scores a sequence by a class token.

Vaswani et al. 2017 in its pre-layer-norm form; the class token as in BERT (Devlin et al. 2019).
"""

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from fairseq_genext.errors import require_divisible, require_positive
from fairseq_genext.gan.discriminators.discriminator import Discriminator
from fairseq_genext.gan.discriminators.embedding import SequenceEmbedding
from fairseq_genext.gan.scores import Scores


class TransformerDiscriminator(Discriminator):
    """One logit a sequence, read off a class token before it: positive says real.

    Args:
        vocabulary: number of dictionary entries.
        padding_idx: index of padding.
        embed_dim: width of the residual stream; the embeddings are the discriminator's own.
        num_layers: number of encoder layers.
        num_heads: attention heads; they must divide ``embed_dim``.
        ffn_dim: width inside the MLP of a layer.
        max_positions: longest sequence, in tokens.
        dropout: dropout on embeddings, attention weights and residuals.
    """

    def __init__(
        self,
        vocabulary: int,
        padding_idx: int,
        embed_dim: int,
        num_layers: int,
        num_heads: int,
        ffn_dim: int,
        max_positions: int,
        dropout: float,
    ) -> None:
        super().__init__()
        self.embed_tokens = SequenceEmbedding(vocabulary, embed_dim, padding_idx)
        self.embed_positions = nn.Embedding(max_positions, embed_dim)
        self.class_token = nn.Parameter(torch.randn(embed_dim))
        self.dropout = nn.Dropout(dropout)
        layer = nn.TransformerEncoderLayer(
            embed_dim, num_heads, ffn_dim, dropout, "gelu", batch_first=True, norm_first=True
        )
        self.encoder = nn.TransformerEncoder(
            layer, num_layers, nn.LayerNorm(embed_dim), enable_nested_tensor=False
        )
        # torch copies one layer, so that all of them would start alike.
        for weight in self.encoder.parameters():
            if weight.dim() > 1:
                nn.init.xavier_uniform_(weight)
        self.output = nn.Linear(embed_dim, 1)

    @classmethod
    def from_config(cls, cfg, dictionary) -> "TransformerDiscriminator":
        """As ``Discriminator.from_config``."""
        require_sizes(cfg)
        return cls(
            len(dictionary),
            dictionary.pad(),
            embed_dim=cfg.discriminator_embed_dim,
            num_layers=cfg.discriminator_layers,
            num_heads=cfg.discriminator_heads,
            ffn_dim=cfg.discriminator_hidden_dim,
            max_positions=cfg.max_target_positions,
            dropout=cfg.discriminator_dropout,
        )

    def forward(self, sequence: Tensor, mask: Tensor) -> Scores:
        """As ``Discriminator.forward``: scores ``(batch, 1)``."""
        batch, time = mask.shape
        x = self.embed_tokens(sequence, mask) + self.embed_positions.weight[:time]
        x = torch.cat([self.class_token.expand(batch, 1, -1), x], dim=1)
        padding = torch.cat([mask.new_zeros(batch, 1), ~mask], dim=1)
        # A gradient penalty differentiates twice, which the fused attention kernels cannot.
        with sdpa_kernel(SDPBackend.MATH):
            x = self.encoder(self.dropout(x), src_key_padding_mask=padding)
        return Scores.of_sequences(self.output(x[:, 0]))

    def max_positions(self) -> int:
        """Longest sequence that has learned positions."""
        return self.embed_positions.num_embeddings


def require_sizes(cfg) -> None:
    """Raises UsageError for a size that no Transformer has."""
    require_positive(
        cfg,
        "discriminator_embed_dim",
        "discriminator_hidden_dim",
        "discriminator_layers",
        "discriminator_heads",
        "max_target_positions",
    )
    require_divisible(cfg, "discriminator_embed_dim", "discriminator_heads")
