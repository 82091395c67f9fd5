"""A recurrent discriminator that scores every token as it comes (ScratchGAN).

de Masson d'Autume et al. 2019 (https://arxiv.org/abs/1905.09922), section 2.2. Layer norm stands
after each recurrent layer and not inside the cell, so that a layer runs in one fused call.
"""

from torch import Tensor, nn

from fairseq_genext.errors import require_choice, require_positive
from fairseq_genext.gan.discriminators.discriminator import Discriminator
from fairseq_genext.gan.discriminators.embedding import SequenceEmbedding
from fairseq_genext.gan.scores import Scores
from fairseq_genext.modules.rnn import CELLS, RNN


class RNNDiscriminator(Discriminator):
    """One logit a token, given the tokens up to it: positive says real.

    Args:
        vocabulary: number of dictionary entries.
        padding_idx: index of padding.
        cell: ``lstm``, ``gru`` or ``rnn``.
        embed_dim: width of the embeddings, which are the discriminator's own.
        hidden_dim: width of the recurrent layers.
        num_layers: number of recurrent layers.
        dropout: dropout on embeddings and after each recurrent layer.
    """

    per_token = True

    def __init__(
        self,
        vocabulary: int,
        padding_idx: int,
        cell: str,
        embed_dim: int,
        hidden_dim: int,
        num_layers: int,
        dropout: float,
    ) -> None:
        super().__init__()
        self.embed_tokens = SequenceEmbedding(vocabulary, embed_dim, padding_idx)
        self.layers = nn.ModuleList(
            RNN(cell, hidden_dim if layer else embed_dim, hidden_dim) for layer in range(num_layers)
        )
        self.norms = nn.ModuleList(nn.LayerNorm(hidden_dim) for _ in range(num_layers))
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(hidden_dim, 1)

    @classmethod
    def from_config(cls, cfg, dictionary) -> "RNNDiscriminator":
        """As ``Discriminator.from_config``."""
        require_choice(cfg, "discriminator_cell", CELLS)
        require_positive(
            cfg, "discriminator_embed_dim", "discriminator_hidden_dim", "discriminator_layers"
        )
        return cls(
            len(dictionary),
            dictionary.pad(),
            cell=cfg.discriminator_cell,
            embed_dim=cfg.discriminator_embed_dim,
            hidden_dim=cfg.discriminator_hidden_dim,
            num_layers=cfg.discriminator_layers,
            dropout=cfg.discriminator_dropout,
        )

    def forward(self, sequence: Tensor, mask: Tensor) -> Scores:
        """As ``Discriminator.forward``: scores ``(batch, time)``."""
        x = self.dropout(self.embed_tokens(sequence, mask))
        # Left to right, the padding on the right is read after everything that counts.
        for layer, norm in zip(self.layers, self.norms, strict=True):
            x = self.dropout(norm(layer(x)[0]))
        logits = self.output(x).squeeze(-1).masked_fill(~mask, 0.0)
        return Scores(logits, mask, per_token=True)
