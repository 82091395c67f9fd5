"""What a language model's training log says beyond fairseq's: bits per byte and utilisation.

``bits_per_byte`` of a text does not depend on how it was cut into tokens, as perplexity does.
``mfu`` is model-flop utilisation. fairseq's ``wps``, target tokens a second of all processes, is
that of training alone here.
"""

import math
import time
from collections import OrderedDict
from collections.abc import Callable

import torch
from fairseq.criterions.adaptive_loss import AdaptiveLoss
from fairseq.criterions.cross_entropy import CrossEntropyCriterion
from fairseq.criterions.label_smoothed_cross_entropy import LabelSmoothedCrossEntropyCriterion
from fairseq.logging import metrics
from fairseq.logging.meters import MetersDict, TimeMeter
from fairseq.models import FairseqLanguageModel
from fairseq.tasks import FairseqTask
from fairseq.tasks.language_modeling import LanguageModelingTask
from fairseq.trainer import Trainer

from fairseq_genext.criterions.sequence_mean_cross_entropy import SequenceMeanCrossEntropy
from fairseq_genext.data.token_bytes import token_bytes
from fairseq_genext.patches.patch import patch, patch_command
from fairseq_genext.utilisation import flops_per_token, peak_flops

# Their nll_loss, or without it their loss, is the sum of all targets' negative log-likelihoods.
SUMS = (
    CrossEntropyCriterion,
    LabelSmoothedCrossEntropyCriterion,
    AdaptiveLoss,
    SequenceMeanCrossEntropy,
)


def count_bytes(task, sample, criterion, logged: dict) -> None:
    """Adds ``text_bytes`` to what a batch logs, where a dictionary tells how many they are."""
    if not isinstance(task, LanguageModelingTask) or not isinstance(criterion, SUMS):
        return
    if task.targets != ["future"] or getattr(criterion, "ignore_prefix_size", 0) > 0:
        return
    if not hasattr(task, "token_bytes"):
        task.token_bytes = token_bytes(task.target_dictionary, next(iter(task.datasets.values())))
    if task.token_bytes is not None:
        previous, target = sample["net_input"]["src_tokens"], sample["target"]
        logged["text_bytes"] = task.token_bytes.count(previous, target)


@patch(FairseqTask, "train_step")
def count_bytes_of_training(step, self, sample, model, criterion, *args, **kwargs):
    """Its third result is what the batch logs."""
    done = step(self, sample, model, criterion, *args, **kwargs)
    count_bytes(self, sample, criterion, done[2])
    if "tokens_read" in sample:
        done[2]["tokens_read"] = sample["tokens_read"]
    return done


@patch(FairseqTask, "valid_step")
def count_bytes_of_validation(step, self, sample, model, criterion):
    """As in training."""
    done = step(self, sample, model, criterion)
    count_bytes(self, sample, criterion, done[2])
    return done


def bits_per_byte(meters: MetersDict) -> float | None:
    """Of everything since the meters were reset; None where a word was unknown."""
    total = float(meters["_bytes"].sum)
    return round(float(meters["_bits"].sum) / total, 4) if total > 0 else None


@patch(FairseqTask, "reduce_metrics")
def log_bits_per_byte(reduce_metrics, self, logging_outputs, criterion) -> None:
    """Bits and bytes are summed apart, so that long batches weigh more."""
    reduce_metrics(self, logging_outputs, criterion)
    if any("text_bytes" in log for log in logging_outputs):
        nats = sum(log.get("nll_loss", log.get("loss", 0)) for log in logging_outputs)
        read = sum(log.get("text_bytes", 0) for log in logging_outputs)
        metrics.log_scalar_sum("_bits", nats / math.log(2))
        metrics.log_scalar_sum("_bytes", read)
        metrics.log_derived("bits_per_byte", bits_per_byte, priority=15)


@patch(MetersDict, "get_smoothed_values")
def leave_out_nothing(values, self):
    """A figure that is None, as of a text with an unknown word, is not logged."""
    return OrderedDict((name, value) for name, value in values(self).items() if value is not None)


def precision(cfg) -> str:
    """Of the factors of a training's matrix products on a GPU."""
    if cfg.common.bf16:
        return "bfloat16"
    if cfg.common.fp16 or cfg.common.amp:
        return "float16"
    return "float32" if torch.get_float32_matmul_precision() == "highest" else "tf32"


def peak(trainer: Trainer) -> float | None:
    """Operations a second of all GPUs of a training; None where there is none, or no known one."""
    if not trainer.cuda:
        return None
    one = peak_flops(torch.cuda.get_device_name(), precision(trainer.cfg))
    return one and one * trainer.data_parallel_world_size


def utilisation_of(trainer: Trainer) -> Callable[[float, float], float] | None:
    """A function of an update's tokens and texts: the seconds that it would take at the peak."""
    model, most = trainer.get_model(), peak(trainer)
    if most is None or not isinstance(model, FairseqLanguageModel):
        return None
    once = flops_per_token(model.decoder, 0)
    with_length = flops_per_token(model.decoder, 1) - once
    return lambda tokens, texts: tokens * (once + with_length * tokens / texts) / most


@patch(Trainer, "_reduce_and_log_stats")
def log_utilisation(log_stats, self, logging_outputs, sample_size, grad_norm=None):
    """The figures of an update or, without ``grad_norm``, of a batch of validation."""
    if not hasattr(self, "seconds_at_peak"):  # before a clock starts
        self.seconds_at_peak = utilisation_of(self)
    logged = log_stats(self, logging_outputs, sample_size, grad_norm)
    # Of prompts and answers (--loss-on) the answers alone are targets.
    tokens = sum(log.get("tokens_read", log.get("ntokens", 0)) for log in logging_outputs)
    texts = sum(log.get("nsentences", 0) for log in logging_outputs)
    if grad_norm is not None and self.seconds_at_peak is not None and tokens > 0:
        seconds = float(self.seconds_at_peak(tokens, texts))
        metrics.log_speed("mfu", seconds, priority=95, round=4)
    return logged


@patch_command("train", "validate_and_save")
def train_by_its_own_clock(validate_and_save, *args, **kwargs):
    """fairseq's speeds fall with every validation and checkpoint within the time they are of."""
    start = time.perf_counter()
    done = validate_and_save(*args, **kwargs)
    elsewhere = time.perf_counter() - start
    for name in ("train", "train_inner"):
        for meter in (metrics.get_meters(name) or {}).values():
            if isinstance(meter, TimeMeter):
                meter.start += elsewhere
    return done
