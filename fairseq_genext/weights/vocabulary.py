"""Gives a checkpoint another vocabulary, to train it further on other data.

    python -m fairseq_genext.weights.vocabulary CHECKPOINT --data NEW --output FILE [--old-data OLD]

NEW and OLD are binarised data folders (dict.txt, or dict.LANG.txt of each side); OLD is by default
the one that the checkpoint was trained on. Of embeddings and output layers, rows of words that both
dictionaries have are kept, the special ones included; those of new words start anew, as the model
initialises them. All other weights are kept. fairseq-train then begins with the output:

    fairseq-train NEW … --finetune-from-model FILE
"""

import os

import torch
from fairseq import checkpoint_utils, tasks
from fairseq.data import Dictionary
from omegaconf import DictConfig
from torch import Tensor

from fairseq_genext.errors import UsageError
from fairseq_genext.evaluation import command
from fairseq_genext.patches.checkpoints import architecture
from fairseq_genext.patches.weights import one_line
from fairseq_genext.weights import checkpoint

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
    """The dictionaries of a task; two sides that are equal have one together."""
    source, target = task.source_dictionary, task.target_dictionary
    if not isinstance(source, Dictionary) or not isinstance(target, Dictionary):
        raise UsageError(f"the task {type(task).__name__} has no dictionary to exchange")
    if source == target:
        return {"dictionary": [source, target]}
    return {"source dictionary": [source], "target dictionary": [target]}


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


def common(old: Dictionary, new: Dictionary) -> Tensor:
    """Ids in the old and in the new dictionary of the words that both have: ``(2, words)``.

    Special entries have fixed ids, whatever ``#fairseq:overwrite`` makes of their names.
    """
    pairs = [
        (number if number < old.nspecial else old.indices[word], number)
        for number, word in enumerate(new.symbols)
        if number < old.nspecial or word in old.indices
    ]
    return torch.tensor(pairs).T


def copy_rows(
    old: Tensor, new: Tensor, dimension: int, words: list[tuple[Dictionary, Dictionary]]
) -> bool:
    """Copies what a tensor has of the words that its dictionaries share.

    Args:
        old: what it was.
        new: what it is to be.
        dimension: the one that follows the dictionaries.
        words: the old and the new dictionary; of two sides, as a discriminator of pairs has them,
            the target's rows come after the source's.

    Returns:
        Whether it has a row a word; if not, nothing is copied.
    """
    start = torch.zeros(2, 1, dtype=torch.long)
    rows = []
    for pair in words:
        rows.append(common(*pair) + start)
        start = start + torch.tensor([[len(each)] for each in pair])
    if [old.shape[dimension], new.shape[dimension]] != start.flatten().tolist():
        return False
    taken, given = torch.cat(rows, dim=1)
    new.index_copy_(dimension, given, old.index_select(dimension, taken))
    return True


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
            the model's tensors do not have a row a word, or ``output`` is ``path``.
    """
    checkpoint.require_other(output, path)
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
            raise UsageError(
                f"it was trained with {' and '.join(before)}, and {data} has {' and '.join(after)}"
            )
        state["model"] = model.state_dict()
        places: dict[str, tuple[int, list]] = {}
        for side, (new, *_) in after.items():
            old = before[side][0]
            for name, dimension in following(cfg, data, side).items():
                places.setdefault(name, (dimension, []))[1].append((old, new))
            number = common(old, new).size(1)
            print(
                f"{side}: of {len(new):,} entries {number:,} are kept and {len(new) - number:,} "
                f"start anew; {len(old) - number:,} are dropped"
            )
        for name, (dimension, words) in places.items():
            if not copy_rows(kept.pop(name), state["model"][name], dimension, words):
                raise UsageError(f"{name} does not have a row a word, and cannot be given others")
        for name, weight in kept.items():
            state["model"][name].copy_(weight)
    cfg.task.data = data
    checkpoint.write(output, state, task_state=task.state_dict())


def main() -> None:
    """The command line."""
    parser = command.parser("python -m fairseq_genext.weights.vocabulary", __doc__)
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
