"""CNN over n-grams of several widths: the discriminator of SeqGAN (Yu et al. 2017)."""

from torch import Tensor

from fairseq_genext.errors import require_positive
from fairseq_genext.gan.discriminators.discriminator import Discriminator
from fairseq_genext.gan.discriminators.embedding import SequenceEmbedding
from fairseq_genext.gan.discriminators.ngram_classifier import NgramClassifier, widths_and_filters
from fairseq_genext.gan.scores import Scores


class CNNDiscriminator(Discriminator):
    """One logit a sequence: see ``NgramClassifier``.

    Args:
        vocabulary: number of dictionary entries.
        padding_idx: index of padding.
        embed_dim: width of the embeddings, which are the discriminator's own.
        classifier: arguments of ``NgramClassifier``.
    """

    rows_at_once = 32768  # from one table, and the classifier takes them in smaller pieces

    def __init__(self, vocabulary: int, padding_idx: int, embed_dim: int, **classifier) -> None:
        super().__init__()
        self.embed_tokens = SequenceEmbedding(vocabulary, embed_dim, padding_idx)
        self.classifier = NgramClassifier(embed_dim, **classifier)

    @classmethod
    def from_config(cls, cfg, dictionary) -> "CNNDiscriminator":
        """As ``Discriminator.from_config``."""
        require_positive(cfg, "discriminator_embed_dim")
        return cls(
            len(dictionary),
            dictionary.pad(),
            embed_dim=cfg.discriminator_embed_dim,
            dropout=cfg.discriminator_dropout,
            **widths_and_filters(cfg),
        )

    def forward(self, sequence: Tensor, mask: Tensor) -> Scores:
        """As ``Discriminator.forward``: scores ``(batch, 1)``."""
        if sequence.is_floating_point():
            logits = self.classifier(self.embed_tokens(sequence, mask), mask)
        else:
            logits = self.classifier.forward_ids(sequence, mask, self.embed_tokens)
        return Scores.of_sequences(logits.unsqueeze(1))
