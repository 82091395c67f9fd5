"""Reads and writes the checkpoints of the commands in this folder."""

from pathlib import Path

from fairseq import checkpoint_utils
from omegaconf import OmegaConf

from fairseq_genext import plugin  # noqa: F401  as a command of its own nothing has yet
from fairseq_genext.errors import UsageError
from fairseq_genext.patches.checkpoints import require_known
from fairseq_genext.patches.exact_resume import REMEMBERED


def read(path: str | Path) -> dict:
    """A checkpoint on the CPU.

    Raises:
        UsageError: it is missing, damaged, or of a model or task that is not registered.
    """
    state = checkpoint_utils.load_checkpoint_to_cpu(str(path))
    require_known(str(path), state["cfg"])
    return state


def require_other(output: str | Path, *inputs: str | Path) -> None:
    """Raises UsageError if a checkpoint would be written over one that it is made from."""
    if Path(output).resolve() in [Path(path).resolve() for path in inputs]:
        raise UsageError(f"--output {output} is one of the inputs: name a new file")


def write(path: str | Path, state: dict, **replaced) -> None:
    """Writes a checkpoint whole, without what belongs to the training that its weights leave.

    Args:
        path: of the file.
        state: as ``read`` returns it.
        replaced: entries to write in place of those of ``state``.

    Raises:
        UsageError: it cannot be written; what had the name is as it was.
    """
    if Path(path).exists() and not Path(path).is_file():
        raise UsageError(f"{path} is a folder or a device: name a file")
    of_training = ("ema", "ema_fp32_params", REMEMBERED)
    kept = {name: x for name, x in state["extra_state"].items() if name not in of_training}
    state = {**state, "extra_state": kept, "last_optimizer_state": None, **replaced}
    if OmegaConf.is_config(state["cfg"]):
        state["cfg"] = OmegaConf.to_container(state["cfg"], resolve=True, enum_to_str=True)
    try:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}") from None
    checkpoint_utils.torch_persistent_save(state, str(path))
