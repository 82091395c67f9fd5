"""The networks and the batch of one adversarial update."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from fairseq_genext.gan.losses.penalties import Points
from fairseq_genext.gan.scores import Scores
from fairseq_genext.modules.conditions import Condition, Source
from fairseq_genext.modules.samplers import SampleLength, Samples, one_batch, without_dropout


@dataclass
class Step:
    """Generator, discriminator and real sequences of one update.

    Attributes:
        generator: an incremental decoder.
        discriminator: maps a sequence and its mask to ``Scores``; where sequences are translations,
            a ``PairDiscriminator``.
        real: real sequences, with their condition; as many are generated.
        length: how long generated ones are.
        updates: updates in turns done before.
        condition: what the generator is given; None for fresh noise at every draw.
    """

    generator: nn.Module
    discriminator: nn.Module
    real: Samples
    length: SampleLength
    updates: int
    condition: Condition | None = None

    @property
    def vocabulary(self) -> int:
        """Number of dictionary entries."""
        return len(self.generator.dictionary)

    def discriminator_given(
        self, condition: Condition | None
    ) -> Callable[[Tensor, Tensor], Scores]:
        """The discriminator of sequences with ``condition``; of pairs, where that is sources."""
        if isinstance(condition, Source):
            return self.discriminator.given(condition)
        return self.discriminator

    def scores(self, samples: Samples) -> Scores:
        """The discriminator's scores of generated or real sequences."""
        sequence = samples.tokens if samples.weights is None else samples.weights
        return self.discriminator_given(samples.condition)(sequence, samples.mask)

    def real_and_fake_scores(self, fake: Samples) -> tuple[Scores, Scores]:
        """The discriminator's scores of the real sequences and of ``fake``.

        Plain ids are read as one batch, which takes less time than two.
        """
        if fake.weights is not None:
            return self.scores(self.real), self.scores(fake)
        both = one_batch([self.real, fake], self.generator.dictionary.pad())
        if self.condition is not None:  # that of both
            rows = torch.arange(len(self.real), device=fake.tokens.device)
            both.condition = self.condition.select(rows.repeat(2))
        return self.scores(both).split(len(self.real))

    def real_and_fake_points(self, fake: Samples) -> tuple[Points, Points]:
        """The real sequences and ``fake``, where the discriminator has a slope."""
        time = max(self.real.tokens.size(1), fake.tokens.size(1))
        real, generated = (
            Points.of_texts(texts, self.vocabulary, time) for texts in (self.real, fake)
        )
        return real, generated

    def real_scores(self, needed: bool) -> Scores | None:
        """Scores of the real sequences, without gradient; None unless needed."""
        if not needed:
            return None
        with torch.no_grad():
            return self.scores(self.real)


def token_log_probs(generator: nn.Module, samples: Samples, length: SampleLength) -> Tensor:
    """log p(y_t | y_<t, condition) of sampled tokens, ``(batch, time)``, 0 in the padding.

    With a gradient, in one call over the whole sequences. Probabilities are those that the sampler
    drew from, where forbidden symbols have none and nothing is dropped: those of another network
    would make the policy gradient a biased one.
    """
    # Read anew: the samples were drawn without gradient.
    condition = samples.condition
    encoder = [condition.encoder] if isinstance(condition, Source) else []
    with without_dropout(generator, *encoder):
        arguments = {} if condition is None else condition.read(generator).arguments
        logits, _ = generator(shifted(samples.tokens, generator.dictionary.eos()), **arguments)
    return chosen_log_probs(logits, samples, generator.dictionary, length)


def shifted(tokens: Tensor, eos: int) -> Tensor:
    """What a decoder reads to predict ``tokens``, ``(batch, time)``."""
    return torch.cat([torch.full_like(tokens[:, :1], eos), tokens[:, :-1]], dim=1)


def chosen_log_probs(logits: Tensor, samples: Samples, dictionary, length: SampleLength) -> Tensor:
    """log p of sampled tokens, ``(batch, time)``, 0 in the padding.

    Args:
        logits: ``(batch, time, vocabulary)``; those of forbidden symbols do not count.
    """
    forbidden = torch.tensor(length.forbidden(dictionary), device=logits.device)
    log_probs = logits.float().index_fill(2, forbidden, -torch.inf).log_softmax(dim=-1)
    # Padding is forbidden and has no finite probability: look the end of sentence up instead.
    tokens = samples.tokens.masked_fill(~samples.mask, dictionary.eos())
    chosen = log_probs.gather(2, tokens.unsqueeze(2)).squeeze(2)
    return chosen.masked_fill(~samples.mask, 0.0)
