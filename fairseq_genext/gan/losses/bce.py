"""Binary cross entropy, with the non-saturating generator loss (Goodfellow et al. 2014)."""

from torch import Tensor
from torch.nn import functional as F


class BCELoss:
    """With D(x) = sigmoid(logit):

    L_D = 1/2 [-log D(x)] + 1/2 [-log(1 - D(G(z)))],   L_G = -log D(G(z))
    """

    def discriminator(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        """Logits ``(batch,)`` of real and of generated sequences to L_D, ``(batch,)``, in nats."""
        # -log sigmoid(x) = softplus(-x), and -log(1 - sigmoid(x)) = softplus(x).
        return 0.5 * (F.softplus(-real_logits) + F.softplus(fake_logits))

    def generator(self, fake_logits: Tensor) -> Tensor:
        """Logits ``(batch,)`` of generated sequences to L_G, ``(batch,)``, in nats."""
        return F.softplus(-fake_logits)
