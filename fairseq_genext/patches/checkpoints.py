"""A file that is no whole checkpoint is refused in one line, by whatever command loads it."""

import os
import pickle
import re

import torch
from fairseq import checkpoint_utils, file_utils
from fairseq.data.encoders.sentencepiece_bpe import SentencepieceBPE
from fairseq.models import (
    ARCH_MODEL_NAME_REGISTRY,
    ARCH_MODEL_REGISTRY,
    MODEL_DATACLASS_REGISTRY,
    MODEL_REGISTRY,
)
from fairseq.tasks import TASK_REGISTRY
from omegaconf import MISSING, OmegaConf, open_dict

from fairseq_genext.errors import UsageError, reason, some
from fairseq_genext.patches.patch import patch

TAKE_ANOTHER = "take another checkpoint of the run, such as checkpoint_best.pt"


def architecture(cfg) -> str | None:
    """The model that a run's configuration names, None where it names none."""
    model = getattr(cfg, "model", None)
    name = getattr(model, "_name", None) or getattr(model, "arch", None)
    return ARCH_MODEL_NAME_REGISTRY.get(name, name)


@patch(checkpoint_utils, "load_checkpoint_to_cpu")
def read_whole_checkpoint(read, path: str, *args, **kwargs) -> dict:
    """fairseq ends in a traceback of torch, pickle or its own, or takes what is no checkpoint.

    Raises:
        UsageError: the file is missing, cut off or none of fairseq's, it would run code when it is
            read, it lacks its configuration, or a weight is no finite number.
    """
    if os.path.isdir(path):
        raise UsageError(f"{path} is a folder; name a checkpoint in it")
    if os.path.exists(path) and os.path.getsize(path) == 0:
        raise UsageError(f"{path} is empty; {TAKE_ANOTHER}")
    try:
        state = read(path, *args, **kwargs)
    except FileNotFoundError:
        raise UsageError(f"{path} does not exist") from None
    except PermissionError:
        raise UsageError(f"{path} cannot be read: permission denied") from None
    except Exception as error:  # torch, pickle, omegaconf and fairseq have a dozen kinds
        if refused := re.search(r"GLOBAL (\S+)", str(error)):
            raise UsageError(
                f"{path} is refused, since to read it could run code: it holds {refused[1]}, which "
                "is not among the classes that weights-only loading allows; "
                "torch.serialization.add_safe_globals allows it if you trust the file"
            ) from None
        # torch explains weights-only loading at length to whoever gives it a text.
        pickled = isinstance(error, pickle.UnpicklingError)
        why = "no file of torch.save" if pickled else reason(error)
        raise UsageError(
            f"{path} is not a fairseq checkpoint, or a damaged one ({why}); {TAKE_ANOTHER}"
        ) from None
    if problem := fault(state):
        raise UsageError(f"{path} {problem}; {TAKE_ANOTHER}")
    complete(state["cfg"].model)
    return state


def complete(model) -> None:
    """Sets the flags that a model's class has gained since its checkpoint was saved to defaults.

    fairseq does it for a model's own name (``gpt_doc``) and for no preset (``gpt_doc_tiny``).
    """
    name = getattr(model, "_name", None)
    settings = MODEL_DATACLASS_REGISTRY.get(ARCH_MODEL_NAME_REGISTRY.get(name))
    if settings is None or not OmegaConf.is_config(model):
        return
    with open_dict(model):
        for key, value in vars(settings()).items():
            if key not in model and value != MISSING:
                model[key] = value


def fault(state) -> str | None:
    """What a checkpoint lacks to be one."""
    weights = state.get("model") if isinstance(state, dict) else None
    if not isinstance(weights, dict) or not weights:
        return "is not a fairseq checkpoint: it has no weights"
    cfg = state.get("cfg")
    if not OmegaConf.is_dict(cfg) or cfg.get("model") is None or cfg.get("task") is None:
        return "has no configuration of its model and task (cfg)"
    if ruined := [
        name
        for name, weight in weights.items()
        if torch.is_tensor(weight)
        and (weight.is_floating_point() or weight.is_complex())
        and not torch.isfinite(weight).all()
    ]:
        return f"has weights that are not finite numbers (NaN or infinity): {some(ruined)}"
    return None


def require_known(path: str, cfg) -> None:
    """Raises UsageError unless the model and the task of a checkpoint are registered."""
    name = architecture(cfg)
    task = getattr(cfg.task, "_name", None) or getattr(cfg.task, "task", None)
    for kind, held, known in (
        ("architecture", name, MODEL_REGISTRY.keys() | ARCH_MODEL_REGISTRY.keys()),
        ("task", task, TASK_REGISTRY.keys()),
    ):
        if held not in known:
            raise UsageError(
                f"{path} holds the {kind} {held}, which does not exist here: give the --user-dir "
                "that it was trained with"
            )


@patch(file_utils, "load_archive_file")
def find_archive(load, archive_file: str):
    """``from_pretrained`` of a folder that is not there ends in a ``TypeError``.

    Raises:
        UsageError: in its place.
    """
    found = load(archive_file)
    if found is None:
        raise UsageError(f"{archive_file} does not exist")
    return found


@patch(SentencepieceBPE, "__init__")
def read_pieces(init, self, cfg) -> None:
    """``--bpe sentencepiece`` with another file ends in a traceback.

    Raises:
        UsageError: in its place.
    """
    try:
        init(self, cfg)
    except (OSError, RuntimeError):  # which of them depends on sentencepiece's version
        raise UsageError(
            f"--sentencepiece-model {cfg.sentencepiece_model} does not exist or is no "
            "sentencepiece model"
        ) from None
