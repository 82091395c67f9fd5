"""The options of a GAN as the tests of whole grids name them."""

ESTIMATORS = {
    "straight-through": {"gradient_estimator": "gumbel"},
    "soft": {"gradient_estimator": "gumbel", "gumbel_samples": "soft", "gumbel_feedback": "hard"},
    "whole": {"gradient_estimator": "reinforce", "reward_baseline": "leave-one-out"},
    "rollouts": {"gradient_estimator": "reinforce", "rollouts": 2, "reward_baseline": "ema"},
    "mali": {"gradient_estimator": "mali"},
    "ppo": {
        "gradient_estimator": "ppo",
        "reward": "share",
        "ppo_buffer": 6,
        "ppo_epochs": 2,
        "human_share": 0.4,
        "reward_baseline": "leave-one-out",
        "advantage_scale": "deviation",
    },
}


class Task:
    """What a criterion reads of its task."""

    def __init__(self, dictionary):
        self.target_dictionary = dictionary


def admitted(loss: str, estimator: str, discriminator: str) -> bool:
    """Mali needs bce; mali and rollouts need a score of whole sequences."""
    if estimator == "mali" and loss != "bce":
        return False
    return not (estimator in ("mali", "rollouts") and discriminator == "rnn")
