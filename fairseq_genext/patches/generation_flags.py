"""Flags of generation: which go together, and what fairseq makes of their edges."""

import logging
import math

from fairseq import search, utils
from fairseq.tasks import FairseqTask

from fairseq_genext.errors import COLDEST, UsageError, flag, reason
from fairseq_genext.patches.patch import patch

logger = logging.getLogger(__name__)


def check_generation(cfg) -> None:
    """Checks what fairseq-generate and fairseq-interactive are told of the search.

    Args:
        cfg: the parsed flags, or fairseq's configuration made of them.

    Raises:
        UsageError: a number is out of its range, or flags do not go together.
    """
    cfg = getattr(cfg, "generation", cfg)
    for name in ("lenpen", "unkpen", "diversity_rate", "diverse_beam_strength", "lm_weight"):
        if not math.isfinite(getattr(cfg, name)):
            raise UsageError(f"{flag(name)} is {getattr(cfg, name)}; it must be a finite number")
    for name in ("beam", "nbest"):
        if getattr(cfg, name) < 1:
            raise UsageError(f"{flag(name)} is {getattr(cfg, name)}; it must be at least 1")
    for name in ("max_len_a", "max_len_b", "prefix_size", "no_repeat_ngram_size", "min_len"):
        if not 0 <= getattr(cfg, name) < math.inf:
            raise UsageError(f"{flag(name)} is {getattr(cfg, name)}; it must be 0 or greater")
    if not COLDEST <= cfg.temperature < math.inf:
        raise UsageError(
            f"--temperature is {cfg.temperature}; it must be at least {COLDEST:g}, and finite. For "
            "the most probable words leave out --sampling and give --beam 1"
        )
    if cfg.max_len_a == 0 and cfg.max_len_b < max(cfg.min_len, 1):
        raise UsageError(
            f"--max-len-b is {cfg.max_len_b}; it must be at least --min-len {max(cfg.min_len, 1)}"
        )
    if cfg.nbest > cfg.beam:
        raise UsageError(
            f"--nbest {cfg.nbest} is more than the {cfg.beam} hypotheses of --beam; raise --beam"
        )
    ways = [
        bool(cfg.constraints),
        cfg.sampling,
        cfg.diverse_beam_groups > 0,
        cfg.match_source_len,
        cfg.diversity_rate > 0,
    ]
    if sum(ways) > 1:
        raise UsageError(
            "--sampling, --diverse-beam-groups, --match-source-len, --diversity-rate and "
            "--constraints: choose one"
        )
    if not cfg.sampling:
        for name in ("sampling_topk", "sampling_topp"):
            if getattr(cfg, name) >= 0:
                raise UsageError(f"{flag(name)} needs --sampling")
        return
    if cfg.nbest != cfg.beam:
        raise UsageError(
            f"--sampling draws --beam {cfg.beam} samples an input and --nbest {cfg.nbest} would "
            f"keep the most probable: give --beam 1 for one sample, or --nbest {cfg.beam} for all"
        )
    if cfg.sampling_topp > 0 and cfg.sampling_topk > 0:
        raise UsageError("--sampling-topk and --sampling-topp: fairseq takes one of them alone")
    if not (cfg.sampling_topp <= 1 and cfg.sampling_topp != 0):
        raise UsageError(
            f"--sampling-topp is {cfg.sampling_topp}; it must be greater than 0 and at most 1"
        )
    if cfg.beam > 1:
        logger.info(f"all {cfg.beam} samples of an input are written, the most probable first")


def check_constraints(cfg) -> None:
    """Raises UsageError if fairseq-generate is asked for words that its data cannot name."""
    if cfg.generation.constraints:
        raise UsageError(
            "--constraints: binarised data names none; use fairseq-interactive, which reads them "
            "after each input, parted by tabs"
        )


@patch(FairseqTask, "build_generator")
def require_iterations(build, self, models, args, *rest, **kwargs):
    """What makes hypotheses, word by word.

    Raises:
        UsageError: the iterations are wanted of those that are made by iterations.
    """
    for name in ("print_step", "retain_iter_history"):
        if getattr(args, name, False):
            raise UsageError(
                f"{flag(name)} needs a model that generates by iterations (--task translation_lev)"
            )
    return build(self, models, args, *rest, **kwargs)


@patch(search.Sampling, "__init__")
def clamp_topk(init, self, tgt_dict, sampling_topk=-1, sampling_topp=-1.0) -> None:
    """More words than there are is all of them."""
    init(self, tgt_dict, min(sampling_topk, len(tgt_dict)), sampling_topp)


@patch(utils, "load_align_dict")
def copy_unknown_words(load, replace_unk: str | None) -> dict | None:
    """``--replace-unk`` without a file copies the source's words; fairseq opens the file "@@ ".

    Raises:
        UsageError: the file is no UTF-8 text.
    """
    try:
        return load("" if replace_unk == "@@ " else replace_unk)
    except ValueError as error:
        raise UsageError(f"--replace-unk {replace_unk}: {reason(error)}") from None
