"""How a gradient reaches the generator through discrete tokens; by name in ``ESTIMATORS``."""

from fairseq_genext.gan.estimators.gumbel import GumbelEstimator

ESTIMATORS = {"gumbel": GumbelEstimator}
