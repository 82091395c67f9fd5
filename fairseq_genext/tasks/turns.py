"""Turns of two players in a fairseq task: what the text GANs' tasks share.

One fairseq update is one step of one player. The schedule says whose, the criterion `adversarial`
computes its loss, and the optimizer `two_player_adamw` moves that player alone.
"""

import math
from dataclasses import dataclass, field
from typing import Optional

import torch
from fairseq import utils

from fairseq_genext.criterions.adversarial import Adversarial
from fairseq_genext.errors import UsageError, require_positive
from fairseq_genext.gan.old_spellings import old_flag
from fairseq_genext.gan.players import require_sentences, require_two_player_optimizer
from fairseq_genext.gan.progress import Progress
from fairseq_genext.gan.schedule import Phase, Schedule
from fairseq_genext.gan.settings import fill_defaults, preset_option
from fairseq_genext.gan.watch import watch_lead, watch_rewards
from fairseq_genext.tasks.validation_samples import (
    ValidationSamples,
    ValidationSamplesConfig,
    valid_samples,
)


@dataclass
class TurnsConfig(ValidationSamplesConfig):
    generator_pretrain_updates: Optional[int] = preset_option(
        "generator_pretrain_updates",
        "at most so many updates of the generator alone, by likelihood",
    )
    discriminator_warmup_updates: Optional[int] = preset_option(
        "discriminator_warmup_updates", "discriminator warm-up: at most so many updates of it alone"
    )
    discriminator_pretrain_updates: Optional[int] = old_flag("discriminator_pretrain_updates")
    pretrain_patience: int = field(
        default=0,
        metadata={
            "help": "validations without a lower loss (nll_loss, then d_loss) that end a "
            "pretraining early; 0: never"
        },
    )
    discriminator_steps: Optional[int] = preset_option(
        "discriminator_steps", "discriminator updates in a round of turns"
    )
    generator_steps: Optional[int] = preset_option(
        "generator_steps", "generator updates in a round of turns"
    )
    generator_turns_lr_scale: Optional[float] = preset_option(
        "generator_turns_lr_scale",
        "factor on the generator's learning rate in the turns: likelihood bears larger steps than "
        "a moving opponent",
    )
    valid_samples: int = valid_samples(default=500)


class Turns(ValidationSamples):
    """Mixin for tasks over sentences; it stands before the task in the list of bases.

    Attributes:
        task_name: the task's name on the command line.
        model_class: the models that have its two players.
        architecture: an ``--arch`` to propose where the model is another.

    Raises:
        UsageError: the schedule is impossible, or model, criterion or optimizer are not a GAN's.
    """

    task_name: str
    model_class: type
    architecture: str
    against_collapse = (
        "a smaller --generator-turns-lr-scale, more --generator-pretrain-updates or a smaller "
        "--discriminator-lr"
    )

    def __init__(self, cfg, *args, **kwargs) -> None:
        super().__init__(cfg, *args, **kwargs)
        fill_defaults(cfg)
        self.turns_cfg = cfg  # fairseq keeps it as args in some tasks, as cfg in others
        require_positive(cfg, "generator_turns_lr_scale")
        require_sentences(getattr(cfg, "sample_break_mode", "eos"))
        try:
            self.schedule = Schedule(
                cfg.generator_pretrain_updates,
                cfg.discriminator_warmup_updates,
                cfg.discriminator_steps,
                cfg.generator_steps,
                cfg.pretrain_patience,
            )
        except ValueError as error:
            raise UsageError(str(error)) from None
        self.model_scores_tokens = False
        self._lead = watch_lead(
            "a smaller --discriminator-lr, fewer --discriminator-steps or "
            "--discriminator-warmup-updates, or more --generator-steps"
        )
        self._rewards = watch_rewards()
        self._watched: Progress | None = None  # of the model under validation in training
        self._begun = False

    def check_model(self, model) -> None:
        """Raises UsageError if a model has not the two players, or they cannot read a sample."""
        if not isinstance(model, self.model_class):
            raise UsageError(
                f"--task {self.task_name} trains two players: choose --arch {self.architecture}"
            )
        self.require_room_for_samples(model.longest_sample())
        self.model_scores_tokens = model.discriminator.per_token

    def build_criterion(self, cfg):
        """Builds the criterion and checks that it knows turns, and this discriminator."""
        criterion = super().build_criterion(cfg)
        if not isinstance(criterion, Adversarial):
            raise UsageError(f"--task {self.task_name} needs --criterion adversarial")
        criterion.check_discriminator(self.model_scores_tokens)
        return criterion

    def begin_epoch(self, epoch: int, model) -> None:
        """Warns, once, of training lines that are longer than any sample."""
        super().begin_epoch(epoch, model)
        self.warn_of_long_lines(model.longest_sample())

    def train_step(self, sample, model, criterion, optimizer, update_num, ignore_grad=False):
        """One batch of the player whose turn it is."""
        draw_apart_from_other_processes()
        progress = Progress(model.progress)
        if update_num == 0 and not self._begun:
            progress.clear()  # a new run from the weights of an old one
        self._begun = True
        self.schedule.apply_patience(update_num, progress)
        criterion.begin_turn(self.schedule.turn(update_num, progress))
        criterion.load_progress(progress)
        done = super().train_step(sample, model, criterion, optimizer, update_num, ignore_grad)
        criterion.save_progress(progress)
        return done

    def optimizer_step(self, optimizer, model, update_num) -> None:
        """Moves the one player whose turn it is."""
        require_two_player_optimizer(optimizer, self.task_name)
        turn = self.schedule.turn(update_num, Progress(model.progress))
        scale = 1.0
        if turn.phase is Phase.TURNS and turn.player == "generator":
            scale = self.turns_cfg.generator_turns_lr_scale
        # For this step alone: the scheduler goes on from the unscaled rate.
        rates = [group["lr"] for group in optimizer.param_groups]
        for group in optimizer.param_groups:
            group["lr"] *= scale
        optimizer.step(groups={turn.player})
        for group, rate in zip(optimizer.param_groups, rates, strict=True):
            group["lr"] = rate

    def begin_valid_epoch(self, epoch, model) -> None:
        """A validation in training begins: its loss may end pretraining or warm-up."""
        super().begin_valid_epoch(epoch, model)
        self._watched = Progress(model.progress)
        self._watched.set(valid_sum=0.0, valid_weight=0.0)

    def reduce_metrics(self, logging_outputs, criterion) -> None:
        """Logs a batch's figures, and adds up the loss that ``--pretrain-patience`` watches."""
        super().reduce_metrics(logging_outputs, criterion)
        if criterion.training:
            self.watch(logging_outputs, criterion)
        if criterion.training or self._watched is None:
            return
        loss, size = "nll_loss", "ntokens"
        if criterion.turn.phase is Phase.DISCRIMINATOR_WARMUP:
            loss, size = "d_loss", "nsentences"
        for name, key in (("valid_sum", loss), ("valid_weight", size)):
            total = sum(float(log.get(key, 0)) for log in logging_outputs)
            if math.isnan(total):  # would read as no number yet; a broken loss is never the best
                total = math.inf
            self._watched.set(**{name: self._watched.get(name, 0.0) + total})

    def watch(self, logging_outputs, criterion: Adversarial) -> None:
        """Sees, in the turns, whether a player has won or the reward says nothing."""
        if criterion.turn.phase is not Phase.TURNS:
            return

        def mean(name: str) -> float:
            sentences = sum(float(log["nsentences"]) for log in logging_outputs)
            return sum(float(log.get(name, 0)) for log in logging_outputs) / max(sentences, 1)

        if criterion.turn.player == "discriminator":
            accuracy = (mean("d_accuracy_real") + mean("d_accuracy_fake")) / 2
            self._lead.note(criterion.loss.lead(accuracy, mean("d_loss")))
        elif "reward_mean" in logging_outputs[0] and criterion.cfg.reward != "constant":
            earned = mean("reward_mean")
            spread = max(mean("reward_square") - earned**2, 0.0) ** 0.5
            self._rewards.note(spread / max(abs(earned), 1e-3))


def draw_apart_from_other_processes() -> None:
    """Gives each data-parallel process noise of its own.

    fairseq seeds every update by its number, alike on all processes, so that two of them would
    generate the same sentences. The new seed comes out of that stream, so a resumed run draws it
    again.
    """
    rank = torch.distributed.get_rank() if torch.distributed.is_initialized() else 0
    if rank > 0:
        utils.set_torch_seed(int(torch.randint(2**31 - 1, (1,))) + rank)
