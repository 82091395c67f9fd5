"""Which parameters are whose, and steps that move one player alone."""

import contextlib

from fairseq.optim import AMPOptimizer
from torch import nn

from fairseq_genext.errors import UsageError


def mark_players(generator: nn.Module, discriminator: nn.Module) -> None:
    """Writes on each parameter whose it is.

    The two-player optimizer finds each parameter's player by this mark, which fairseq's
    mixed-precision copies carry along.
    """
    for player, module in (("generator", generator), ("discriminator", discriminator)):
        for param in module.parameters():
            param.param_group = player


def require_two_player_optimizer(optimizer, task: str) -> None:
    """Raises UsageError if ``optimizer`` cannot move one player and leave the other."""
    if not optimizer.supports_groups or isinstance(optimizer, AMPOptimizer):
        raise UsageError(
            f"--task {task} moves one player at a time: choose --optimizer two_player_adamw "
            "(with --fp16 or bf16, not with --amp)"
        )


def require_sentences(break_mode: str) -> None:
    """Raises UsageError for documents: the value of ``--sample-break-mode`` must be ``eos``."""
    if break_mode != "eos":
        raise UsageError(
            f"--sample-break-mode {break_mode}: the two players of a GAN write and read sentences, "
            "one a line; train on sentences, and leave the flag out"
        )


@contextlib.contextmanager
def without_gradient(module: nn.Module):
    """Within, gradients flow through ``module`` and not into its parameters.

    They would be thrown away, but cost time and count in ``--clip-norm``, and one that overflows
    would stop a step in half precision.
    """
    module.requires_grad_(False)
    try:
        yield
    finally:
        module.requires_grad_(True)
