"""What a sequence or a token earns by the discriminator's logit; by name in ``REWARDS``.

A reward takes the logits of generated texts and, for those in ``OF_PAIRS``, what the real text of
each pair has in their place.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from fairseq_genext.gan.scores import Scores


def probability(logits: Tensor, real: Tensor | None = None) -> Tensor:
    """sigmoid(D), 0 to 1 (SeqGAN, Yu et al. 2017, equation 4)."""
    return torch.sigmoid(logits)


def signed(logits: Tensor, real: Tensor | None = None) -> Tensor:
    """2 sigmoid(D) - 1, -1 to 1 (ScratchGAN, de Masson d'Autume et al. 2019, section 3)."""
    return torch.tanh(logits / 2)


def logit(logits: Tensor, real: Tensor | None = None) -> Tensor:
    """D itself, the reward of a Wasserstein or hinge critic."""
    return logits


def constant(logits: Tensor, real: Tensor | None = None) -> Tensor:
    """1 whatever the discriminator says: the control.

    It teaches nothing, and yet lowers NLL_oracle, since a policy gradient from few samples makes
    likely what was drawn.
    """
    return torch.ones_like(logits)


def share(logits: Tensor, real: Tensor) -> Tensor:
    """The softmax share of the pair (TextGAIL, Wu et al. 2021, https://arxiv.org/abs/2004.13796):

    exp D(fake) / (exp D(real) + exp D(fake)) = sigmoid(D(fake) - D(real)), 0 to 1
    """
    return torch.sigmoid(logits - real)


REWARDS: dict[str, Callable[..., Tensor]] = {
    "probability": probability,
    "signed": signed,
    "logit": logit,
    "constant": constant,
    "share": share,
}
OF_PAIRS = ("share",)


def logit_rewards(reward: str, scores: Scores, real: Scores | None = None) -> Tensor:
    """What each of the logits of ``scores`` earns, ``(batch, n)``.

    Args:
        reward: a key of ``REWARDS``.
        scores: of generated texts.
        real: scores of the real text of each pair, for a reward in ``OF_PAIRS``. Several logits are
            compared one by one, those of tokens with the mean, since texts differ in length.
    """
    against = None
    if real is not None:
        against = real.mean().unsqueeze(1) if real.per_token else real.logits
        against = against.float()
    return REWARDS[reward](scores.logits.float(), against)
