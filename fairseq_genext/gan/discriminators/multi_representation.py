"""Several views of each sequence, judged apart by one CNN (RelGAN, Nie et al. 2019).

https://openreview.net/forum?id=rJedV3R5tm, section 2.3: the embedding of each token is cut into R
slices; slice r of all tokens is the r-th representation of the sequence, and every representation
gets a logit from the same CNN.
"""

from torch import Tensor, nn

from fairseq_genext.errors import UsageError, require_positive
from fairseq_genext.gan.discriminators.embedding import SequenceEmbedding
from fairseq_genext.gan.discriminators.ngram_classifier import NgramClassifier, widths_and_filters
from fairseq_genext.gan.scores import Scores


class MultiRepresentationDiscriminator(nn.Module):
    """One logit a representation: see ``NgramClassifier``.

    Args:
        vocabulary: number of dictionary entries.
        padding_idx: index of padding.
        embed_dim: width of the embeddings, all representations together.
        representations: R, their number.
        classifier: arguments of ``NgramClassifier``.

    Raises:
        ValueError: ``representations`` do not divide ``embed_dim``.
    """

    per_token = False

    def __init__(
        self, vocabulary: int, padding_idx: int, embed_dim: int, representations: int, **classifier
    ) -> None:
        super().__init__()
        if embed_dim % representations != 0:
            raise ValueError(f"width {embed_dim} cannot be cut into {representations} slices")
        self.representations = representations
        self.embed_tokens = SequenceEmbedding(vocabulary, embed_dim, padding_idx)
        self.classifier = NgramClassifier(embed_dim // representations, **classifier)

    @classmethod
    def from_config(cls, cfg, dictionary) -> "MultiRepresentationDiscriminator":
        """Builds it from its flags; raises UsageError where one does not fit."""
        require_positive(cfg, "discriminator_embed_dim", "discriminator_representations")
        if cfg.discriminator_embed_dim % cfg.discriminator_representations != 0:
            raise UsageError(
                f"--discriminator-embed-dim {cfg.discriminator_embed_dim} cannot be divided among "
                f"--discriminator-representations {cfg.discriminator_representations}"
            )
        return cls(
            len(dictionary),
            dictionary.pad(),
            embed_dim=cfg.discriminator_embed_dim,
            representations=cfg.discriminator_representations,
            dropout=cfg.discriminator_dropout,
            **widths_and_filters(cfg),
        )

    def forward(self, sequence: Tensor, mask: Tensor) -> Scores:
        """
        Args:
            sequence: token ids ``(batch, time)``, or weights over the vocabulary
                ``(batch, time, vocabulary)``, through which a gradient flows back.
            mask: ``(batch, time)``, True at real tokens; at least one in every sequence.

        Returns:
            Scores ``(batch, representations)``, which do not depend on how far the batch is padded.
        """
        batch, time = mask.shape
        slices = self.embed_tokens(sequence, mask).view(batch, time, self.representations, -1)
        views = slices.transpose(1, 2).flatten(0, 1)  # (batch * representations, time, slice width)
        logits = self.classifier(views, mask.repeat_interleave(self.representations, dim=0))
        return Scores.of_sequences(logits.view(batch, self.representations))

    def max_positions(self) -> int:
        """A CNN has no longest sequence."""
        return int(1e5)
