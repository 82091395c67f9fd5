"""Quality and diversity of fresh samples in every validation: what the text tasks share.

The figures are logged as ``sample_…``, so that ``--best-checkpoint-metric`` and ``--patience`` work
on them, of a language model and of a GAN alike.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import torch
from fairseq.dataclass import FairseqDataclass
from fairseq.logging import metrics
from omegaconf import II

from fairseq_genext.criterions.repeatable_validation import RepeatableValidation
from fairseq_genext.errors import UsageError, require_positive
from fairseq_genext.evaluation.metrics.ngram_bleu import ReferenceIndex
from fairseq_genext.evaluation.metrics.sample_quality import ORDERS as QUALITY_ORDERS
from fairseq_genext.evaluation.metrics.sample_quality import sample_quality
from fairseq_genext.gan.watch import warn
from fairseq_genext.modules.samplers import SampleLength, Samples, plain_sampling
from fairseq_genext.modules.word_decoder import WordDecoder

SAMPLED_AT_ONCE = 250
COLLAPSED = 0.5  # share of samples that repeat another one
LONG = 0.01  # share of training lines that may be longer than samples


def valid_samples(default: int):
    """The flag ``--valid-samples``, whose default is the task's."""
    return field(
        default=default,
        metadata={
            "help": "samples that each validation draws and measures against the validation set "
            "(sample_bleu_2 to 4, sample_self_bleu_2 to 4, sample_duplicates); 0: none"
        },
    )


@dataclass
class ValidationSamplesConfig(FairseqDataclass):
    max_sample_length: int = field(
        default=32,
        metadata={
            "help": "longest sample of training and validation in tokens, end of sentence included"
        },
    )
    fixed_length: bool = field(
        default=False,
        metadata={
            "help": "every sentence has --max-sample-length words, and neither samples nor "
            "likelihood have an end of sentence (the oracle benchmark)"
        },
    )
    valid_samples: int = valid_samples(default=0)
    seed: int = II("common.seed")


class ValidationSamples(RepeatableValidation):
    """Mixin for tasks over sentences; it stands before the task in the list of bases.

    Raises:
        UsageError: a number is out of its range.
    """

    against_collapse = "a smaller --lr"
    training_split = "train"

    def __init__(self, cfg, *args, **kwargs) -> None:
        super().__init__(cfg, *args, **kwargs)
        require_positive(cfg, "max_sample_length")
        if cfg.valid_samples == 1 or cfg.valid_samples < 0:
            raise UsageError(
                f"--valid-samples is {cfg.valid_samples}; it must be 0, or at least 2, which "
                "Self-BLEU needs"
            )
        self.length = SampleLength(cfg.max_sample_length, cfg.fixed_length)
        self.valid_samples = cfg.valid_samples
        self.seed = cfg.seed
        self._references: dict[tuple[str, ...], ReferenceIndex] = {}
        self._samples_due = True
        self._collapse_told = False
        self._long_lines_told = False

    def build_model(self, cfg, from_checkpoint: bool = False):
        """Builds the model and checks that the task can use it."""
        model = super().build_model(cfg, from_checkpoint)
        self.check_model(model)
        return model

    def check_model(self, model) -> None:
        """Raises UsageError if validation is to sample from a model and cannot."""
        if self.valid_samples == 0:
            return
        if not isinstance(model.decoder, WordDecoder):
            raise UsageError(
                "--valid-samples needs one of this package's architectures, such as --arch rnn_lm "
                "or gpt_doc: choose one, or leave the flag out"
            )
        self.require_room_for_samples(model.max_positions())

    def require_room_for_samples(self, longest: int) -> None:
        """Raises UsageError if a model that reads ``longest`` tokens cannot read a sample."""
        if self.length.maximum > longest:
            raise UsageError(
                f"--max-sample-length {self.length.maximum}: the model reads {longest} tokens at "
                "most; make it smaller, or --max-target-positions larger"
            )

    def load_dataset(self, split: str, epoch: int = 1, combine: bool = False, **kwargs) -> None:
        """Loads a split."""
        if combine:  # all files of it, which fairseq asks for where it trains
            self.training_split = split
        super().load_dataset(split, epoch=epoch, combine=combine, **kwargs)

    def target_sizes(self, dataset) -> np.ndarray:
        """Lengths, in tokens, of the texts of a data set."""
        raise NotImplementedError

    def warn_of_long_lines(self, longest: int) -> None:
        """Warns, once, of training lines that are longer than the samples they are told from.

        Args:
            longest: tokens that the model reads at most; fairseq leaves out longer lines.
        """
        sizes = self.target_sizes(self.datasets[self.training_split])
        sizes = sizes[sizes <= longest]
        long = (sizes > self.length.maximum).mean() if len(sizes) else 0.0
        if long <= LONG or self.length.fixed or self._long_lines_told:
            return
        self._long_lines_told = True
        enough = int(np.quantile(sizes, 1 - LONG, method="higher"))
        warn(
            f"{long:.1%} of the training lines are longer than --max-sample-length "
            f"{self.length.maximum}, where samples are cut: the discriminator learns the cut; give "
            f"--max-sample-length {enough}, or leave out longer lines"
        )

    def begin_valid_epoch(self, epoch, model) -> None:
        """A validation in training begins, with samples of its own."""
        super().begin_valid_epoch(epoch, model)
        self._samples_due = True

    def valid_step(self, sample, model, criterion):
        """The criterion's figures, and with the first batch those of fresh samples."""
        loss, sample_size, logging_output = super().valid_step(sample, model, criterion)
        if self._samples_due and self.valid_samples > 0:
            self._samples_due = False
            with self.validation_randomness(sample), plain_sampling(model):
                batches = list(self.draw_samples(model))
                # Self-BLEU needs two; a validation set of one pair gives one.
                figures = self.measure_samples(batches) if sum(map(len, batches)) > 1 else {}
            drawn = self.valid_samples
            logging_output["samples_drawn"] = drawn
            logging_output |= {f"sample_{name}": value * drawn for name, value in figures.items()}
        return loss, sample_size, logging_output

    def draw_samples(self, model) -> Iterator[Samples]:
        """Batches of ``--valid-samples`` fresh samples."""
        raise NotImplementedError

    def measure_samples(self, batches: list[Samples]) -> dict[str, float]:
        """Quality and diversity of samples, by name."""
        texts = [text for batch in batches for text in self.token_lists(batch.tokens)]
        figures = sample_quality(texts, self._validation_references())
        if figures["duplicates"] > COLLAPSED and not self._collapse_told:
            self._collapse_told = True
            warn(
                f"mode collapse: {figures['duplicates']:.0%} of {len(texts)} samples repeat "
                f"another one; try {self.against_collapse}"
            )
        return figures

    def reduce_metrics(self, logging_outputs, criterion) -> None:
        """Logs a batch's figures, and the means of those of samples over all processes."""
        super().reduce_metrics(logging_outputs, criterion)
        drawn = sum(log.get("samples_drawn", 0) for log in logging_outputs)
        if drawn == 0:
            return
        for key in {key for log in logging_outputs for key in log if key.startswith("sample_")}:
            if key != "sample_size":
                total = sum(log.get(key, 0) for log in logging_outputs)
                metrics.log_scalar(key, total / drawn, drawn, round=4)

    def token_lists(self, batch: torch.Tensor) -> list[list[int]]:
        """``(batch, time)`` ids to lists without padding and end of sentence."""
        special = {self.target_dictionary.pad(), self.target_dictionary.eos()}
        return [[token for token in row if token not in special] for row in batch.tolist()]

    def validation_splits(self) -> tuple[str, ...]:
        """Names of the splits loaded so far but the one to train on; that one if it is alone."""
        others = tuple(name for name in self.datasets if name != self.training_split)
        return others or tuple(self.datasets)

    def _validation_references(self) -> ReferenceIndex:
        # The sentences of every validation split, counted once.
        splits = self.validation_splits()
        if splits not in self._references:
            targets = [item["target"] for name in splits for item in self.datasets[name]]
            sentences = [self.token_lists(target.unsqueeze(0))[0] for target in targets]
            self._references[splits] = ReferenceIndex(sentences, max(QUALITY_ORDERS))
        return self._references[splits]
