"""Flags that do not go together are refused in one line, before anything is loaded.

fairseq tells of them by an assertion or a ``ValueError``, hence by a traceback, or takes them
silently.
"""

import ast
import functools
import json
import logging
import math
from argparse import Namespace
from collections.abc import Callable, Sequence

import torch
from fairseq import optim, options, search, tasks, utils
from fairseq.sequence_generator import SequenceGeneratorWithAlignment
from fairseq.sequence_scorer import SequenceScorer
from fairseq.tasks import FairseqTask, LegacyFairseqTask
from fairseq.tasks.language_modeling import LanguageModelingTask
from fairseq.tasks.translation import TranslationTask
from hydra.errors import ConfigCompositionException
from omegaconf import DictConfig, open_dict
from omegaconf.errors import OmegaConfBaseException

from fairseq_genext.errors import UsageError, flag, reason
from fairseq_genext.files import open_text
from fairseq_genext.patches.batches import NothingLeftError
from fairseq_genext.patches.patch import patch, patch_command

logger = logging.getLogger(__name__)


# Numbers of fairseq-train and the least they may be; 0 often means never or no limit.
LEAST = {
    "common": {"log_interval": 1, "seed": 0},
    "dataset": {
        "batch_size": 1,
        "batch_size_valid": 1,
        "max_tokens": 1,
        "num_workers": 0,
        "required_batch_size_multiple": 1,
        "validate_interval": 1,
        "validate_interval_updates": 0,
    },
    "optimization": {"max_epoch": 0, "max_update": 0, "clip_norm": 0, "lr": 0, "update_freq": 1},
    "checkpoint": {"save_interval": 1, "save_interval_updates": 0},
    "ema": {"ema_decay": 0, "ema_start_update": 0, "ema_update_freq": 1},
    "lr_scheduler": {"warmup_updates": 0},
    "task": {"tokens_per_sample": 1, "max_source_positions": 1, "max_target_positions": 1},
}


# Flags that are read as a mapping, and by what.
MAPPINGS = {
    "common_eval": {"model_overrides": ast.literal_eval},
    "checkpoint": {"optimizer_overrides": ast.literal_eval},
    "task": {
        "eval_bleu_args": json.loads,
        "eval_bleu_detok_args": json.loads,
    },
}


def check_settings(cfg: DictConfig) -> None:
    """Checks fairseq's own numbers and mappings, of whatever command.

    Raises:
        UsageError: a number is out of its range, or a mapping is none.
    """
    for group, least in LEAST.items():
        for name, minimum in least.items():
            given = getattr(getattr(cfg, group, None), name, None)
            for value in given if isinstance(given, Sequence) else [given]:
                if value is not None and not value >= minimum:
                    raise UsageError(f"{flag(name)} is {value}; it must be at least {minimum}")
    for group, readers in MAPPINGS.items():
        for name, read in readers.items():
            given = getattr(getattr(cfg, group, None), name, None)
            try:
                known = given is None or isinstance(read(given), dict)
            except (ValueError, SyntaxError, RecursionError):
                known = False
            if not known:
                raise UsageError(
                    f"{flag(name)} is {given}, which is no mapping; quote it as "
                    """'{"name": value}'"""
                )


def check_training(cfg: DictConfig) -> None:
    """Raises UsageError if training asks for a device that is missing, or a number is too large."""
    if cfg.common.fp16 and not torch.cuda.is_available():
        raise UsageError("--fp16 needs a GPU; a CPU trains with --bf16, or without either")
    if cfg.ema.ema_decay > 1:
        raise UsageError(f"--ema-decay is {cfg.ema.ema_decay}; it must be at most 1")
    processes = cfg.distributed_training
    if (
        cfg.ema.store_ema
        and processes.ddp_backend == "fully_sharded"
        and processes.distributed_world_size > 1
    ):
        raise UsageError(
            "--store-ema averages whole weights, of which a process of --ddp-backend fully_sharded "
            "has a share: choose pytorch_ddp or legacy_ddp"
        )


def check_samples(cfg) -> None:
    """Raises UsageError where a command reads data and is asked for samples from nothing."""
    if getattr(getattr(cfg, "task", cfg), "num_samples", 0) > 0:
        raise UsageError("--num-samples is for fairseq-generate: leave it out")


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
    if not 0 < cfg.temperature < math.inf:
        raise UsageError(
            f"--temperature is {cfg.temperature}; it must be greater than 0. For the most probable "
            "words leave out --sampling and give --beam 1"
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


def check_window(cfg: DictConfig) -> None:
    """Raises UsageError unless the context of fairseq-eval-lm leaves room for text in its block."""
    window, block = cfg.eval_lm.context_window, cfg.task.tokens_per_sample
    if not 0 <= window < block:
        raise UsageError(
            f"--context-window is {window}; it must be 0 or greater, and less than "
            f"--tokens-per-sample {block}"
        )


def check_path(cfg) -> None:
    """Raises UsageError where the command reads a checkpoint and is given none."""
    if getattr(getattr(cfg, "common_eval", cfg), "path", None) is None:
        raise UsageError(
            "--path is missing: name the checkpoint, as checkpoints/checkpoint_best.pt"
        )


def check_pairs(args: Namespace) -> None:
    """Checks what fairseq-preprocess is given to read.

    Raises:
        UsageError: a text is missing, or two are not parallel.
    """
    languages = [args.source_lang] + ([] if args.only_source else [args.target_lang])
    if args.dict_only or (None in languages and len(languages) == 2):
        return
    for prefixes in (args.trainpref, args.validpref, args.testpref):
        for prefix in prefixes.split(",") if prefixes else ():
            files = [f"{prefix}.{language}" if language else prefix for language in languages]
            counts = [sum(1 for _line in open_text(file, errors="replace")) for file in files]
            if len(set(counts)) > 1:
                raise UsageError(
                    f"{files[0]} has {counts[0]:,} lines and {files[1]} {counts[1]:,}: line by "
                    "line they must be translations of each other"
                )


CHECKS = {
    "preprocess": [check_pairs],
    "train": [check_settings, check_training, check_samples],
    "generate": [check_path, check_settings, check_generation, check_constraints],
    "interactive": [check_path, check_settings, check_generation, check_samples],
    "validate": [check_path, check_settings, check_samples],
    "eval_lm": [check_path, check_settings, check_window, check_samples],
}


def checked(checks: list[Callable], main: Callable, cfg, *args, **kwargs):
    """Runs a command after its checks; what fairseq asserts of flags becomes one line.

    Raises:
        UsageError: as the checks, or in place of an error that names a flag, or a file that
            cannot be read or written.
    """
    try:
        for check in checks:
            check(cfg)
        return main(cfg, *args, **kwargs)
    except (AssertionError, ValueError) as error:
        if "--" not in str(error):
            raise
        raise UsageError(" ".join(str(error).split())) from None
    except FileExistsError as error:
        raise UsageError(f"{error.filename or error} exists already: name another folder") from None
    except OSError as error:
        if error.filename is None:
            raise
        raise UsageError(f"{error.filename}: {error.strerror}") from None


# What fairseq and its libraries raise of a flag; some flags it evaluates.
UNFIT = (
    AssertionError, LookupError, ValueError, ArithmeticError, NameError, SyntaxError, OSError,
    ImportError, OmegaConfBaseException,
)  # fmt: skip


def built(build: Callable, *args, **kwargs):
    """A task, model, criterion, optimizer, schedule, tokenizer or bpe.

    Raises:
        UsageError: in place of what its constructor raises of a value that it cannot take.
    """
    try:
        return build(*args, **kwargs)
    except UNFIT as error:
        raise UsageError(
            f"a flag of the task, model, criterion, optimizer, schedule of the learning rate, "
            f"tokenizer or bpe does not fit: {reason(error)}"
        ) from error
    except Exception as error:
        if type(error) is not Exception:  # which fairseq raises of flags as well
            raise
        raise UsageError(" ".join(str(error).split())) from error


patch(tasks, "setup_task")(built)
patch(optim, "build_optimizer")(built)
patch(optim.lr_scheduler, "build_lr_scheduler")(built)
# TranslationTask makes the tokenizer of --eval-bleu after the model.
for _task in (FairseqTask, LegacyFairseqTask, TranslationTask):
    patch(_task, "build_model")(built)
for _task in (FairseqTask, LegacyFairseqTask):
    patch(_task, "build_criterion")(built)
for _name in ("build_tokenizer", "build_bpe"):
    patch(FairseqTask, _name)(built)


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


def composed(compose: Callable, args: Namespace) -> DictConfig:
    """The configuration of parsed flags.

    Raises:
        UsageError: a flag is missing or has a value of another kind, of which hydra writes a page.
    """
    try:
        return compose(args)
    except ConfigCompositionException as error:
        told = str(error.__cause__ or "").partition("\n")[0]
        raise UsageError(f"{error}: {told}") from None


for _command, _checks in CHECKS.items():
    patch_command(_command, "main")(functools.partial(checked, _checks))
for _command in CHECKS.keys() - {"preprocess"}:
    patch_command(_command, "convert_namespace_to_omegaconf")(composed)


@patch(utils, "import_user_module")
def require_user_dir(import_user_module, args) -> None:
    """Raises UsageError if there is no folder of that name, or no plugin in it."""
    try:
        import_user_module(args)
    except FileNotFoundError as error:
        raise UsageError(f"--user-dir {error} does not exist") from None
    except ImportError as error:
        raise UsageError(
            f"--user-dir {args.user_dir} cannot be imported: {reason(error)}"
        ) from None


@patch(options, "parse_args_and_arch")
def require_task_and_architecture(parse: Callable, *args, **kwargs) -> Namespace:
    """The parsed flags.

    Raises:
        UsageError: the command has no task by default (fairseq-validate) and is given none, or it
            is given no architecture.
    """
    try:
        return parse(*args, **kwargs)
    except RuntimeError as error:
        if error.args:
            raise
        raise UsageError("--arch is missing: name a model, such as gpt_doc_mini") from None
    except KeyError as error:
        if error.args != (None,):
            raise
        raise UsageError("--task is missing: give the one that the model was trained in") from None


@patch_command("train", "get_valid_stats")
def name_the_metrics(get_valid_stats, cfg: DictConfig, trainer, stats: dict, *args) -> dict:
    """Figures of a validation.

    Raises:
        UsageError: ``--best-checkpoint-metric`` is none of them.
    """
    wanted = cfg.checkpoint.best_checkpoint_metric
    known = {*stats, "num_updates"}
    if wanted not in known:
        choices = ", ".join(sorted(known))
        raise UsageError(
            f"--best-checkpoint-metric {wanted} does not exist; choose one of {choices}"
        )
    return get_valid_stats(cfg, trainer, stats, *args)


def require_attention(attention) -> None:
    """Raises UsageError if a hypothesis has none."""
    if attention is None or attention.numel() == 0:
        raise UsageError("--print-alignment: the model has no attention; leave the flag out")


@patch(SequenceGeneratorWithAlignment, "_prepare_batch_for_alignment")
def require_attention_of_hypotheses(prepare, self, sample: dict, hypotheses):
    """What alignments are read from.

    Raises:
        UsageError: the model has no attention.
    """
    require_attention(hypotheses[0][0]["attention"])
    return prepare(self, sample, hypotheses)


@patch(SequenceScorer, "generate")
def require_attention_of_references(generate, self, models, sample: dict, **kwargs):
    """Scores of the references.

    Raises:
        UsageError: alignments are wanted and the model has no attention.
    """
    found = generate(self, models, sample, **kwargs)
    if self.compute_alignment:
        require_attention(found[0][0]["attention"])
    return found


@patch(search.Sampling, "__init__")
def clamp_topk(init, self, tgt_dict, sampling_topk=-1, sampling_topp=-1.0) -> None:
    """More words than there are is all of them."""
    init(self, tgt_dict, min(sampling_topk, len(tgt_dict)), sampling_topp)


@patch(LanguageModelingTask, "eval_lm_dataloader")
def refuse_context_of_sentences(dataloader, self, *args, context_window: int = 0, **kwargs):
    """A window of context runs over the text before a block; a sentence has none.

    Raises:
        UsageError: ``--context-window`` and ``--sample-break-mode eos``.
    """
    if context_window > 0 and self.args.sample_break_mode == "eos":
        raise UsageError(
            f"--context-window {context_window}: each line is read by itself, without the lines "
            "before it; leave the flag out, or give --sample-break-mode none"
        )
    return dataloader(self, *args, context_window=context_window, **kwargs)


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


@patch_command("interactive", "make_batches")
def leave_out_lines_that_are_too_long(make_batches, lines, cfg, *args):
    """One line that is longer than the model takes does not end a session; fairseq warns of it."""
    with open_dict(cfg):
        cfg.dataset.skip_invalid_size_inputs_valid_test = True
    try:
        yield from make_batches(lines, cfg, *args)
    except NothingLeftError:
        return
