"""Says in part of a line why a checkpoint does not fit a model."""

import re
from collections.abc import Mapping

import torch
from fairseq.modules import LearnedPositionalEmbedding
from torch import nn

from fairseq_genext.errors import flag, some

# Flags of models that change what they compute, and no tensor's shape.
FUNCTIONS = re.compile(
    r"activation_fn|_heads$|normali|^positions$|_cell$|^lora_alpha$|^reverse_source$|^generator_temperature$"
    r"|^no_timing_signal$|^no_scale_embedding$|^no_token_positional_embeddings$"
)


def shape(tensor: torch.Tensor) -> str:
    """As one says it: 3 x 4."""
    return " x ".join(map(str, tensor.shape)) or "one number"


def misfit(model: nn.Module, held: dict) -> str | None:
    """How the tensors of a checkpoint differ from those of a model, None where they do not.

    Args:
        model: what they are to be loaded into.
        held: name to tensor.
    """
    own = model.state_dict()
    lacks = [name for name in own if name not in held]
    extra = [name for name in held if name not in own]
    if any(name.endswith(".lora_a") for name in extra):
        return (
            "it has low-rank adapters: give its --lora-rank, or merge them by "
            "python -m fairseq_genext.weights.adapters"
        )
    if lacks or extra:
        told = [f"it lacks {some(lacks)}"] * bool(lacks) + [f"it has {some(extra)}"] * bool(extra)
        return f"it holds another model: {', and '.join(told)}"
    if strange := [name for name in own if not torch.is_tensor(held[name])]:
        return f"what should be tensors are none: {some(strange)}"
    for name, module in model.named_modules():
        # Embeddings without padding, and of positions, have a size that flags give.
        if isinstance(module, nn.Embedding) and not isinstance(module, LearnedPositionalEmbedding):
            weight = held.get(f"{name}.weight", module.weight)
            here, there = module.weight.shape, weight.shape
            if module.padding_idx is not None and here[1:] == there[1:] and here[0] != there[0]:
                return (
                    f"it was trained with a dictionary of {there[0]} entries, the one in the data "
                    f"folder has {here[0]}: use the data folder (dict.txt) that the checkpoint was "
                    "trained on"
                )
    other = [name for name, weight in own.items() if weight.shape != held[name].shape]
    if other:
        name = other[0]
        return (
            f"it holds a model of another size: {name} is {shape(held[name])}, here "
            f"{shape(own[name])}" + f" ({len(other)} tensors differ)" * (len(other) > 1)
        )
    return other_numbers(model, held) or two_for_one(model, held)


def two_for_one(model: nn.Module, held: dict) -> str | None:
    """Which two tensors of a checkpoint are one of a model, into which the last would be loaded."""
    first: dict[int, str] = {}
    for name, param in model.named_parameters(remove_duplicate=False):
        other = first.setdefault(id(param), name)
        if other != name and {other, name} <= held.keys() and not held[other].equal(held[name]):
            return f"its {other} and {name} differ, and here they are tied: untie them here too"
    return None


def other_numbers(model: nn.Module, held: dict) -> str | None:
    """Which tensor of a checkpoint holds integers for real numbers, or the like."""
    for name, own in model.state_dict().items():
        given = held.get(name, own)
        if torch.is_tensor(own) and (
            given.is_floating_point() != own.is_floating_point()
            or given.is_complex() != own.is_complex()
        ):
            return f"its {name} holds numbers of type {given.dtype}, not {own.dtype}"
    return None


def other_functions(held, wanted: Mapping) -> str | None:
    """Which flag would make of a checkpoint's weights another model of the same shapes.

    Args:
        held: the configuration of the model that the checkpoint holds.
        wanted: flags of the model that they are to be loaded into.
    """
    for name in filter(FUNCTIONS.search, wanted):
        if name == "lora_alpha" and getattr(held, "lora_rank", 0) == 0:
            continue  # it has no adapters
        before, now = getattr(held, name, None), wanted[name]
        if None not in (before, now) and before != now:
            return f"it was trained with {flag(name)} {before}, and here it is {now}"
    return None
