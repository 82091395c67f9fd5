"""A discriminator of translations: it reads source and target as one sequence.

    D(x, y) = D(x_1 … x_S </s> y_1 … y_T </s>)

The source's own end of sentence stands between the two. Conditional GANs for translation: Yang et
al. 2018 (https://arxiv.org/abs/1703.04887), Wu et al. 2018 (https://arxiv.org/abs/1704.06933).
"""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from fairseq_genext.gan.discriminators.discriminator import Discriminator
from fairseq_genext.gan.scores import Scores
from fairseq_genext.modules.conditions import Source


class JointVocabulary:
    """The words of both sides under one numbering, all that a discriminator asks of a dictionary.

    A joined dictionary is one already, and a word has one embedding on both sides. Of two others,
    the target's ids follow the source's.

    Args:
        source, target: fairseq dictionaries, with the same special symbols.
    """

    def __init__(self, source, target) -> None:
        self.target_offset = 0 if source == target else len(source)
        self._size = self.target_offset + len(target)
        self._pad, self._eos = source.pad(), source.eos()

    def __len__(self) -> int:
        return self._size

    def pad(self) -> int:
        """Index of padding."""
        return self._pad

    def eos(self) -> int:
        """Index of the source's end of sentence."""
        return self._eos


class PairDiscriminator(nn.Module):
    """Scores targets given their sources, by a discriminator that knows nothing of pairs.

    Args:
        discriminator: one of ``DISCRIMINATORS``, over the joint vocabulary.
        vocabulary: both sides' words.
    """

    def __init__(self, discriminator: Discriminator, vocabulary: JointVocabulary) -> None:
        super().__init__()
        self.discriminator = discriminator
        self.vocabulary = vocabulary

    @property
    def per_token(self) -> bool:
        """Whether it scores tokens, which are then the target's, and not pairs."""
        return self.discriminator.per_token

    @property
    def rows_at_once(self) -> int:
        """How many pairs it reads at a time."""
        return self.discriminator.rows_at_once

    def given(self, source: Source) -> Callable[[Tensor, Tensor], Scores]:
        """The discriminator of targets of ``source``, a function of a sequence and its mask."""
        return partial(self, source.tokens)

    def forward(self, source: Tensor, sequence: Tensor, mask: Tensor) -> Scores:
        """
        Args:
            source: ids ``(batch, source length)``, padded on either side.
            sequence, mask: the targets, as in ``Discriminator.forward``.

        Returns:
            Scores of the pairs, or, per token, of the target's tokens alone, ``(batch, time)``.
        """
        both = torch.cat([source.ne(self.vocabulary.pad()), mask], dim=1)
        # Stable: what is no padding moves to the left and keeps its order.
        order = both.int().argsort(dim=1, descending=True, stable=True)
        length = int(both.sum(dim=1).max())
        kept = order[:, :length]
        scores = self.discriminator(self.join(source, sequence, kept), both.gather(1, kept))
        if not scores.per_token:
            return scores
        columns = order.argsort(dim=1)[:, source.size(1) :].clamp(max=length - 1)
        logits = scores.logits.gather(1, columns).masked_fill(~mask, 0.0)
        return Scores(logits, mask, per_token=True)

    def join(self, source: Tensor, sequence: Tensor, order: Tensor) -> Tensor:
        """Columns ``order``, ``(batch, length)``, of source and target side by side.

        Ids ``(batch, length)``, or weights ``(batch, length, joint vocabulary)`` where ``sequence``
        is weights, in which the source is one-hot.
        """
        offset = self.vocabulary.target_offset
        if not sequence.is_floating_point():
            return torch.cat([source, sequence + offset], dim=1).gather(1, order)
        size = len(self.vocabulary)
        one_hot = F.one_hot(source, size).to(sequence.dtype)
        weights = F.pad(sequence, (offset, size - offset - sequence.size(2)))
        both = torch.cat([one_hot, weights], dim=1)
        rows = order + both.size(1) * torch.arange(len(both), device=order.device).unsqueeze(1)
        return both.flatten(0, 1).index_select(0, rows.flatten()).view(*rows.shape, size)

    def max_positions(self) -> int:
        """Longest pair, in tokens."""
        return self.discriminator.max_positions()
