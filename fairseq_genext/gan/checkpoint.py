"""Starts a player from the decoder of a model that was trained before."""

import torch
from fairseq import checkpoint_utils
from torch import nn

from fairseq_genext.modules.fitting import misfit, other_functions
from fairseq_genext.patches.dictionaries import require_same_dictionaries

NOISE = "noise."
OUTPUT = "output_projection."


def load_weights(player: nn.Module, path: str, task) -> None:
    """Takes the decoder of a fairseq checkpoint, of a language model or of another GAN.

    What brings noise into the generator starts at zero where the checkpoint has none, so that the
    generator begins as the very model that was trained. Where only the checkpoint has it, it is
    left out; so is its output layer, for a discriminator, which has none.

    Args:
        player: a decoder.
        path: of the checkpoint.
        task: whose dictionaries must be the checkpoint's.

    Raises:
        UsageError: the file is missing, no fairseq checkpoint or of other dictionaries.
        ValueError: its decoder is of another kind or size than the player's.
    """
    state = checkpoint_utils.load_checkpoint_to_cpu(path)
    require_same_dictionaries(path, state, task)
    prefix = "decoder."
    trained = {
        name.removeprefix(prefix): weight
        for name, weight in state["model"].items()
        if name.startswith(prefix)
    }
    own = player.state_dict()
    noise = {name for name in own if name.startswith(NOISE)}
    if noise.isdisjoint(trained):
        trained |= {name: torch.zeros_like(own[name]) for name in noise}
    if not noise:
        trained = {name: trained[name] for name in trained if not name.startswith(NOISE)}
    if not any(name.startswith(OUTPUT) for name in own):
        trained = {name: trained[name] for name in trained if not name.startswith(OUTPUT)}

    # A language model and a GAN call them differently.
    heads = {part.num_heads for part in player.modules() if hasattr(part, "num_heads")}
    flags = {
        name: number for name in ("decoder_attention_heads", "generator_heads") for number in heads
    }
    if settings := getattr(player, "settings", None):  # of a GPT
        flags["activation_fn"] = settings.activation
    # What has learned at temperature 1 may go on at any.
    if getattr(state["cfg"].model, "generator_temperature", 1) != 1:
        flags["generator_temperature"] = getattr(player, "temperature", None)
    problem = misfit(player, trained) or other_functions(state["cfg"].model, flags)
    if problem:
        raise ValueError(problem)
    player.load_state_dict(trained)
