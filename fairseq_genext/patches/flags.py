"""Flags that do not go together are refused in one line, before anything is loaded.

fairseq tells of them by an assertion or a ``ValueError``, hence by a traceback, or takes them
silently.
"""

import ast
import functools
import json
from argparse import Namespace
from collections.abc import Callable, Sequence

import torch
from fairseq.tasks.language_modeling import LanguageModelingTask
from hydra.errors import ConfigCompositionException
from omegaconf import DictConfig

from fairseq_genext.errors import UsageError, flag
from fairseq_genext.files import open_text
from fairseq_genext.patches import residual  # noqa: F401  patched first: it runs after the checks
from fairseq_genext.patches.generation_flags import check_constraints, check_generation
from fairseq_genext.patches.patch import patch, patch_command

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


# Flags of `unconditional_generation` that other commands would take and ignore: their value when
# off, and whose they are.
OF_COMMANDS = {
    "num_samples": (0, ("generate",)),
    "resample": (1, ("generate", "interactive")),
    "resample_weight": (1.0, ("generate", "interactive")),
    "repetition_penalty": (1.0, ("generate", "interactive")),
    "write_prompts": (False, ("generate", "interactive")),
    "partition_samples": (0, ("eval_lm",)),
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
    """Checks what fairseq-train is told of devices, averages and processes.

    Raises:
        UsageError: a device is missing, a number is too large, or flags do not go together.
    """
    if cfg.common.fp16 and not torch.cuda.is_available():
        raise UsageError("--fp16 needs a GPU; a CPU trains with --bf16, or without either")
    if cfg.ema.ema_decay > 1:
        raise UsageError(f"--ema-decay is {cfg.ema.ema_decay}; it must be at most 1")
    if cfg.optimization.sentence_avg and not hasattr(cfg.criterion, "sentence_avg"):
        raise UsageError(
            f"--sentence-avg: --criterion {cfg.criterion._name} has its own mean; leave it out"
        )
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


def check_command(command: str, cfg) -> None:
    """Raises UsageError where a flag is given to a command that would ignore it."""
    for name, (off, commands) in OF_COMMANDS.items():
        if command not in commands and getattr(getattr(cfg, "task", cfg), name, off) != off:
            named = " and ".join(f"fairseq-{known.replace('_', '-')}" for known in commands)
            raise UsageError(f"{flag(name)} is for {named}: leave it out")


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
    "train": [check_settings, check_training],
    "generate": [check_path, check_settings, check_generation, check_constraints],
    "interactive": [check_path, check_settings, check_generation],
    "validate": [check_path, check_settings],
    "eval_lm": [check_path, check_settings, check_window],
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
        said = str(error)
        if said.startswith("min_len cannot be larger"):  # of the generators, which know the limit
            said = (
                f"--min-len is {cfg.generation.min_len}, more than the model or --max-len-a and "
                "--max-len-b let it write; make it smaller"
            )
        if "--" not in said:
            raise
        raise UsageError(" ".join(said.split())) from None
    except FileExistsError as error:
        raise UsageError(f"{error.filename or error} exists already: name another folder") from None
    except OSError as error:
        if error.filename is None:
            raise
        raise UsageError(f"{error.filename}: {error.strerror}") from None


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
    _checks = [*_checks, functools.partial(check_command, _command)]
    patch_command(_command, "main")(functools.partial(checked, _checks))
for _command in CHECKS.keys() - {"preprocess"}:
    patch_command(_command, "convert_namespace_to_omegaconf")(composed)


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
