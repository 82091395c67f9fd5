"""`gan_image`: adversarial training of an image generator.

One fairseq update is one step of one player: the discriminator, then the generator, and so on. The
schedule says whose turn it is, the criterion `adversarial_image` computes the loss, and the
optimizer `two_player_adamw` moves that player alone.
"""

from dataclasses import dataclass, field
from typing import Optional

import torch
from fairseq.dataclass import FairseqDataclass
from fairseq.models import ARCH_MODEL_REGISTRY, MODEL_REGISTRY
from fairseq.tasks import FairseqTask, register_task
from omegaconf import II

from fairseq_genext.criterions.adversarial_image import AdversarialImage
from fairseq_genext.data.image_dataset import ImageDataset
from fairseq_genext.data.images import read_split
from fairseq_genext.errors import UsageError, require_positive
from fairseq_genext.gan.players import require_two_player_optimizer
from fairseq_genext.gan.schedule import Schedule
from fairseq_genext.gan.watch import watch_images, watch_lead
from fairseq_genext.models.gan_image import GANImage
from fairseq_genext.tasks.turns import draw_apart_from_other_processes


@dataclass
class GANImageTaskConfig(FairseqDataclass):
    data: Optional[str] = field(
        default=None, metadata={"help": "folder of images, see fairseq_genext/data/images.py"}
    )
    image_height: int = field(default=28, metadata={"help": "pixels"})
    image_width: int = field(default=28, metadata={"help": "pixels"})
    discriminator_steps: int = field(
        default=1, metadata={"help": "discriminator updates in a round of turns"}
    )
    generator_steps: int = field(
        default=1, metadata={"help": "generator updates in a round of turns"}
    )
    seed: int = II("common.seed")


@register_task("gan_image", dataclass=GANImageTaskConfig)
class GANImageTask(FairseqTask):
    """Trains a `gan_image` model.

    Raises:
        UsageError: the schedule is impossible, images are missing or of another size, or model,
            criterion or optimizer are not an image GAN's.
    """

    def __init__(self, cfg: GANImageTaskConfig) -> None:
        super().__init__(cfg)
        require_positive(cfg, "image_height", "image_width")
        self.image_shape = (cfg.image_height, cfg.image_width)
        try:
            self.schedule = Schedule(0, 0, cfg.discriminator_steps, cfg.generator_steps)
        except ValueError as error:
            raise UsageError(str(error)) from None
        self._lead = watch_lead("a smaller --discriminator-lr or more --generator-steps")
        self._variety = watch_images()

    @classmethod
    def setup_task(cls, cfg: GANImageTaskConfig, **kwargs) -> "GANImageTask":
        """Builds the task; ``kwargs`` say where from, which makes no difference here."""
        return cls(cfg)

    # Images have no dictionary, which is how fairseq asks for padding and the like.
    source_dictionary = None
    target_dictionary = None

    def build_model(self, cfg, from_checkpoint: bool = False):
        """Builds the model and checks that it draws images."""
        # The name of an architecture, or of a model where hydra gives the configuration.
        name = getattr(cfg, "_name", None)
        if GANImage not in (ARCH_MODEL_REGISTRY.get(name), MODEL_REGISTRY.get(name)):
            raise UsageError("--task gan_image trains an image GAN: choose --arch gan_image_doc")
        return super().build_model(cfg, from_checkpoint)

    def build_criterion(self, cfg):
        """Builds the criterion and checks that it is the image GAN's."""
        criterion = super().build_criterion(cfg)
        if not isinstance(criterion, AdversarialImage):
            raise UsageError("--task gan_image needs --criterion adversarial_image")
        return criterion

    def load_dataset(self, split: str, epoch: int = 1, combine: bool = False, **kwargs) -> None:
        """Loads a split; training, for which fairseq asks to combine, has a new order an epoch."""
        if self.cfg.data is None:
            raise UsageError("--task gan_image needs a folder of images as its first argument")
        pixels = read_split(self.cfg.data, split).pixels
        if pixels.shape[1:] != self.image_shape:
            height, width = pixels.shape[1:]
            raise UsageError(
                f"the {split} images of {self.cfg.data} are {height} x {width} pixels, the model's "
                f"{self.image_shape[0]} x {self.image_shape[1]}: give --image-height {height} "
                f"--image-width {width}"
            )
        self.datasets[split] = ImageDataset(pixels, combine, self.cfg.seed)

    def train_step(self, sample, model, criterion, optimizer, update_num, ignore_grad=False):
        """One batch of the player whose turn it is."""
        draw_apart_from_other_processes()
        player = self.schedule.turn(update_num).player
        criterion.begin_turn(player)
        done = super().train_step(sample, model, criterion, optimizer, update_num, ignore_grad)
        if player == "generator":
            average_statistics(model)
        return done

    def optimizer_step(self, optimizer, model, update_num) -> None:
        """Moves the one player whose turn it is."""
        require_two_player_optimizer(optimizer, "gan_image")
        optimizer.step(groups={self.schedule.turn(update_num).player})

    def reduce_metrics(self, logging_outputs, criterion) -> None:
        """Logs a batch's figures, and sees whether a player has won or images are alike."""
        super().reduce_metrics(logging_outputs, criterion)
        if not criterion.training or criterion.player == "generator":
            return

        def total(name: str) -> float:
            return sum(float(log.get(name, 0)) for log in logging_outputs)

        images = max(total("nsentences"), 1)
        accuracy = (total("d_accuracy_real") + total("d_accuracy_fake")) / 2 / images
        self._lead.note(criterion.loss.lead(accuracy, total("d_loss") / images))
        if total("variety_real") > 0:
            self._variety.note(total("variety_fake") / total("variety_real"))


def average_statistics(model) -> None:
    """Gives batch norm's running statistics, which each process has of its own images, their mean.

    So all validate, and resume, with what the checkpoint holds.
    """
    if not torch.distributed.is_initialized():
        return
    for statistics in model.buffers():
        if statistics.is_floating_point():
            total = statistics.float()
            torch.distributed.all_reduce(total)
            statistics.copy_(total / torch.distributed.get_world_size())
