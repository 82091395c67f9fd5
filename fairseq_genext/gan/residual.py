"""The discriminator kept after training: a residual energy-based model.

    p(x) = q(x) exp f(x) / Z,   Z = E_{x ~ q} exp f(x)

q is the generator and f the logit of a discriminator of whole texts: Deng et al. 2020
(https://arxiv.org/abs/2004.11714), equation 1, with f the negative energy. A discriminator trained
by BCE against samples of q has its optimum at f = log p_data / q, where p is the data's own
distribution (section 3.2 there).

At sampling f may count w times, q(x) exp(w f(x)): a larger w makes texts more like real ones, as a
lower temperature makes them likelier, and at w = 1 / T it is p at temperature T, p^(1 / T), where q
is drawn from at T.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from fairseq_genext.gan.discriminators.discriminator import Discriminator

ONE_LENGTH = (  # why a discriminator chooses among no texts but an oracle's
    "the discriminator has read texts of one length without an end; use "
    "python -m fairseq_genext.evaluation.oracle --resample N"
)


@dataclass(frozen=True)
class LogPartition:
    """log Z, in nats, estimated from M samples of q.

    With T_M the logarithm of the mean of exp f over the samples, E T_M is too low, by Jensen, and
    E [(2M - 1) T_M - 2 (M - 1) T_{M-1}] too high once M is large enough (Deng et al. 2020,
    theorem 2); T_{M-1} is the mean over all sets that leave one sample out.

    Attributes:
        estimate: M T_M - (M - 1) T_{M-1}, the jackknife, which lies half way between the bounds
            (Nowozin 2018, https://openreview.net/forum?id=HyZoi-WRb).
        lower, upper: bounds of log Z in expectation; they close as 1 / M.
        error: standard error of the estimate, by the delta method.
    """

    estimate: float
    lower: float
    upper: float
    error: float

    @classmethod
    def of(cls, logits: Tensor) -> "LogPartition":
        """Of f of samples of q, ``(samples,)``, at least two."""
        logits, number = logits.double(), len(logits)
        total = logits.logsumexp(dim=0)
        shares = (logits - total).exp()  # of each sample in the sum
        # log(sum without one) = log(sum) + log(1 - its share), which a share near 1 rounds away.
        without = torch.log1p(-shares)
        largest = logits.argmax()
        others = torch.arange(number, device=logits.device) != largest
        without[largest] = logits[others].logsumexp(dim=0) - total
        left_out = without.mean().item()
        gap = max((number - 1) * (math.log1p(-1 / number) - left_out), 0.0)  # but for rounding
        lower = total.item() - math.log(number)
        return cls(
            estimate=lower + gap,
            lower=lower,
            upper=lower + 2 * gap,
            error=shares.std().item() * math.sqrt(number),
        )


def keep_one(logits: Tensor) -> Tensor:
    """One of the candidates of each text, with probability ∝ exp f: importance resampling.

    Deng et al. 2020, algorithm 2. With ever more candidates it draws from p.

    Args:
        logits: f of samples of q, ``(texts, candidates)``.

    Returns:
        Which one, ``(texts,)``.
    """
    return torch.multinomial(logits.float().softmax(dim=1), 1).squeeze(1)


def effective_sample_size(logits: Tensor) -> Tensor:
    """How many equally likely candidates each text's are worth, ``(texts,)``, 1 to all of them.

    (sum w)^2 / sum w^2 with w = exp f (Kong 1992).

    Args:
        logits: f of samples of q, ``(texts, candidates)``.
    """
    return 1 / logits.float().softmax(dim=1).square().sum(dim=1)


def score_texts(discriminator: nn.Module, tokens: Tensor, pad: int, longest: int) -> Tensor:
    """f of texts, which are cut where samples were in training: of longer ones it knows nothing.

    Args:
        discriminator: of whole texts.
        tokens: ids with their end, ``(texts, time)``.
        pad: what they are padded with.
        longest: tokens of a text that are read, ``--max-sample-length`` of the training.

    Returns:
        Logits, ``(texts,)``.
    """
    tokens = tokens[:, :longest]
    return discriminator(tokens, tokens.ne(pad)).mean()


def scorer_of(model: nn.Module) -> nn.Module:
    """A model's discriminator.

    Raises:
        ValueError: it has none, or one that does not score texts by themselves.
    """
    discriminator = getattr(model, "discriminator", None)
    if discriminator is None:
        raise ValueError(f"the checkpoint holds a {type(model).__name__}, without a discriminator")
    if not isinstance(discriminator, Discriminator):
        raise ValueError("the discriminator reads images, not texts")
    if hasattr(model, "encoder"):
        raise ValueError("the discriminator scores pairs of source and target, not texts")
    if discriminator.per_token:
        raise ValueError("the discriminator scores tokens, not texts")
    return discriminator
