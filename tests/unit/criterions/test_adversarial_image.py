"""The image GAN's losses against their formulas, and what a turn leaves alone."""

from types import SimpleNamespace

import pytest
import torch
from fairseq.criterions import CRITERION_REGISTRY
from fairseq.logging import metrics
from torch.nn import functional as F

from fairseq_genext.criterions.adversarial_image import AdversarialImageConfig
from fairseq_genext.errors import UsageError
from fairseq_genext.models.gan_image import GANImage, GANImageConfig

IMAGES = torch.rand(5, 3, 4, generator=torch.Generator().manual_seed(1)) * 2 - 1
SAMPLE = {"id": torch.arange(5), "nsentences": 5, "ntokens": 5, "net_input": {"images": IMAGES}}


@pytest.fixture
def gan():
    torch.manual_seed(2)
    config = GANImageConfig(
        noise_dim=4, generator_hidden_dims=[6], discriminator_hidden_dims=[7, 5]
    )
    return GANImage.build_model(config, SimpleNamespace(image_shape=(3, 4))).train()


def build_criterion(**flags):
    task = SimpleNamespace(target_dictionary=None)
    return CRITERION_REGISTRY["adversarial_image"](AdversarialImageConfig(seed=1, **flags), task)


@pytest.fixture
def criterion():
    return build_criterion()


def test_discriminator_s_turn(gan, criterion):
    """The mean of both cross entropies; the generator keeps gradient and statistics."""
    before = {name: value.clone() for name, value in gan.generator.state_dict().items()}
    torch.manual_seed(4)
    loss, size, log = criterion(gan, SAMPLE)
    loss.backward()
    generator = gan.generator
    assert all(torch.equal(value, before[name]) for name, value in generator.state_dict().items())
    assert all(param.grad is None for param in generator.parameters())
    assert all(param.grad.abs().sum() > 0 for param in gan.discriminator.parameters())

    torch.manual_seed(4)
    fake = generator(torch.randn(5, 4))
    real_chance, fake_chance = gan(torch.cat([IMAGES, fake])).sigmoid().split(5)
    expected = 0.5 * (
        F.binary_cross_entropy(real_chance, torch.ones(5), reduction="sum")
        + F.binary_cross_entropy(fake_chance, torch.zeros(5), reduction="sum")
    )
    torch.testing.assert_close(loss, expected)
    assert size == 5 and log["d_loss"] == loss and "g_loss" not in log
    assert log["d_accuracy_real"] == real_chance.gt(0.5).sum()
    assert log["d_accuracy_fake"] == fake_chance.le(0.5).sum()


def test_generator_s_turn(gan, criterion):
    """Non-saturating; no gradient reaches the discriminator's parameters."""
    criterion.begin_turn("generator")
    torch.manual_seed(4)
    loss, size, log = criterion(gan, SAMPLE)
    torch.manual_seed(4)
    chance = gan(gan.generator(torch.randn(5, 4))).sigmoid()
    expected = F.binary_cross_entropy(chance, torch.ones(5), reduction="sum")
    torch.testing.assert_close(loss, expected)
    assert size == 5 and log["g_loss"] == loss and "d_loss" not in log
    loss.backward()
    assert all(param.grad is None for param in gan.discriminator.parameters())
    assert all(param.requires_grad for param in gan.discriminator.parameters())
    assert gan.generator.layers[0].weight.grad.abs().sum() > 0


def slopes(discriminator, images):
    """|grad D|² at each image, by the chain rule through its two hidden layers."""
    first, leak, _, second, _, _, last = discriminator.layers
    hidden = first(images.flatten(1))
    outer = second(leak(hidden))
    inner = [torch.where(x > 0, 1.0, leak.negative_slope) for x in (outer, hidden)]
    back = (last.weight * inner[0]) @ second.weight * inner[1]
    return (back @ first.weight).square().sum(dim=1)


def test_relativistic_turns_with_penalties(gan):
    """R3GAN's losses: pairs of images, and the slopes at both, by hand."""
    criterion = build_criterion(gan_loss="rsgan", r1_weight=0.4, r2_weight=0.2)
    for layer in gan.discriminator.layers:
        if isinstance(layer, torch.nn.Dropout):
            layer.p = 0.0
    torch.manual_seed(4)
    loss, _, log = criterion(gan, SAMPLE)
    torch.manual_seed(4)
    with torch.no_grad(), gan.generator.still_statistics():
        fake = gan.generator(torch.randn(5, 4))
    real_logits, fake_logits = gan(torch.cat([IMAGES, fake])).split(5)
    pairs = F.softplus(fake_logits - real_logits).sum()
    at_real, at_fake = (slopes(gan.discriminator, images) for images in (IMAGES, fake))
    penalty = (0.2 * at_real + 0.1 * at_fake).sum()
    torch.testing.assert_close(log["d_loss"], pairs.detach())
    torch.testing.assert_close(log["gradient_penalty"], penalty.detach())
    torch.testing.assert_close(loss, pairs + penalty)
    own = [*gan.discriminator.parameters()]
    expected = torch.autograd.grad(pairs + penalty, own)
    found = torch.autograd.grad(loss, own, allow_unused=True)
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other)

    criterion.begin_turn("generator")
    torch.manual_seed(4)
    loss, _, log = criterion(gan, SAMPLE)
    torch.manual_seed(4)
    logits = gan(gan.generator(torch.randn(5, 4)))
    torch.testing.assert_close(loss, F.softplus(gan(IMAGES) - logits).sum())
    assert "gradient_penalty" not in log
    loss.backward()
    assert all(param.grad is None for param in gan.discriminator.parameters())


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        ({"gan_loss": "wgan"}, "--gan-loss 'wgan' does not exist; choose one of bce, hinge"),
        ({"r1_weight": -1.0}, "--r1-weight is -1.0; it cannot be negative"),
    ],
)
def test_flags_that_do_not_exist(flags, says):
    with pytest.raises(UsageError, match=says):
        build_criterion(**flags)


def test_validation_has_no_penalty(gan):
    with torch.no_grad():
        *_, log = build_criterion(gan_loss="wgan-gp", r1_weight=1.0)(gan.eval(), SAMPLE)
    assert "gradient_penalty" not in log and log["loss"] == log["d_loss"]


def test_validation_has_both_losses_and_repeats(gan, criterion):
    gan.eval()
    before = torch.random.get_rng_state()
    state = {name: value.clone() for name, value in gan.state_dict().items()}
    _, _, first = criterion(gan, SAMPLE)
    assert torch.equal(before, torch.random.get_rng_state())
    assert all(torch.equal(value, state[name]) for name, value in gan.state_dict().items())
    torch.rand(1)
    _, _, second = criterion(gan, SAMPLE)
    assert first == second
    assert {"d_loss", "g_loss", "d_accuracy_real", "d_accuracy_fake"} <= first.keys()


def test_logged_figures_are_means_over_images(criterion):
    logs = [
        {"nsentences": 2, "loss": 3.0, "d_loss": 3.0, "d_accuracy_real": 1},
        {"nsentences": 6, "loss": 1.0, "d_loss": 1.0, "d_accuracy_real": 5},
    ]
    with metrics.aggregate() as figures:
        criterion.reduce_metrics(logs)
    assert figures.get_smoothed_values() == {"loss": 0.5, "d_loss": 0.5, "d_accuracy_real": 0.75}
