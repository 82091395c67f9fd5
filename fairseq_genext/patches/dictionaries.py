"""Every checkpoint holds digests of its dictionaries, compared wherever it is loaded.

Without, the same words in another order are taken silently: every id means another word.
"""

import hashlib
import logging

from fairseq.data import Dictionary
from fairseq.models import FairseqLanguageModel
from fairseq.tasks import FairseqTask

from fairseq_genext.errors import UsageError
from fairseq_genext.patches.patch import patch

logger = logging.getLogger(__name__)

KEY = "dictionaries"  # in a checkpoint's task_state
WHAT_TO_DO = "use the data folder (dict.txt) that the checkpoint was trained on"


def digest(dictionary: Dictionary) -> dict:
    """SHA-256 of the symbols in the order of their ids and in that of the alphabet."""
    symbols = [dictionary[index] for index in range(len(dictionary))]

    def sha256(words: list[str]) -> str:
        # No symbol has a line's end in it: a dictionary is read line by line.
        return hashlib.sha256("\n".join(words).encode("utf-8", "surrogatepass")).hexdigest()

    return {"entries": len(symbols), "ids": sha256(symbols), "words": sha256(sorted(symbols))}


def digests(task) -> dict[str, dict]:
    """Those of a task's dictionaries, by side, or by language where a task has many."""
    known = getattr(task, "dicts", None)
    if not isinstance(known, dict):
        known = {side: getattr(task, f"{side}_dictionary", None) for side in ("source", "target")}
    return {
        str(name): digest(dictionary)
        for name, dictionary in known.items()
        if isinstance(dictionary, Dictionary)
    }


def require_same_dictionaries(path: str, state: dict, task) -> None:
    """Compares a checkpoint's digests with the dictionaries of a task.

    A checkpoint without, such as one of fairseq alone, is taken with a warning.

    Raises:
        UsageError: a dictionary is another.
    """
    here = digests(task)
    held = state.get("task_state") or {}
    if not here:
        return
    if not isinstance(held, dict) or not isinstance(held.get(KEY), dict):
        logger.warning(
            "%s holds no digest of its dictionaries: that they are those of the data folder is "
            "not checked",
            path,
        )
        return
    held = held[KEY]
    wrong = [side for side in here if side in held and held[side] != here[side]]
    if not wrong:
        return
    crossed = {"source": held.get("target"), "target": held.get("source")}
    if here == crossed:
        raise UsageError(
            f"{path} was trained in the other direction: swap --source-lang and --target-lang"
        )
    there = held[wrong[0]]
    entries = (there["entries"], here[wrong[0]]["entries"])
    one = "source" in held and held["source"] == held.get("target")
    which = "dictionary" if one else f"{wrong[0]} dictionary"
    if there["words"] == here[wrong[0]]["words"]:
        told = f"whose words stand in another order than in the data folder's; {WHAT_TO_DO}"
    elif entries[0] != entries[1]:
        told = f"of {entries[0]} entries, the one in the data folder has {entries[1]}: {WHAT_TO_DO}"
    else:
        told = f"of other words than the one in the data folder; {WHAT_TO_DO}"
    raise UsageError(f"{path} was trained with a {which} {told}")


@patch(FairseqTask, "state_dict")
def save_digests(state_dict, self) -> dict:
    """fairseq saves what this returns as a checkpoint's ``task_state``."""
    return {**state_dict(self), KEY: digests(self)}


@patch(FairseqTask, "load_state_dict")
def leave_digests(load, self, state: dict) -> None:
    """The digests are those of a checkpoint, no state of the task."""
    load(self, {name: value for name, value in state.items() if name != KEY})


@patch(FairseqTask, "build_generator")
def require_fused_dictionary(build, self, models, args, *rest, **kwargs):
    """``--lm-path`` adds the scores of a language model, id by id.

    Raises:
        UsageError: it is another kind of model, or its dictionary is not that of the targets.
    """
    generator = build(self, models, args, *rest, **kwargs)
    fused = getattr(generator, "lm_model", None)
    if fused is not None and not isinstance(fused, FairseqLanguageModel):
        raise UsageError("--lm-path: the checkpoint holds no language model; take one that does")
    if fused is not None and fused.decoder.dictionary != self.target_dictionary:
        raise UsageError(
            "--lm-path: the language model's dictionary (dict.txt) differs from that of the "
            "targets; train one on text that was binarised with the target dictionary "
            "(fairseq-preprocess --srcdict)"
        )
    return generator
