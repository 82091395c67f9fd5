"""Gumbel-softmax samples, soft or straight-through, with an annealed temperature."""

from functools import partial

from torch import Tensor

from fairseq_genext.modules.samplers import Samples, gumbel_softmax, unroll


class GumbelEstimator:
    """The discriminator reads relaxed one-hot vectors, and its gradient flows straight back.

    Jang et al. 2017 (https://arxiv.org/abs/1611.01144). The temperature falls exponentially over
    the updates in turns, as in RelGAN (Nie et al. 2019):

        tau_i = tau_0 * (tau_N / tau_0) ** (i / N)

    Args:
        straight_through: one-hot vectors forward, the relaxed ones' gradient backward.
        temperature: tau_0.
        final_temperature: tau_N, kept after N updates.
        anneal_updates: N, 0 to stay at tau_0.

    Raises:
        ValueError: a temperature is not positive.
    """

    def __init__(
        self,
        straight_through: bool,
        temperature: float,
        final_temperature: float,
        anneal_updates: int,
    ) -> None:
        if min(temperature, final_temperature) <= 0:
            raise ValueError("Gumbel temperatures must be greater than 0")
        self.straight_through = straight_through
        self.start = temperature
        self.final = final_temperature
        self.anneal_updates = anneal_updates

    def temperature(self, updates: int) -> float:
        """tau after ``updates`` updates in turns."""
        if self.anneal_updates == 0:
            return self.start
        progress = min(updates / self.anneal_updates, 1.0)
        return self.start * (self.final / self.start) ** progress

    def sample(self, generator, batch_size: int, max_length: int, updates: int) -> Samples:
        """Sequences with weights ``(batch, time, vocabulary)`` that carry a gradient."""
        choose = partial(
            gumbel_softmax, temperature=self.temperature(updates), hard=self.straight_through
        )
        return unroll(generator, batch_size, max_length, choose)

    def generator_loss(
        self, generator, discriminator, loss, batch_size: int, max_length: int, updates: int
    ) -> Tensor:
        """The generator's loss on fresh samples, ``(batch,)``, in nats."""
        fake = self.sample(generator, batch_size, max_length, updates)
        return loss.generator(discriminator(fake.weights, fake.mask).mean())
