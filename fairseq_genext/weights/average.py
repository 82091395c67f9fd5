"""Averages the weights of checkpoints, or takes their running average.

    python -m fairseq_genext.weights.average --inputs FILE … --output FILE
    python -m fairseq_genext.weights.average --inputs FOLDER --num-epoch-checkpoints 5 --output FILE
    python -m fairseq_genext.weights.average --ema --inputs FILE --output FILE

The flags are those of fairseq's scripts/average_checkpoints.py, which its wheel leaves out. With
``--ema`` the weights are the moving averages that ``--store-ema`` keeps in a checkpoint next to the
trained ones. Every command loads the output. It holds no optimizer, so that training does not go
on from it but begins with its weights (``--finetune-from-model``).

A mean is computed in float64 and has the type of its inputs. Whole numbers, such as counts, are
those of the last checkpoint.
"""

import re
from pathlib import Path

from omegaconf import OmegaConf
from torch import Tensor

from fairseq_genext.errors import UsageError, flag, some
from fairseq_genext.evaluation import command
from fairseq_genext.modules.fitting import shape
from fairseq_genext.patches.checkpoints import architecture
from fairseq_genext.patches.dictionaries import KEY
from fairseq_genext.weights import checkpoint

# Flags of a model that change no figure.
WITHOUT_MEANING = ("checkpoint_activations", "compile")
# What each flag counts: names of checkpoints, whose number orders them.
KINDS = {
    "num_epoch_checkpoints": r"checkpoint(\d+)\.pt",
    "num_update_checkpoints": r"checkpoint_\d+_(\d+)\.pt",
}


def newest(folder: str, kind: str, number: int, bound: int | None = None) -> list[str]:
    """The newest checkpoints of a folder, oldest first.

    Args:
        folder: where training has saved them.
        kind: one of ``KINDS``.
        number: how many.
        bound: the last epoch or update to take.

    Raises:
        UsageError: there is no such folder, or it has fewer.
    """
    if number < 1:
        raise UsageError(f"{flag(kind)} is {number}; it must be greater than 0")
    if not Path(folder).is_dir():
        raise UsageError(f"{folder} is no folder")
    found = {}
    for path in Path(folder).iterdir():
        match = re.fullmatch(KINDS[kind], path.name)
        if match and (bound is None or int(match[1]) <= bound):
            found[int(match[1])] = str(path)
    if len(found) < number:
        raise UsageError(f"{folder} has {len(found)} checkpoints to take; {flag(kind)} is {number}")
    return [found[count] for count in sorted(found)[-number:]]


def running_average(path: str, state: dict) -> dict[str, Tensor]:
    """The weights that ``--store-ema`` has kept.

    Raises:
        UsageError: the checkpoint has none.
    """
    kept = state["extra_state"].get("ema")
    if not isinstance(kept, dict) or state["model"].keys() != kept.keys():
        raise UsageError(f"{path} has no running average: it was trained without --store-ema")
    exact = state["extra_state"].get("ema_fp32_params") or {}  # of 16-bit training
    return kept | {name: x for name, x in exact.items() if x.is_floating_point()}


def _settings(model) -> dict:
    """Flags by which a model is another, though its tensors may have the same shapes."""
    if not OmegaConf.is_config(model):  # a model without a dataclass: all flags of its training
        return {name: value for name, value in vars(model).items() if name.endswith("_heads")}
    return {
        name: value
        for name, value in model.items()
        if "dropout" not in name and name not in WITHOUT_MEANING
    }


def require_same_model(path: str, state: dict, first: str, of_first: dict) -> None:
    """Raises UsageError unless two checkpoints hold the same model with the same dictionaries."""

    def shapes(model: dict) -> dict:
        return {name: shape(x) for name, x in model.items()}

    one, other = architecture(of_first["cfg"]), architecture(state["cfg"])
    if one != other:
        raise UsageError(f"{first} holds {one}, and {path} {other}")
    for what, (one, other) in {
        "tensors": (shapes(of_first["model"]), shapes(state["model"])),
        "flags": (_settings(of_first["cfg"].model), _settings(state["cfg"].model)),
    }.items():
        differ = [name for name in one | other if one.get(name) != other.get(name)]
        if differ:
            raise UsageError(
                f"{first} and {path} hold two models, whose {what} differ: "
                f"{some(differ)}, {one.get(differ[0])} and {other.get(differ[0])} in the first"
            )
    words = [(x.get("task_state") or {}).get(KEY) for x in (of_first, state)]
    if None not in words and words[0] != words[1]:
        raise UsageError(f"{first} and {path} were trained with two dictionaries")


def average(inputs: list[str], output: str, ema: bool = False) -> None:
    """Writes a checkpoint with the mean of the weights of several, all else as in the last.

    Args:
        inputs: checkpoints of one model.
        output: of a name that none of them has.
        ema: take the running averages that they hold.

    Raises:
        UsageError: a checkpoint cannot be read, has no running average, or holds another model.
    """
    checkpoint.require_other(output, *inputs)
    first = checkpoint.read(inputs[0])
    sums: dict[str, Tensor] = {}
    for path in inputs:
        state = first if path == inputs[0] else checkpoint.read(path)
        require_same_model(path, state, inputs[0], first)
        weights = running_average(path, state) if ema else state["model"]
        for name, weight in weights.items():
            if weight.is_floating_point():
                sums[name] = sums.get(name, 0) + weight.double()
    averaged, shared = dict(weights), {}
    for name, total in sums.items():
        # Tied weights stay one tensor of two names.
        place = (weights[name].data_ptr(), weights[name].shape)
        averaged[name] = shared.setdefault(place, (total / len(inputs)).to(weights[name].dtype))
    checkpoint.write(output, state, model=averaged)
    what = "running average" if ema else "weights"
    print(f"{output} is written: the mean {what} of {', '.join(inputs)}")


def main() -> None:
    """The command line."""
    parser = command.parser("python -m fairseq_genext.weights.average", __doc__)
    parser.add_argument("--inputs", nargs="+", required=True, help="checkpoints, or one folder")
    parser.add_argument("--output", required=True, help="the checkpoint to write")
    parser.add_argument("--ema", action="store_true", help="take what --store-ema has kept")
    parser.add_argument(
        "--num-epoch-checkpoints", type=int, help="of the folder, the last N of epochs"
    )
    parser.add_argument(
        "--num-update-checkpoints", type=int, help="of the folder, the last N saved by updates"
    )
    parser.add_argument(
        "--checkpoint-upper-bound", type=int, help="none of a later epoch or update than this"
    )
    args = parser.parse_args()
    numbers = {kind: getattr(args, kind) for kind in KINDS if getattr(args, kind) is not None}
    if len(numbers) > 1:
        raise UsageError(f"{' and '.join(map(flag, numbers))} exclude each other")
    inputs = args.inputs
    if numbers:
        if len(inputs) > 1:
            raise UsageError(f"{flag(*numbers)} takes one folder as --inputs")
        ((kind, number),) = numbers.items()
        inputs = newest(inputs[0], kind, number, args.checkpoint_upper_bound)
    elif args.checkpoint_upper_bound is not None:
        raise UsageError("--checkpoint-upper-bound needs --num-epoch- or --num-update-checkpoints")
    average(inputs, args.output, args.ema)


if __name__ == "__main__":
    main()
