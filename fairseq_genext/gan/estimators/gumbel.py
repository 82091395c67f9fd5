"""Gumbel-softmax samples, soft or straight-through, with an annealed temperature."""

import math
from functools import partial

import torch
from torch import Tensor

from fairseq_genext.errors import COLDEST
from fairseq_genext.gan.estimators.estimator import Estimator
from fairseq_genext.gan.losses.loss import Loss
from fairseq_genext.gan.players import without_gradient
from fairseq_genext.gan.step import Step
from fairseq_genext.modules.samplers import Samples, gumbel_softmax, unroll

SAMPLES = ("hard", "soft")


class GumbelEstimator(Estimator):
    """The discriminator reads relaxed one-hot vectors, and its gradient flows straight back.

    Jang et al. 2017 (https://arxiv.org/abs/1611.01144). The temperature falls exponentially over
    the updates in turns, as in RelGAN (Nie et al. 2019):

        tau_i = tau_0 * (tau_N / tau_0) ** (i / N)

    Args:
        samples: ``hard`` for straight-through (one-hot vectors forward, the relaxed ones' gradient
            backward), ``soft`` for relaxed vectors in both directions.
        feedback: ``soft`` if the gradient also flows through the generator's next inputs, which
            are then means of embeddings by the samples' weights; ``hard`` if those are the
            embeddings of the likeliest tokens (RelGAN).
        temperature: tau_0.
        final_temperature: tau_N, kept after N updates.
        anneal_updates: N, 0 to stay at tau_0.

    Raises:
        ValueError: a temperature is not positive, or the number of updates is negative.
    """

    def __init__(
        self,
        samples: str,
        feedback: str,
        temperature: float,
        final_temperature: float,
        anneal_updates: int,
    ) -> None:
        for flag, number in {
            "--gumbel-temperature": temperature,
            "--gumbel-final-temperature": final_temperature,
        }.items():
            if not COLDEST <= number < math.inf:
                raise ValueError(f"{flag} is {number}; it must be at least {COLDEST:g}, and finite")
        if anneal_updates < 0:
            raise ValueError(f"--gumbel-anneal-updates is {anneal_updates}; it cannot be negative")
        self.straight_through = samples == "hard"
        self.feedback = feedback == "soft"
        self.start = temperature
        self.final = final_temperature
        self.anneal_updates = anneal_updates

    def temperature(self, updates: int) -> float:
        """tau after ``updates`` updates in turns."""
        if self.anneal_updates == 0:
            return self.start
        progress = min(updates / self.anneal_updates, 1.0)
        return self.start * (self.final / self.start) ** progress

    def relaxed_samples(self, step: Step) -> Samples:
        """Sequences with weights ``(batch, time, vocabulary)`` that carry a gradient."""
        choose = partial(
            gumbel_softmax, temperature=self.temperature(step.updates), hard=self.straight_through
        )
        return unroll(
            step.generator,
            len(step.real),
            step.length,
            choose,
            step.condition,
            feedback=self.feedback,
            # Of a mixture of words nobody can say whether it ends; RelGAN's texts have no ends.
            ends=self.straight_through,
        )

    def sample(self, step: Step) -> Samples:
        """As ``Estimator.sample``; relaxed, where the generator's turn shows relaxed ones."""
        if self.straight_through:
            return super().sample(step)
        with torch.no_grad():
            return self.relaxed_samples(step)

    def generator_loss(self, step: Step, loss: Loss) -> tuple[Tensor, dict[str, Tensor | float]]:
        """As ``Estimator.generator_loss``, with ``gumbel_temperature``."""
        samples = self.relaxed_samples(step)
        with without_gradient(step.discriminator):
            scores = step.scores(samples)
        figures = {"gumbel_temperature": self.temperature(step.updates)}
        return loss.generator(scores, step.real_scores(loss.relative)), figures
