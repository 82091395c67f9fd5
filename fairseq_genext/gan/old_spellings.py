"""Spellings of release 0.1, which release 0.2 still takes, with a warning, for the last time."""

import logging
from dataclasses import field

from fairseq_genext.errors import flag

logger = logging.getLogger(__name__)

FLAGS = {"discriminator_pretrain_updates": "discriminator_warmup_updates"}
VALUES = {"reward_baseline": {"others": "leave-one-out", "moving": "ema"}}


def old_flag(name: str):
    """A dataclass field for ``name``, a key of ``FLAGS``."""
    return field(default=None, metadata={"help": f"old spelling of {flag(FLAGS[name])}"})


def translate_old_spellings(cfg) -> None:
    """Moves what ``cfg`` says in old spellings to the new ones.

    A flag given in its old spelling goes before the new one, which a preset may have filled in.
    """
    for old, new in FLAGS.items():
        value = getattr(cfg, old, None)
        if value is not None:
            warn(flag(old), flag(new))
            setattr(cfg, new, value)
            setattr(cfg, old, None)
    for name, spellings in VALUES.items():
        value = getattr(cfg, name, None)
        if value in spellings:
            warn(f"{flag(name)} {value}", f"{flag(name)} {spellings[value]}")
            setattr(cfg, name, spellings[value])


def warn(old: str, new: str) -> None:
    """Names the new spelling in the log."""
    logger.warning("%s is now %s; the next release will not take the old spelling", old, new)
