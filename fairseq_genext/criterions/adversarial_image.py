"""`adversarial_image`: the image GAN's loss, for the player whose turn it is.

By default the article's binary cross entropy (Goodfellow et al. 2014, with the non-saturating
generator loss); all of ``gan.losses`` and their penalties work. Losses are a mean over images.
"""

from dataclasses import dataclass, field

import torch
from fairseq.criterions import FairseqCriterion, register_criterion
from fairseq.dataclass import FairseqDataclass
from fairseq.logging import metrics
from omegaconf import II
from torch import Tensor

from fairseq_genext.criterions.repeatable_validation import RepeatableValidation
from fairseq_genext.errors import UsageError, require_choice
from fairseq_genext.gan.losses import LOSSES, build_loss
from fairseq_genext.gan.losses.penalties import Points
from fairseq_genext.gan.players import without_gradient
from fairseq_genext.gan.scores import Scores

FIGURES = ("d_loss", "g_loss", "d_accuracy_real", "d_accuracy_fake", "gradient_penalty")


@dataclass
class AdversarialImageConfig(FairseqDataclass):
    gan_loss: str = field(default="bce", metadata={"help": f"one of {', '.join(LOSSES)}"})
    penalty_weight: float = field(default=10.0, metadata={"help": "wgan-gp: weight of the penalty"})
    r1_weight: float = field(
        default=0.0,
        metadata={
            "help": "any loss: weight of R1, the discriminator's squared slope at real images"
        },
    )
    r2_weight: float = field(
        default=0.0, metadata={"help": "any loss: weight of R2, the same at generated images"}
    )
    seed: int = II("common.seed")


@register_criterion("adversarial_image", dataclass=AdversarialImageConfig)
class AdversarialImage(RepeatableValidation, FairseqCriterion):
    """Losses of both players; ``begin_turn`` says whose counts.

    The idle player is bitwise still. While the discriminator moves, the generator draws without
    gradient, in training mode, so that batch norm normalises by the batch as in the generator's own
    turn, but its running statistics rest: they follow the generator's turns alone. Validation and
    sampling use them, so that an image does not depend on those drawn with it.

    Raises:
        UsageError: a flag's value does not exist.
    """

    def __init__(self, cfg: AdversarialImageConfig, task) -> None:
        super().__init__(task)
        require_choice(cfg, "gan_loss", LOSSES)
        try:
            self.loss = build_loss(cfg)
        except ValueError as error:
            raise UsageError(str(error)) from None
        self.seed = cfg.seed
        self.player = "discriminator"

    @classmethod
    def build_criterion(cls, cfg: AdversarialImageConfig, task) -> "AdversarialImage":
        """Builds the criterion from its flags."""
        return cls(cfg, task)

    def begin_turn(self, player: str) -> None:
        """Says whose loss the next batches are: "generator" or "discriminator"."""
        self.player = player

    def forward(self, model, sample):
        """
        Returns:
            The sum of the loss over the batch, the number of images to divide it by, and the
            figures to log.
        """
        if not model.training:
            return self.validate(model, sample)
        if self.player == "discriminator":
            return self.discriminator_turn(model, sample)
        return self.generator_turn(model, sample)

    def discriminator_turn(self, model, sample):
        """The discriminator's loss on the real images and as many generated ones."""
        real = sample["net_input"]["images"]

        def compute(generator, discriminator):
            with torch.no_grad(), generator.still_statistics():
                fake = generator.draw(len(real))
            logits, penalty = discriminator(torch.cat([real, fake])), None
            if self.loss.penalties and torch.is_grad_enabled():
                penalty = self.loss.penalty(
                    lambda images, _: Scores.of_sequences(discriminator(images)),
                    Points.of_images(real),
                    Points.of_images(fake),
                )
            return logits, penalty, variety(fake)

        logits, penalty, fake_variety = model(compute=compute)
        real_logits, fake_logits = logits.float().split(len(real))
        real_scores, fake_scores = map(Scores.of_sequences, (real_logits, fake_logits))
        loss = self.loss.discriminator(real_scores, fake_scores).sum()
        figures = {
            "d_loss": loss.data,
            **self.accuracies(real_logits, fake_logits),
            "variety_real": variety(real) * len(real),
            "variety_fake": fake_variety * len(real),
        }
        if penalty is not None:
            figures["gradient_penalty"] = penalty.detach().sum()
            loss = loss + penalty.sum()
        return loss, len(real), self.log(sample, loss, **figures)

    def generator_turn(self, model, sample):
        """The generator's loss on as many generated images as the batch has real ones."""
        real = sample["net_input"]["images"]

        def compute(generator, discriminator):
            fake = generator.draw(len(real))
            with without_gradient(discriminator):
                logits = discriminator(fake)
                return logits, discriminator(real) if self.loss.relative else None

        logits, real_logits = model(compute=compute)
        if real_logits is not None:
            real_logits = Scores.of_sequences(real_logits.float())
        loss = self.loss.generator(Scores.of_sequences(logits.float()), real_logits).sum()
        return loss, len(real), self.log(sample, loss, g_loss=loss.data)

    def validate(self, model, sample):
        """Both losses and the accuracies on one batch; ``loss`` is the discriminator's."""
        with self.validation_randomness(sample):
            loss, number, logging_output = self.discriminator_turn(model, sample)
            logging_output["g_loss"] = self.generator_turn(model, sample)[0].data
        return loss, number, logging_output

    @staticmethod
    def accuracies(real_logits: Tensor, fake_logits: Tensor) -> dict[str, Tensor]:
        """How many of either kind the discriminator gets right."""
        return {
            "d_accuracy_real": real_logits.detach().gt(0).sum(),
            "d_accuracy_fake": fake_logits.detach().le(0).sum(),
        }

    @staticmethod
    def log(sample, loss: Tensor, **figures) -> dict:
        """Figures of one batch, all of them sums, so that workers can add theirs."""
        return {
            "loss": loss.data,
            "ntokens": sample["ntokens"],
            "nsentences": sample["nsentences"],
            "sample_size": sample["nsentences"],
            **figures,
        }

    @staticmethod
    def reduce_metrics(logging_outputs) -> None:
        """Logs means over images: losses in nats, accuracies as shares."""
        images = sum(log["nsentences"] for log in logging_outputs)
        for name in ("loss", *FIGURES):
            found = [log[name] for log in logging_outputs if name in log]
            if found:
                metrics.log_scalar(name, sum(found) / images, images, round=4)

    @staticmethod
    def logging_outputs_can_be_summed() -> bool:
        """Every figure is a sum, so workers may add theirs before ``reduce_metrics``."""
        return True


def variety(images: Tensor) -> Tensor:
    """Standard deviation of a pixel over ``(number, …)`` images, on average over the pixels."""
    deviations = images.float() - images.float().mean(dim=0)
    return deviations.square().mean(dim=0).sqrt().mean()  # torch's std takes six times as long
