"""The one error a user can mend: it ends the command with one line and exit status 1."""

import math

# Beyond these, logits that are divided or multiplied leave the range of float32.
COLDEST, STRICTEST = 1e-6, 1e6


class UsageError(SystemExit):
    """A wrong flag, a missing file, data that does not fit a checkpoint.

    It derives from ``SystemExit`` so that the interpreter prints the message alone, without a
    traceback, and so that it passes through fairseq's ``except Exception`` handlers, which would
    write a ``crash.pt`` or bury the line under an unrelated one. Library code below the commands
    (``modules``, ``gan``) raises ``ValueError`` instead.

    Args:
        message: what is wrong and what to do about it, in one line.
    """

    def __init__(self, message: str) -> None:
        super().__init__(f"error: {message}")


def reason(error: BaseException) -> str:
    """What an error says, in part of a line."""
    first = next((line.strip() for line in str(error).splitlines() if line.strip()), "")
    told = first if len(first) <= 200 else f"{first[:200]}…"
    # The message of a KeyError is the key alone.
    return told if " " in told else f"{type(error).__name__} {told}".rstrip()


def some(names: list[str]) -> str:
    """The first of many names, and how many there are."""
    return ", ".join(names[:3]) + (f", … ({len(names)} in all)" if len(names) > 3 else "")


def flag(name: str) -> str:
    """How the command line spells the setting ``name``."""
    return "--" + name.replace("_", "-")


def require_positive(cfg, *names: str) -> None:
    """Raises UsageError unless every named size of ``cfg`` is a positive number."""
    for name in names:
        value = getattr(cfg, name)
        if value <= 0:
            raise UsageError(f"{flag(name)} is {value}; it must be greater than 0")
        if not math.isfinite(value):
            raise UsageError(f"{flag(name)} is {value}; it must be a finite number")


def require_least(cfg, least: int, *names: str) -> None:
    """Raises UsageError unless every named number of ``cfg`` is ``least`` or greater."""
    for name in names:
        if getattr(cfg, name) < least:
            raise UsageError(f"{flag(name)} is {getattr(cfg, name)}; it must be at least {least}")


def require_temperature(cfg, name: str) -> None:
    """Raises UsageError unless logits can be divided by ``cfg.name``, or by all in that list."""
    given = getattr(cfg, name)
    for temperature in given if isinstance(given, list) else [given]:
        if not COLDEST <= temperature < math.inf:
            raise UsageError(
                f"{flag(name)} is {temperature}; it must be at least {COLDEST:g}, and finite"
            )


def require_resampling(cfg) -> None:
    """Raises UsageError unless ``--resample`` and ``--resample-weight`` are in range."""
    require_positive(cfg, "resample", "resample_weight")
    if cfg.resample_weight > STRICTEST:
        raise UsageError(
            f"--resample-weight is {cfg.resample_weight}; it must be at most {STRICTEST:g}, which "
            "keeps the candidate with the highest logit"
        )
    if cfg.resample == 1 and cfg.resample_weight != 1:
        raise UsageError(
            f"--resample-weight {cfg.resample_weight} needs candidates to choose from: add "
            "--resample N, or leave it out"
        )


def require_probability(cfg, *names: str) -> None:
    """Raises UsageError unless every named probability of ``cfg`` is in [0, 1)."""
    for name in names:
        if not 0 <= getattr(cfg, name) < 1:
            raise UsageError(
                f"{flag(name)} is {getattr(cfg, name)}; it must be at least 0 and less than 1"
            )


def require_divisible(cfg, width: str, parts: str) -> None:
    """Raises UsageError unless ``cfg.parts``, heads or the like, divides ``cfg.width``."""
    if getattr(cfg, width) % getattr(cfg, parts) != 0:
        raise UsageError(
            f"{flag(width)} {getattr(cfg, width)} cannot be divided among {flag(parts)} "
            f"{getattr(cfg, parts)}"
        )


def require_right_padded_target(task) -> None:
    """Raises UsageError if the task pads targets on the left.

    A recurrent decoder would read the padding in training, which it never meets in generation.
    """
    if getattr(getattr(task, "cfg", None), "left_pad_target", False):
        raise UsageError("--left-pad-target: a recurrent decoder reads targets from the left")


def require_choice(cfg, name: str, choices) -> None:
    """Raises UsageError unless ``cfg.name`` is one of ``choices``; the line lists them."""
    value = getattr(cfg, name)
    if value not in choices:
        known = ", ".join(map(str, choices))
        raise UsageError(f"{flag(name)} {value!r} does not exist; choose one of {known}")
