"""The space of axes as flags: what each is by default, and which point each published GAN is.

A flag that the command line leaves out has the value of the preset (``--arch gan_…``), and where
that says nothing the default. ``docs/gan.md`` shows the table with the papers.
"""

from dataclasses import field

DEFAULTS = {
    # criterion adversarial
    "gan_loss": "bce",
    "penalty_weight": 10.0,
    "gradient_estimator": "gumbel",
    "gumbel_samples": "hard",
    "gumbel_feedback": "soft",
    "gumbel_temperature": 1.0,
    "gumbel_final_temperature": 1.0,
    "gumbel_anneal_updates": 0,
    "reward": "probability",
    "rollouts": 0,
    "reward_discount": 1.0,
    "reward_baseline": "none",
    "baseline_decay": 0.92,
    # task gan
    "generator_pretrain_updates": 1000,
    "discriminator_pretrain_updates": 200,
    "discriminator_steps": 1,
    "generator_steps": 1,
    "generator_turns_lr_scale": 0.1,
}


def axis(name: str, text: str):
    """A dataclass field for a flag that a preset may set; ``text`` is its help."""
    text = f"{text} (default: the preset's, or {DEFAULTS[name]})"
    return field(default=None, metadata={"help": text})


def settle(cfg) -> None:
    """Gives every axis that is still open, None, its default."""
    for name, value in DEFAULTS.items():
        if hasattr(cfg, name) and getattr(cfg, name) is None:
            setattr(cfg, name, value)
