"""Which losses, estimators and discriminators go together, and why others do not."""

from fairseq_genext.errors import UsageError
from fairseq_genext.gan.discriminators import OF_TEXTS


def check(gan_loss: str, gradient_estimator: str, rollouts: int, per_token: bool) -> None:
    """Refuses a combination whose formula does not exist.

    Args:
        gan_loss, gradient_estimator, rollouts: the flags' values.
        per_token: whether the discriminator scores tokens and not sequences.

    Raises:
        UsageError: the combination does not exist; the line says which do.
    """
    if gradient_estimator == "mali" and gan_loss != "bce":
        raise UsageError(
            f"--gradient-estimator mali does not go with --gan-loss {gan_loss}: its weights are "
            "ratios of densities, which a discriminator learns by bce only; take --gan-loss bce, "
            "or the estimator gumbel, reinforce or ppo"
        )
    if gradient_estimator == "mali" and per_token:
        raise UsageError(
            f"--gradient-estimator mali weighs whole sequences: take --discriminator {OF_TEXTS}, "
            "or the estimator gumbel, reinforce or ppo"
        )
    if gradient_estimator == "reinforce" and rollouts > 0 and per_token:
        raise UsageError(
            f"--rollouts {rollouts} complete a text so that a discriminator of whole sequences can "
            "score it: take --rollouts 0 with --discriminator rnn, which scores every token, or "
            f"--discriminator {OF_TEXTS}"
        )
