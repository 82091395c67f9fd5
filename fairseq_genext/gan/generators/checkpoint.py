"""Starts a generator from the weights of a model that was trained before."""

import os

import torch
from fairseq import checkpoint_utils
from torch import nn

NOISE = "noise."


def read_checkpoint(path: str) -> dict:
    """What fairseq saved, on the CPU.

    Raises:
        ValueError: the file is missing or no fairseq checkpoint.
    """
    if not os.path.isfile(path):
        raise ValueError("does not exist")
    try:
        state = checkpoint_utils.load_checkpoint_to_cpu(path)
        return {"cfg": state.get("cfg"), "model": state["model"]}
    except Exception as error:  # torch and fairseq raise a dozen kinds for a file of another kind
        raise ValueError(f"is not a fairseq checkpoint ({type(error).__name__})") from None


def load_weights(generator: nn.Module, path: str) -> None:
    """Takes the decoder of a fairseq checkpoint, of a language model or of another GAN.

    What brings noise into the generator starts at zero where the checkpoint has none, so that the
    generator begins as the very model that was trained. Where only the checkpoint has it, it is
    left out.

    Raises:
        ValueError: the file is missing, no fairseq checkpoint, or its decoder is of another kind or
            size than the generator.
    """
    trained = read_checkpoint(path)["model"]
    prefix = "decoder."
    trained = {
        name.removeprefix(prefix): weight
        for name, weight in trained.items()
        if name.startswith(prefix)
    }
    own = generator.state_dict()
    noise = {name for name in own if name.startswith(NOISE)}
    if noise.isdisjoint(trained):
        trained |= {name: torch.zeros_like(own[name]) for name in noise}
    if not noise:
        trained = {name: trained[name] for name in trained if not name.startswith(NOISE)}

    for name in sorted(own.keys() ^ trained.keys()):
        has, lacks = ("it", "the generator") if name in trained else ("the generator", "it")
        raise ValueError(f"holds another decoder: {has} has {name}, {lacks} has not")
    for name, weight in own.items():
        if weight.shape == trained[name].shape:
            continue
        if name == "embed_tokens.weight" and weight.size(1) == trained[name].size(1):
            raise ValueError(
                f"was trained with a dictionary of {trained[name].size(0)} entries, the one in the "
                f"data folder has {weight.size(0)}"
            )
        raise ValueError(
            f"has a decoder of another size: {name} is {tuple(trained[name].shape)}, the "
            f"generator's {tuple(weight.shape)}"
        )
    generator.load_state_dict(trained)
