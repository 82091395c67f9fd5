"""fairseq's generator for a generator that keeps its discriminator: see ``gan.residual``."""

import logging

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from fairseq_genext.gan.residual import effective_sample_size, keep_one, score_texts
from fairseq_genext.modules.sampling_generator import SamplingGenerator

logger = logging.getLogger(__name__)


class ResamplingGenerator(SamplingGenerator):
    """Draws several candidates of every text and keeps one, which the discriminator chooses.

    A prompt is part of the text that is scored.

    Attributes:
        candidates: how many; with 1 it samples as ``SamplingGenerator``.
        discriminator: scores whole texts.
        weight: factor on its logit.
        longest_scored: tokens of a text that it reads.
    """

    candidates, weight = 1, 1.0
    discriminator: torch.nn.Module
    longest_scored: int
    _texts, _effective = 0, 0.0  # chosen so far, and the sum of their effective sample sizes

    def _generate(self, sample: dict, *args, **kwargs) -> list[list[dict[str, Tensor]]]:
        draw = super()._generate
        if self.candidates == 1:
            return draw(sample, *args, **kwargs)
        rounds = [draw(sample, *args, **kwargs) for _ in range(self.candidates)]
        drawn = [[text["tokens"] for (text,) in found] for found in rounds]
        logits = self.weight * torch.stack([self.score(texts) for texts in drawn], dim=1)
        self._texts += len(logits)
        self._effective += effective_sample_size(logits).sum().item()
        logger.info(
            f"resampling: {self._texts:,} texts, effective sample size "
            f"{self._effective / self._texts:.2f} of {self.candidates} candidates"
        )
        return [rounds[kept][row] for row, kept in enumerate(keep_one(logits).tolist())]

    def score(self, texts: list[Tensor]) -> Tensor:
        """The discriminator's logit of each of the texts, ids with their end: ``(texts,)``."""
        tokens = pad_sequence(texts, batch_first=True, padding_value=self.pad)
        return score_texts(self.discriminator, tokens, self.pad, self.longest_scored)
