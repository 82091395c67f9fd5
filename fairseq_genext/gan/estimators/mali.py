"""Maximum-likelihood augmented discrete GAN (Che et al. 2017, https://arxiv.org/abs/1702.07983)."""

from torch import Tensor

from fairseq_genext.gan.estimators.estimator import Estimator
from fairseq_genext.gan.losses.loss import Loss
from fairseq_genext.gan.step import Step, token_log_probs
from fairseq_genext.modules.samplers import plain_sampling


class MaliEstimator(Estimator):
    """Likelihood of the generator's own samples, weighted by how real they are (equation 4):

        L = -sum_i (w_i - 1/m) log p(y_i),   w_i = r_i / sum_j r_j,   r = D / (1 - D)

    r estimates p_data / p_generator, where the discriminator has learned by ``bce``; 1/m, the mean
    of the m weights, is the baseline. One sequence's term is given times m, as fairseq divides by
    the batch.
    """

    def generator_loss(self, step: Step, loss: Loss) -> tuple[Tensor, dict[str, Tensor | float]]:
        """As ``Estimator.generator_loss``, with ``mali_largest_weight``, 1/m to 1."""
        samples = self.sample(step)
        with plain_sampling(step.discriminator):
            weights = self.weights(step.scores(samples).mean().float())
        log_probs = token_log_probs(step.generator, samples, step.length).sum(dim=1)
        figures = {"mali_largest_weight": weights.max()}
        return -(weights * len(samples) - 1) * log_probs, figures

    @staticmethod
    def weights(logits: Tensor) -> Tensor:
        """w of discriminator logits ``(batch,)``; they sum to 1.

        With D = sigmoid(logit), D / (1 - D) is exp(logit), and w their softmax.
        """
        return logits.softmax(dim=0)
