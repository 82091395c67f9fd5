"""How a gradient reaches the generator through discrete tokens; by name in ``ESTIMATORS``."""

from fairseq_genext.gan.estimators.gumbel import GumbelEstimator
from fairseq_genext.gan.estimators.mali import MaliEstimator
from fairseq_genext.gan.estimators.ppo import PPOEstimator
from fairseq_genext.gan.estimators.reinforce import ReinforceEstimator

ESTIMATORS = {
    "gumbel": GumbelEstimator,
    "reinforce": ReinforceEstimator,
    "mali": MaliEstimator,
    "ppo": PPOEstimator,
}
