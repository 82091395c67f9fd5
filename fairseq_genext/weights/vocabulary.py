"""Gives a checkpoint another vocabulary, to train it further on other data.

    python -m fairseq_genext.weights.vocabulary CHECKPOINT --data NEW --output FILE [--old-data OLD]

NEW and OLD are binarised data folders (dict.txt, or dict.LANG.txt of each side); OLD is by default
the one that the checkpoint was trained on. Of embeddings and output layers, rows of words that both
dictionaries have are kept, the special ones included; those of new words start anew, as the model
initialises them. All other weights are kept. fairseq-train then begins with the output:

    fairseq-train NEW … --finetune-from-model FILE
"""

import argparse
import logging
import os

import torch
from fairseq import checkpoint_utils, tasks
from fairseq.data import Dictionary
from omegaconf import DictConfig
from torch import Tensor

from fairseq_genext.errors import UsageError
from fairseq_genext.patches.checkpoints import architecture
from fairseq_genext.patches.weights import one_line
from fairseq_genext.weights import checkpoint

FORMAT = "%(asctime)s | %(levelname)s | %(name)s | %(message)s"  # fairseq's
MADE_UP = "<made up>"  # no word of a text, as it has a blank


def task_of(cfg: DictConfig, data: str):
    """The task of a checkpoint on a data folder, whatever its languages are called there."""
    cfg.data = data
    if languages := [cfg.get("source_lang"), cfg.get("target_lang")]:
        there = [os.path.exists(os.path.join(data, f"dict.{name}.txt")) for name in languages]
        if any(languages) and not all(there):
            cfg.source_lang = cfg.target_lang = None  # fairseq finds them
    return tasks.setup_task(cfg)


def dictionaries(task) -> dict[str, list[Dictionary]]:
    """The dictionaries of a task by side; one joint side where they are equal."""
    source, target = task.source_dictionary, task.target_dictionary
    if not isinstance(source, Dictionary) or not isinstance(target, Dictionary):
        raise UsageError(f"the task {type(task).__name__} has no dictionary to exchange")
    if source == target:
        return {"joint": [source, target]}
    return {"source": [source], "target": [target]}


def following(cfg: DictConfig, data: str, side: str) -> dict[str, int]:
    """Tensors of a model that grow with a dictionary, and along which dimension.

    Args:
        cfg: of the checkpoint.
        data: the data folder.
        side: a key of ``dictionaries``.

    Raises:
        UsageError: one grows otherwise than by a row a word.
    """
    task = task_of(cfg.task, data)
    before = task.build_model(cfg.model, True).state_dict()
    # Two dictionaries of a task may have one list of words.
    for words in {id(words.symbols): words for words in dictionaries(task)[side]}.values():
        words.add_symbol(MADE_UP)
    after = task.build_model(cfg.model, True).state_dict()
    found = {}
    for name, tensor in before.items():
        grown = [
            (dimension, more - size)
            for dimension, (size, more) in enumerate(
                zip(tensor.shape, after[name].shape, strict=True)
            )
            if more != size
        ]
        if grown and (len(grown) > 1 or grown[0][1] != 1):
            raise UsageError(f"{name} does not have a row a word, and cannot be given others")
        if grown:
            found[name] = grown[0][0]
    return found


def common(old: Dictionary, new: Dictionary) -> tuple[Tensor, Tensor]:
    """Ids in the old and in the new dictionary of the words that both have."""
    pairs = [(old.indices[word], new.indices[word]) for word in new.symbols if word in old.indices]
    return torch.tensor(pairs).unbind(dim=1)


def exchange(path: str, output: str, data: str, old_data: str | None = None, seed: int = 1) -> None:
    """Writes a checkpoint for the dictionaries of another data folder.

    Args:
        path: the checkpoint.
        output: the file to write.
        data: the other data folder.
        old_data: the one of the checkpoint's dictionaries; None for that of its training.
        seed: of what starts anew.

    Raises:
        UsageError: the checkpoint or a dictionary cannot be read, they do not belong together, or
            the model's tensors do not have a row a word.
    """
    state = checkpoint.read(path)
    cfg = state["cfg"]
    old_data = cfg.task.data if old_data is None else old_data
    if not os.path.isdir(old_data):
        raise UsageError(
            f"{old_data}, on which {path} was trained, is not there: name the folder of its "
            "dictionaries by --old-data"
        )
    with one_line(path, architecture(cfg)):
        cfg.task.data = old_data
        (model,), _, task = checkpoint_utils.load_model_ensemble_and_task([path], state=state)
        kept, before = model.state_dict(), dictionaries(task)
        task = task_of(cfg.task, data)
        torch.manual_seed(seed)
        model = task.build_model(cfg.model, True)
        after = dictionaries(task)
        if before.keys() != after.keys():
            told = {True: "one dictionary of both sides", False: "two dictionaries"}
            raise UsageError(
                f"it was trained with {told['joint' in before]}, and {data} has "
                f"{told['joint' in after]}"
            )
        state["model"] = model.state_dict()
        for side, (new, *_) in after.items():
            old = before[side][0]
            rows = common(old, new)
            for name, dimension in following(cfg, data, side).items():
                anew, weight = state["model"][name], kept.pop(name)
                sizes = weight.shape[dimension], anew.shape[dimension]
                if sizes != (len(old), len(new)):
                    raise UsageError(f"{name} does not have a row a word")
                anew.index_copy_(dimension, rows[1], weight.index_select(dimension, rows[0]))
            print(
                f"{side} dictionary: of {len(new):,} entries {len(rows[0]):,} are kept and "
                f"{len(new) - len(rows[0]):,} start anew; {len(old) - len(rows[0]):,} are dropped"
            )
        for name, weight in kept.items():
            state["model"][name].copy_(weight)
    cfg.task.data = data
    checkpoint.write(output, state, task_state=task.state_dict())


def main() -> None:
    """The command line."""
    logging.basicConfig(format=FORMAT)
    parser = argparse.ArgumentParser(
        prog="python -m fairseq_genext.weights.vocabulary",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("checkpoint")
    parser.add_argument("--data", required=True, help="data folder with the new dictionary")
    parser.add_argument("--output", required=True, help="the checkpoint to write")
    parser.add_argument(
        "--old-data", help="data folder of the checkpoint, if it is no longer where it was"
    )
    parser.add_argument("--seed", type=int, default=1, help="of what starts anew")
    args = parser.parse_args()
    exchange(args.checkpoint, args.output, args.data, args.old_data, args.seed)


if __name__ == "__main__":
    main()
