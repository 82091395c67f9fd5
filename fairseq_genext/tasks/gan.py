"""`gan`: adversarial training of a text generator, and sampling from it.

One fairseq update is one step of one player. The schedule says whose, the criterion `adversarial`
computes its loss, and the optimizer `two_player_adamw` moves that player alone.
"""

import logging
from dataclasses import dataclass, field
from typing import Optional

import numpy as np
import torch
from fairseq import utils
from fairseq.data import SortDataset, data_utils
from fairseq.tasks import register_task

from fairseq_genext.criterions.adversarial import Adversarial
from fairseq_genext.data.oracle import OracleLSTM
from fairseq_genext.errors import UsageError, require_positive
from fairseq_genext.evaluation.ngram_bleu import ReferenceIndex
from fairseq_genext.evaluation.sample_quality import ORDERS as QUALITY_ORDERS
from fairseq_genext.evaluation.sample_quality import sample_quality
from fairseq_genext.gan.players import require_two_player_optimizer
from fairseq_genext.gan.progress import Progress
from fairseq_genext.gan.schedule import Phase, Schedule
from fairseq_genext.gan.settings import axis, settle
from fairseq_genext.modules.samplers import SampleLength, ancestral, plain_sampling, unroll
from fairseq_genext.tasks.unconditional_generation import (
    UnconditionalGenerationConfig,
    UnconditionalGenerationTask,
)

logger = logging.getLogger(__name__)

SAMPLED_AT_ONCE = 250
COLLAPSED = 0.5  # share of samples that repeat another one


@dataclass
class GANTaskConfig(UnconditionalGenerationConfig):
    generator_pretrain_updates: Optional[int] = axis(
        "generator_pretrain_updates",
        "at most so many updates of the generator alone, by likelihood",
    )
    discriminator_pretrain_updates: Optional[int] = axis(
        "discriminator_pretrain_updates", "at most so many updates of the discriminator alone"
    )
    pretrain_patience: int = field(
        default=0,
        metadata={
            "help": "validations without a lower loss (nll_loss, then d_loss) that end a "
            "pretraining early; 0: never"
        },
    )
    discriminator_steps: Optional[int] = axis(
        "discriminator_steps", "discriminator updates in a round of turns"
    )
    generator_steps: Optional[int] = axis(
        "generator_steps", "generator updates in a round of turns"
    )
    generator_turns_lr_scale: Optional[float] = axis(
        "generator_turns_lr_scale",
        "factor on the generator's learning rate in the turns: likelihood bears larger steps than "
        "a moving opponent",
    )
    max_sample_length: int = field(
        default=32, metadata={"help": "longest training sample in tokens, end of sentence included"}
    )
    fixed_length: bool = field(
        default=False,
        metadata={
            "help": "every sentence has --max-sample-length words, and neither samples nor "
            "likelihood have an end of sentence (the oracle benchmark)"
        },
    )
    valid_samples: int = field(
        default=500,
        metadata={
            "help": "samples that each validation draws and measures against the validation set "
            "(sample_bleu_2 to 4, sample_self_bleu_2 to 4, sample_duplicates); 0: none"
        },
    )
    oracle: str = field(
        default="",
        metadata={
            "help": "an oracle's weights (.npz), by which each validation judges its samples: "
            "sample_oracle_nll"
        },
    )


@register_task("gan", dataclass=GANTaskConfig)
class GANTask(UnconditionalGenerationTask):
    """Trains a model that has a generator and a discriminator.

    Raises:
        UsageError: the schedule is impossible, or model, criterion or optimizer are not a GAN's.
    """

    def __init__(self, args, dictionary, output_dictionary=None, targets=None) -> None:
        super().__init__(args, dictionary, output_dictionary, targets)
        settle(args)
        require_positive(args, "max_sample_length", "generator_turns_lr_scale")
        if args.valid_samples == 1 or args.valid_samples < 0:
            raise UsageError(
                f"--valid-samples is {args.valid_samples}; it must be 0, or at least 2, which "
                "Self-BLEU needs"
            )
        try:
            self.schedule = Schedule(
                args.generator_pretrain_updates,
                args.discriminator_pretrain_updates,
                args.discriminator_steps,
                args.generator_steps,
                args.pretrain_patience,
            )
        except ValueError as error:
            raise UsageError(str(error)) from None
        self.length = SampleLength(args.max_sample_length, args.fixed_length)
        self.oracle = OracleLSTM.load(args.oracle, dictionary) if args.oracle else None
        self.model_scores_tokens = False
        self._references: dict[tuple[str, ...], ReferenceIndex] = {}
        self._watched: Progress | None = None  # of the model under validation in training
        self._samples_due = True

    def build_model(self, cfg, from_checkpoint: bool = False):
        """Builds the model and checks that it has two players."""
        model = super().build_model(cfg, from_checkpoint)
        if not hasattr(model, "discriminator"):
            raise UsageError("--task gan trains two players: choose --arch gan_doc")
        if self.length.maximum > model.max_positions():
            raise UsageError(
                f"--max-sample-length {self.length.maximum}: the players read "
                f"{model.max_positions()} tokens at most; make it smaller, or "
                "--max-target-positions larger"
            )
        self.model_scores_tokens = model.discriminator.per_token
        return model

    def build_criterion(self, cfg):
        """Builds the criterion and checks that it knows turns, and this discriminator."""
        criterion = super().build_criterion(cfg)
        if not isinstance(criterion, Adversarial):
            raise UsageError("--task gan needs --criterion adversarial")
        criterion.check_discriminator(self.model_scores_tokens)
        return criterion

    def load_dataset(self, split: str, **kwargs) -> None:
        """Loads a split; the training set's batches mix sentences of all lengths.

        fairseq batches sentences of like length. A discriminator would then see real batches of
        one length beside generated ones of any, and learn the length of the batch.
        """
        super().load_dataset(split, **kwargs)
        if split == "train" and self.args.num_samples == 0:
            dataset = self.datasets[split]
            with data_utils.numpy_seed(self.args.seed):
                order = np.random.permutation(len(dataset))
            self.datasets[split] = SortDataset(dataset, sort_order=[order])

    def train_step(self, sample, model, criterion, optimizer, update_num, ignore_grad=False):
        """One batch of the player whose turn it is."""
        draw_apart_from_other_processes()
        progress = Progress(model.progress)
        self.schedule.judge(update_num, progress)
        criterion.begin_turn(self.schedule.turn(update_num, progress))
        criterion.load_progress(progress)
        done = super().train_step(
            self.without_end(sample), model, criterion, optimizer, update_num, ignore_grad
        )
        criterion.save_progress(progress)
        return done

    def without_end(self, sample):
        """The batch without end of sentence, where length is fixed.

        Raises:
            UsageError: a sentence has another length.
        """
        if not self.length.fixed or not sample:
            return sample
        words = sample["target"][:, :-1]
        if words.size(1) != self.length.maximum or words.eq(self.dictionary.pad()).any():
            raise UsageError(
                f"--fixed-length: every sentence must have --max-sample-length "
                f"{self.length.maximum} words; make it so, or leave the flag out"
            )
        cut = {**sample["net_input"], "src_tokens": sample["net_input"]["src_tokens"][:, :-1]}
        return {**sample, "net_input": cut, "target": words, "ntokens": words.numel()}

    def optimizer_step(self, optimizer, model, update_num) -> None:
        """Moves the one player whose turn it is."""
        require_two_player_optimizer(optimizer, "gan")
        turn = self.schedule.turn(update_num, Progress(model.progress))
        scale = 1.0
        if turn.phase is Phase.TURNS and turn.player == "generator":
            scale = self.args.generator_turns_lr_scale
        # For this step alone: the scheduler goes on from the unscaled rate.
        rates = [group["lr"] for group in optimizer.param_groups]
        for group in optimizer.param_groups:
            group["lr"] *= scale
        optimizer.step(groups={turn.player})
        for group, rate in zip(optimizer.param_groups, rates, strict=True):
            group["lr"] = rate

    def begin_valid_epoch(self, epoch, model) -> None:
        """A validation in training begins: its loss may end a pretraining."""
        super().begin_valid_epoch(epoch, model)
        self._samples_due = True
        self._watched = Progress(model.progress)
        self._watched.set(valid_sum=0.0, valid_weight=0.0)

    def valid_step(self, sample, model, criterion):
        """The criterion's figures, and with the first batch those of fresh samples."""
        loss, sample_size, logging_output = super().valid_step(
            self.without_end(sample), model, criterion
        )
        if self._samples_due and self.args.valid_samples > 0:
            self._samples_due = False
            with criterion.validation_randomness(sample):
                figures = self.measure_samples(model)
            drawn = self.args.valid_samples
            logging_output["samples_drawn"] = drawn
            logging_output |= {name: value * drawn for name, value in figures.items()}
        return loss, sample_size, logging_output

    def measure_samples(self, model) -> dict[str, float]:
        """Quality and diversity of fresh samples, by name."""
        batches = []
        with plain_sampling(model.decoder):
            for start in range(0, self.args.valid_samples, SAMPLED_AT_ONCE):
                size = min(SAMPLED_AT_ONCE, self.args.valid_samples - start)
                batches.append(unroll(model.decoder, size, self.length, ancestral))
        texts = [text for batch in batches for text in self.token_lists(batch.tokens)]
        figures = sample_quality(texts, self._validation_references())
        if self.oracle is not None:
            nll = sum(self.oracle.nll(batch.tokens).sum().item() for batch in batches)
            figures["oracle_nll"] = nll / self.args.valid_samples
        if figures["duplicates"] > COLLAPSED:
            logger.warning(
                "the generator has collapsed: %.0f %% of %d samples repeat another one",
                100 * figures["duplicates"],
                self.args.valid_samples,
            )
        return {f"sample_{name}": value for name, value in figures.items()}

    def reduce_metrics(self, logging_outputs, criterion) -> None:
        """Logs a batch's figures, and adds up the loss by which pretraining is judged."""
        super().reduce_metrics(logging_outputs, criterion)
        if criterion.training or self._watched is None:
            return
        loss, size = "nll_loss", "ntokens"
        if criterion.turn.phase is Phase.DISCRIMINATOR_PRETRAINING:
            loss, size = "d_loss", "nsentences"
        for name, key in (("valid_sum", loss), ("valid_weight", size)):
            total = sum(float(log.get(key, 0)) for log in logging_outputs)
            self._watched.set(**{name: self._watched.get(name, 0.0) + total})

    def token_lists(self, batch: torch.Tensor) -> list[list[int]]:
        """``(batch, time)`` ids to lists without padding and end of sentence."""
        special = {self.dictionary.pad(), self.dictionary.eos()}
        return [[token for token in row if token not in special] for row in batch.tolist()]

    def _validation_references(self) -> ReferenceIndex:
        # The sentences of every validation split loaded so far, counted once.
        splits = tuple(name for name in self.datasets if name != "train")
        if splits not in self._references:
            targets = [item["target"] for name in splits for item in self.datasets[name]]
            sentences = [self.token_lists(target.unsqueeze(0))[0] for target in targets]
            self._references[splits] = ReferenceIndex(sentences, max(QUALITY_ORDERS))
        return self._references[splits]


def draw_apart_from_other_processes() -> None:
    """Gives each data-parallel process noise of its own.

    fairseq seeds every update by its number, alike on all processes, so that two of them would
    generate the same sentences. The new seed comes out of that stream, so a resumed run draws it
    again.
    """
    rank = torch.distributed.get_rank() if torch.distributed.is_initialized() else 0
    if rank > 0:
        utils.set_torch_seed(int(torch.randint(2**31 - 1, (1,))) + rank)
