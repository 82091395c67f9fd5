"""Several views of each sequence, scored separately by one CNN (RelGAN, Nie et al. 2019).

https://openreview.net/forum?id=rJedV3R5tm, section 2.3: the embedding of each token is cut into R
slices; slice r of all tokens is the r-th representation of the sequence, and every representation
gets a logit from the same CNN.
"""

from torch import Tensor

from fairseq_genext.errors import require_divisible, require_positive
from fairseq_genext.gan.discriminators.discriminator import Discriminator
from fairseq_genext.gan.discriminators.embedding import SequenceEmbedding
from fairseq_genext.gan.discriminators.ngram_classifier import NgramClassifier, widths_and_filters
from fairseq_genext.gan.scores import Scores


class MultiRepresentationDiscriminator(Discriminator):
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
        """As ``Discriminator.from_config``."""
        require_positive(cfg, "discriminator_embed_dim", "discriminator_representations")
        require_divisible(cfg, "discriminator_embed_dim", "discriminator_representations")
        return cls(
            len(dictionary),
            dictionary.pad(),
            embed_dim=cfg.discriminator_embed_dim,
            representations=cfg.discriminator_representations,
            dropout=cfg.discriminator_dropout,
            **widths_and_filters(cfg),
        )

    def forward(self, sequence: Tensor, mask: Tensor) -> Scores:
        """As ``Discriminator.forward``: scores ``(batch, representations)``."""
        batch, time = mask.shape
        slices = self.embed_tokens(sequence, mask).view(batch, time, self.representations, -1)
        views = slices.transpose(1, 2).flatten(0, 1)  # (batch * representations, time, slice width)
        masks = mask.repeat_interleave(self.representations, dim=0)
        logits = self.classifier(views, masks)
        return Scores.of_sequences(logits.view(batch, self.representations))
