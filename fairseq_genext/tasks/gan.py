"""`gan`: adversarial training of a text generator, and sampling from it.

One fairseq update is one step of one player. The schedule says whose, the criterion `adversarial`
computes its loss, and the optimizer `two_player_adamw` moves that player alone.
"""

from dataclasses import dataclass, field

import numpy as np
import torch
from fairseq import utils
from fairseq.data import SortDataset, data_utils
from fairseq.optim import AMPOptimizer
from fairseq.tasks import register_task

from fairseq_genext.criterions.adversarial import Adversarial
from fairseq_genext.errors import UsageError, require_positive
from fairseq_genext.evaluation.ngram_bleu import ReferenceIndex
from fairseq_genext.gan.schedule import Phase, Schedule
from fairseq_genext.modules.samplers import ancestral, unroll
from fairseq_genext.tasks.unconditional_generation import (
    UnconditionalGenerationConfig,
    UnconditionalGenerationTask,
)


@dataclass
class GANTaskConfig(UnconditionalGenerationConfig):
    generator_pretrain_updates: int = field(
        default=1000, metadata={"help": "updates of the generator alone, by likelihood"}
    )
    discriminator_pretrain_updates: int = field(
        default=200, metadata={"help": "updates of the discriminator alone"}
    )
    discriminator_steps: int = field(
        default=1, metadata={"help": "discriminator updates in a round of turns"}
    )
    generator_steps: int = field(
        default=1, metadata={"help": "generator updates in a round of turns"}
    )
    generator_turns_lr_scale: float = field(
        default=0.1,
        metadata={
            "help": "factor on the generator's learning rate in the turns: likelihood bears "
            "larger steps than a moving opponent"
        },
    )
    max_sample_length: int = field(
        default=32, metadata={"help": "longest training sample in tokens, end of sentence included"}
    )
    valid_bleu_order: int = field(
        default=3,
        metadata={
            "help": "log sample_bleu in validation: BLEU of samples against the whole "
            "validation set, n-grams up to this order; 0 turns it off"
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
        require_positive(args, "max_sample_length", "generator_turns_lr_scale")
        try:
            self.schedule = Schedule(
                args.generator_pretrain_updates,
                args.discriminator_pretrain_updates,
                args.discriminator_steps,
                args.generator_steps,
            )
        except ValueError as error:
            raise UsageError(str(error)) from None
        self._references: dict[tuple[str, ...], ReferenceIndex] = {}

    def build_model(self, cfg, from_checkpoint: bool = False):
        """Builds the model and checks that it has two players."""
        model = super().build_model(cfg, from_checkpoint)
        if not hasattr(model, "discriminator"):
            raise UsageError("--task gan trains two players: choose --arch gan_doc")
        return model

    def build_criterion(self, cfg):
        """Builds the criterion and checks that it knows turns."""
        criterion = super().build_criterion(cfg)
        if not isinstance(criterion, Adversarial):
            raise UsageError("--task gan needs --criterion adversarial")
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
        turns_before = self.schedule.generator_pretrain_updates
        turns_before += self.schedule.discriminator_pretrain_updates
        criterion.begin_turn(self.schedule.turn(update_num), max(update_num - turns_before, 0))
        return super().train_step(sample, model, criterion, optimizer, update_num, ignore_grad)

    def optimizer_step(self, optimizer, model, update_num) -> None:
        """Moves the one player whose turn it is."""
        if not optimizer.supports_groups or isinstance(optimizer, AMPOptimizer):
            raise UsageError(
                "--task gan moves one player at a time: choose --optimizer two_player_adamw "
                "(with --fp16 or bf16, not with --amp)"
            )
        turn = self.schedule.turn(update_num)
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

    def valid_step(self, sample, model, criterion):
        """The criterion's figures, and BLEU of as many samples as the batch has sentences."""
        loss, sample_size, logging_output = super().valid_step(sample, model, criterion)
        order = self.args.valid_bleu_order
        if order > 0:
            references = self._validation_references(order)
            batch_size = sample["nsentences"]
            with torch.no_grad(), criterion.validation_randomness(sample):
                drawn = unroll(model.decoder, batch_size, self.args.max_sample_length, ancestral)
            bleu = sum(references.bleu(tokens, order) for tokens in self.token_lists(drawn.tokens))
            logging_output["sample_bleu"] = bleu
        return loss, sample_size, logging_output

    def token_lists(self, batch: torch.Tensor) -> list[list[int]]:
        """``(batch, time)`` ids to lists without padding and end of sentence."""
        special = {self.dictionary.pad(), self.dictionary.eos()}
        return [[token for token in row if token not in special] for row in batch.tolist()]

    def _validation_references(self, order: int) -> ReferenceIndex:
        # The sentences of every validation split loaded so far, counted once.
        splits = tuple(name for name in self.datasets if name != "train")
        if splits not in self._references:
            targets = [item["target"] for name in splits for item in self.datasets[name]]
            sentences = [self.token_lists(target.unsqueeze(0))[0] for target in targets]
            self._references[splits] = ReferenceIndex(sentences, order)
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
