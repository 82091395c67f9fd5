"""`gan_image`: a generator and a discriminator of grey images, both of linear layers.

Goodfellow et al. 2014 (https://arxiv.org/abs/1406.2661); the preset `gan_image_doc` has the
article's widths:

    generator      100 -> 256 -> 512 -> 784, batch norm and ReLU between, tanh at the end
    discriminator  784 -> 512 -> 256 -> 1, LeakyReLU 0.2 and dropout 0.5 between

Which player learns what, and when, is the business of the criterion and the task.
"""

import contextlib
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import List

import torch
from fairseq.dataclass import FairseqDataclass
from fairseq.models import BaseFairseqModel, register_model, register_model_architecture
from torch import Tensor, nn

from fairseq_genext.errors import UsageError, flag, require_positive, require_probability
from fairseq_genext.gan.players import mark_players
from fairseq_genext.models.presets import preset


@dataclass
class GANImageConfig(FairseqDataclass):
    noise_dim: int = field(default=100, metadata={"help": "width of the noise z ~ N(0, I)"})
    generator_hidden_dims: List[int] = field(
        default_factory=lambda: [256, 512], metadata={"help": "widths between, by commas"}
    )
    discriminator_hidden_dims: List[int] = field(
        default_factory=lambda: [512, 256], metadata={"help": "widths between, by commas"}
    )
    discriminator_leak: float = field(default=0.2, metadata={"help": "LeakyReLU's negative slope"})
    discriminator_dropout: float = field(default=0.5, metadata={"help": "discriminator's dropout"})


class Generator(nn.Module):
    """Noise to images.

    Args:
        noise_dim: width of the noise.
        hidden_dims: widths of the hidden layers.
        image_shape: height and width in pixels.
    """

    def __init__(self, noise_dim: int, hidden_dims: list[int], image_shape: tuple[int, int]):
        super().__init__()
        self.noise_dim = noise_dim
        self.image_shape = image_shape
        layers: list[nn.Module] = []
        width = noise_dim
        for hidden in hidden_dims:
            layers += [nn.Linear(width, hidden), nn.BatchNorm1d(hidden), nn.ReLU()]
            width = hidden
        self.layers = nn.Sequential(*layers, nn.Linear(width, math.prod(image_shape)), nn.Tanh())

    def forward(self, noise: Tensor) -> Tensor:
        """``(batch, noise_dim)`` to ``(batch, height, width)``, pixels in [-1, 1]."""
        return self.layers(noise).unflatten(-1, self.image_shape)

    def draw(self, number: int) -> Tensor:
        """Images of fresh noise z ~ N(0, I), ``(number, height, width)``."""
        # In training, batch norm cannot normalise an image by itself: an epoch's last batch may
        # have only one.
        rows = max(number, 2) if self.training else number
        weight = self.layers[0].weight
        return self(torch.randn(rows, self.noise_dim).to(weight))[:number]

    @contextlib.contextmanager
    def still_statistics(self):
        """Within, batch norm in training reads its batch, but keeps its running statistics."""
        norms = [layer for layer in self.layers if isinstance(layer, nn.BatchNorm1d)]
        for norm in norms:
            norm.track_running_stats = False
        try:
            yield
        finally:
            for norm in norms:
                norm.track_running_stats = True


class Discriminator(nn.Module):
    """Images to the logit of being real.

    Args:
        image_shape: height and width in pixels.
        hidden_dims: widths of the hidden layers.
        leak: negative slope of LeakyReLU.
        dropout: probability of dropping a hidden unit.
    """

    def __init__(
        self, image_shape: tuple[int, int], hidden_dims: list[int], leak: float, dropout: float
    ):
        super().__init__()
        layers: list[nn.Module] = []
        width = math.prod(image_shape)
        for hidden in hidden_dims:
            layers += [nn.Linear(width, hidden), nn.LeakyReLU(leak), nn.Dropout(dropout)]
            width = hidden
        self.layers = nn.Sequential(*layers, nn.Linear(width, 1))

    def forward(self, images: Tensor) -> Tensor:
        """``(batch, height, width)`` to logits, ``(batch,)``."""
        return self.layers(images.flatten(1)).squeeze(-1)


@register_model("gan_image", dataclass=GANImageConfig)
class GANImage(BaseFairseqModel):
    """Two players.

    Args:
        generator: noise to images.
        discriminator: images to logits.
    """

    def __init__(self, generator: Generator, discriminator: Discriminator) -> None:
        super().__init__()
        self.generator = generator
        self.discriminator = discriminator
        mark_players(generator, discriminator)

    @classmethod
    def build_model(cls, cfg: GANImageConfig, task) -> "GANImage":
        """Builds both players for images of ``task.image_shape``.

        Raises:
            UsageError: a flag's value does not exist, or the task has no images.
        """
        check(cfg)
        if not hasattr(task, "image_shape"):
            raise UsageError("--arch gan_image_doc draws images: choose --task gan_image")
        return cls(
            Generator(cfg.noise_dim, list(cfg.generator_hidden_dims), task.image_shape),
            Discriminator(
                task.image_shape,
                list(cfg.discriminator_hidden_dims),
                cfg.discriminator_leak,
                cfg.discriminator_dropout,
            ),
        )

    def forward(self, images: Tensor | None = None, compute: Callable | None = None) -> Tensor:
        """The discriminator's logits, or whatever ``compute(generator, discriminator)`` returns.

        Distributed wrappers see a step only if it passes through ``forward``, so the criterion
        hands its step in as ``compute``.

        Args:
            images: ``(batch, height, width)`` in [-1, 1].
            compute: a function of the two players.
        """
        if compute is not None:
            return compute(self.generator, self.discriminator)
        return self.discriminator(images)


def check(cfg: GANImageConfig) -> None:
    """Raises UsageError for a flag whose value does not exist."""
    require_positive(cfg, "noise_dim")
    for name in ("generator_hidden_dims", "discriminator_hidden_dims"):
        if min(getattr(cfg, name), default=0) <= 0:
            raise UsageError(
                f"{flag(name)} must be positive numbers by commas, not {list(getattr(cfg, name))}"
            )
    require_probability(cfg, "discriminator_dropout")


@register_model_architecture("gan_image", "gan_image_doc")
def gan_image_doc(args) -> None:
    """The article's image GAN."""


@register_model_architecture("gan_image", "gan_image_doc_tiny")
def gan_image_doc_tiny(args) -> None:
    """For tests: 4-dimensional noise, layers of 8 and 6 units."""
    preset(
        args,
        noise_dim=4,
        generator_hidden_dims="6,8",
        discriminator_hidden_dims="8,6",
    )
