"""Held-out likelihood of a GAN that keeps its discriminator: see ``gan.residual``.

    -log p(x) = -log q(x) - f(x) + log Z

The discriminator reads at most ``--max-sample-length`` tokens of a text, as the samples are cut
there that log Z is estimated from, so that p is a distribution over texts of all lengths.
"""

import math
from collections.abc import Iterator

import torch
from fairseq import utils
from fairseq.sequence_scorer import SequenceScorer
from sklearn.calibration import calibration_curve
from torch import Tensor, nn
from torch.nn import functional as F

from fairseq_genext.errors import UsageError
from fairseq_genext.evaluation.checkpoints import BATCH, FixedLengthGenerator, held_out_batches
from fairseq_genext.evaluation.metrics.bootstrap import half_width
from fairseq_genext.gan.residual import ONE_LENGTH, LogPartition, keep_one, score_texts, scorer_of
from fairseq_genext.modules.samplers import SampleLength, ancestral, unroll

BINS = 10  # of the reliability curve
SAMPLES_FOR_Z = 10_000  # unless a number is given


def keeps_discriminator(model: nn.Module) -> bool:
    """Whether a model has a discriminator of whole texts."""
    try:
        scorer_of(model)
    except ValueError:
        return False
    return True


def require_residual(model: nn.Module, task, option: str = "--partition-samples") -> None:
    """Raises UsageError unless a model is a residual energy-based model of whole texts.

    Args:
        model: must have a discriminator of whole texts.
        task: of its checkpoint, whose texts must have an end.
        option: the flag that needs it.
    """
    try:
        scorer_of(model)
    except ValueError as error:
        raise UsageError(f"{option}: {error}; leave the flag out") from None
    if task.length.fixed:
        raise UsageError(f"{option}: {ONE_LENGTH}")


@torch.no_grad()
def residual_likelihood(
    model: nn.Module, task, split: str, samples: int, seed: int
) -> dict[str, float | list]:
    """Figures of p on a split, and of its discriminator.

    Args:
        model: as ``require_residual`` has it.
        task: of its checkpoint, with the data folder to read from.
        split: of held-out text, of which there must be two that the model can read.
        samples: of q, drawn to estimate log Z; at least two.
        seed: of these, and of a generator's noise.

    Returns:
        In nats a token: ``generator_nll`` of q, ``residual_nll`` of p, ``residual_nll_low`` and
        ``_high`` with the bounds of log Z, ``residual_gain``, by which p is better, and
        ``residual_gain_ci``, half its 95 % interval over texts and samples. In nats: ``log_z``,
        ``log_z_error``. ``residual_perplexity``. Of the discriminator on held-out text and
        samples: ``discriminator_loss`` (BCE, nats; 0.693 is guessing), ``discriminator_accuracy``,
        and ``calibration``: pairs of the mean probability of real that it gives, and the share that
        is real. ``samples_for_z``: the number of samples.

    Raises:
        UsageError: there are fewer texts.
    """
    utils.set_torch_seed(seed)
    discriminator, pad = model.discriminator, task.dictionary.pad()

    def score(tokens: Tensor) -> Tensor:
        return score_texts(discriminator, tokens, pad, task.length.maximum).double().cpu()

    costs, lengths, real = [], [], []
    scorer = SequenceScorer(task.target_dictionary)
    for batch in held_out_batches(model, task, split):
        for (scored,) in scorer.generate([model], batch):
            costs.append(-scored["positional_scores"].double().sum().item())
            lengths.append(len(scored["tokens"]))
        real.append(score(batch["target"]))
    if len(costs) < 2:
        raise UsageError(
            f"--partition-samples: {split} has {len(costs)} texts that the model can read, and an "
            "interval needs two; leave the flag out, or take more text"
        )
    real = torch.cat(real)
    fake = torch.cat([score(x) for x in draw(model.decoder, samples, task.length)])
    return figures(torch.tensor(costs).double(), torch.tensor(lengths), real, fake)


def draw(decoder, number: int, length: SampleLength) -> Iterator[Tensor]:
    """Batches of ids ``(batch, time)``, ``number`` texts of a generator in all."""
    for start in range(0, number, BATCH):
        yield unroll(decoder, min(BATCH, number - start), length, ancestral).tokens


def figures(costs: Tensor, lengths: Tensor, real: Tensor, fake: Tensor) -> dict[str, float | list]:
    """As ``residual_likelihood``.

    Args:
        costs: -log q of each held-out text, in nats, ``(texts,)``.
        lengths: their tokens, ``(texts,)``.
        real: f of them, ``(texts,)``.
        fake: f of samples of q, ``(samples,)``.
    """
    log_z = LogPartition.of(fake)
    tokens, texts = int(lengths.sum()), len(lengths)

    def nll(log_partition: float) -> float:
        return (costs.sum() - real.sum()).item() / tokens + log_partition * texts / tokens

    gain = costs.sum().item() / tokens - nll(log_z.estimate)
    over_texts = half_width((real - log_z.estimate).tolist(), lengths.tolist())
    over_samples = 1.96 * log_z.error * texts / tokens
    # As many of each: the discriminator was trained so. Held-out texts come by their length.
    equal = min(texts, len(fake))
    labels = [1] * equal + [0] * equal
    both = torch.cat([real[torch.randperm(texts)[:equal]], fake[:equal]]).sigmoid()
    shares, probabilities = calibration_curve(labels, both.numpy(), n_bins=BINS)
    return {
        "generator_nll": costs.sum().item() / tokens,
        "residual_nll": nll(log_z.estimate),
        "residual_nll_low": nll(log_z.lower),
        "residual_nll_high": nll(log_z.upper),
        "residual_perplexity": math.exp(nll(log_z.estimate)),
        "residual_gain": gain,
        "residual_gain_ci": math.hypot(over_texts, over_samples),
        "log_z": log_z.estimate,
        "log_z_error": log_z.error,
        "samples_for_z": len(fake),
        "discriminator_loss": (F.softplus(-real).mean() + F.softplus(fake).mean()).item() / 2,
        "discriminator_accuracy": (
            (real.gt(0).double().mean() + fake.le(0).double().mean()).item() / 2
        ),
        "calibration": [list(map(float, pair)) for pair in zip(probabilities, shares, strict=True)],
    }


class ResampledFixedLength:
    """A ``FixedLengthGenerator`` by its discriminator's choice, with the same two figures.

    Args:
        generator: q.
        discriminator: scores whole texts.
        candidates: a text, of which one is kept.
        weight: factor on the discriminator's logit.
    """

    def __init__(
        self,
        generator: FixedLengthGenerator,
        discriminator: nn.Module,
        candidates: int,
        weight: float = 1.0,
    ) -> None:
        self.generator = generator
        self.discriminator = discriminator
        self.candidates = candidates
        self.weight = weight

    @torch.no_grad()
    def score(self, tokens: Tensor) -> Tensor:
        """f of ids ``(texts, length)`` by its weight: ``(texts,)``."""
        return self.weight * torch.cat(
            [self.discriminator(x, torch.ones_like(x).bool()).mean() for x in tokens.split(BATCH)]
        )

    def sample(self, number: int, temperature: float) -> Tensor:
        """As ``FixedLengthGenerator.sample``."""
        drawn = self.generator.sample(number * self.candidates, temperature)
        kept = keep_one(self.score(drawn).view(number, self.candidates))
        return drawn.view(number, self.candidates, -1)[torch.arange(number), kept]

    def nll(self, tokens: Tensor, temperature: float) -> Tensor:
        """As ``FixedLengthGenerator.nll``, of p: that of ever more candidates."""
        log_z = LogPartition.of(self.score(self.generator.sample(SAMPLES_FOR_Z, temperature)))
        own = self.generator.nll(tokens, temperature)
        return own + (log_z.estimate - self.score(tokens)) / tokens.size(1)


def told(found: dict) -> list[str]:
    """The figures of ``residual_likelihood``, as lines of a log."""
    return [
        f"Residual energy-based model: {found['residual_nll']:.4f} nats a token "
        f"({found['residual_nll_low']:.4f} to {found['residual_nll_high']:.4f} by the bounds of "
        f"log Z, {found['samples_for_z']:,} samples), perplexity "
        f"{found['residual_perplexity']:.2f}",
        f"Its generator alone: {found['generator_nll']:.4f} nats a token; gain "
        f"{found['residual_gain']:.4f} ± {found['residual_gain_ci']:.4f} (95 %)",
        f"Its discriminator: loss {found['discriminator_loss']:.4f} (0.6931 is guessing), accuracy "
        f"{found['discriminator_accuracy']:.1%}",
    ]
