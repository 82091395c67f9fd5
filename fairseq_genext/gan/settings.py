"""Options of criterion and task that a preset may set, and their defaults.

A flag that the command line leaves out has the value of the preset (``--arch gan_…``), and where
the preset does not set it the default below. ``docs/gan.md`` lists presets and papers.
"""

from dataclasses import field

from fairseq_genext.gan.old_spellings import translate_old_spellings

DEFAULTS = {
    # criterion adversarial
    "gan_loss": "bce",
    "penalty_weight": 10.0,
    "r1_weight": 0.0,
    "r2_weight": 0.0,
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
    "advantage_scale": "none",
    "ppo_clip": 0.2,
    "ppo_buffer": 128,
    "ppo_epochs": 1,
    "human_share": 0.0,
    "human_share_updates": 0,
    "human_reward": 2.0,
    # task gan
    "generator_pretrain_updates": 1000,
    "discriminator_warmup_updates": 200,
    "discriminator_steps": 1,
    "generator_steps": 1,
    "generator_turns_lr_scale": 0.1,
}


def preset_option(name: str, text: str):
    """A dataclass field for a flag that a preset may set; ``text`` is its help."""
    text = f"{text} (default: the preset's, or {DEFAULTS[name]})"
    return field(default=None, metadata={"help": text})


def fill_defaults(cfg) -> None:
    """Gives every option of ``cfg`` that is still None its default; translates old spellings."""
    translate_old_spellings(cfg)
    for name, value in DEFAULTS.items():
        if hasattr(cfg, name) and getattr(cfg, name) is None:
            setattr(cfg, name, value)
