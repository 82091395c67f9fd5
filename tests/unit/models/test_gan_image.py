"""The image GAN is the article's, layer by layer; nothing moves out of turn."""

from types import SimpleNamespace

import pytest
import torch
from torch import nn

from fairseq_genext.criterions.adversarial_image import AdversarialImage, AdversarialImageConfig
from fairseq_genext.errors import UsageError
from fairseq_genext.models.gan_image import GANImage, GANImageConfig
from fairseq_genext.tasks.gan_image import GANImageTask, GANImageTaskConfig

TASK = SimpleNamespace(image_shape=(28, 28))


def build(**flags) -> GANImage:
    torch.manual_seed(2)
    return GANImage.build_model(GANImageConfig(**flags), TASK)


def layers(module: nn.Module) -> list:
    """Kind and sizes of every layer in order."""
    settings = {
        nn.Linear: ("in_features", "out_features"),
        nn.BatchNorm1d: ("num_features",),
        nn.LeakyReLU: ("negative_slope",),
        nn.Dropout: ("p",),
    }
    return [
        (type(layer).__name__, *(getattr(layer, name) for name in settings.get(type(layer), ())))
        for layer in module.layers
    ]


def test_layers_are_the_article_s():
    model = build()
    assert layers(model.generator) == [
        ("Linear", 100, 256), ("BatchNorm1d", 256), ("ReLU",),
        ("Linear", 256, 512), ("BatchNorm1d", 512), ("ReLU",),
        ("Linear", 512, 784), ("Tanh",),
    ]  # fmt: skip
    assert layers(model.discriminator) == [
        ("Linear", 784, 512), ("LeakyReLU", 0.2), ("Dropout", 0.5),
        ("Linear", 512, 256), ("LeakyReLU", 0.2), ("Dropout", 0.5),
        ("Linear", 256, 1),
    ]  # fmt: skip


def test_number_of_parameters():
    # Weights, biases, and batch norm's scale and shift.
    generator = 100 * 256 + 3 * 256 + 256 * 512 + 3 * 512 + 512 * 784 + 784
    discriminator = 784 * 512 + 512 + 512 * 256 + 256 + 256 + 1
    model = build()
    assert sum(p.numel() for p in model.generator.parameters()) == generator == 561_168
    assert sum(p.numel() for p in model.discriminator.parameters()) == discriminator == 533_505
    assert {p.param_group for p in model.generator.parameters()} == {"generator"}
    assert {p.param_group for p in model.discriminator.parameters()} == {"discriminator"}


def test_shapes_and_range():
    model = build().eval()
    images = model.generator.draw(3)
    assert images.shape == (3, 28, 28) and images.abs().max() <= 1
    assert model(images).shape == (3,)
    assert model(compute=lambda generator, discriminator: (generator, discriminator)) == (
        model.generator,
        model.discriminator,
    )


def test_still_statistics_normalise_by_the_batch_and_keep_the_buffers():
    generator = build().generator.train()
    noise = torch.randn(16, 100)
    before = {name: value.clone() for name, value in generator.named_buffers()}
    with generator.still_statistics():
        still = generator(noise)
    assert all(torch.equal(value, before[name]) for name, value in generator.named_buffers())
    moved = generator(noise)
    assert torch.equal(still, moved)
    assert not any(torch.equal(value, before[name]) for name, value in generator.named_buffers())


def test_one_image_can_be_drawn_in_training():
    assert build().generator.train().draw(1).shape == (1, 28, 28)


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        ({"noise_dim": 0}, "--noise-dim is 0"),
        ({"generator_hidden_dims": []}, "--generator-hidden-dims must be positive numbers"),
        ({"discriminator_hidden_dims": [8, 0]}, "--discriminator-hidden-dims must be positive"),
        ({"discriminator_dropout": 1.0}, "--discriminator-dropout is 1.0"),
    ],
)
def test_wrong_flags(flags, says):
    with pytest.raises(UsageError, match=says):
        build(**flags)


def test_a_task_of_text_is_refused():
    with pytest.raises(UsageError, match="choose --task gan_image"):
        GANImage.build_model(GANImageConfig(), SimpleNamespace(target_dictionary=None))


@pytest.mark.parametrize("update", [0, 1])
def test_running_statistics_are_those_of_all_processes(monkeypatch, update):
    """After the generator's turn, the second; the other process's are twice this one's."""
    task = GANImageTask(GANImageTaskConfig(image_height=4, image_width=5, seed=1))
    found = []
    for processes in (1, 2):
        torch.manual_seed(1)
        model = GANImage.build_model(GANImageConfig(), task)
        criterion = AdversarialImage(AdversarialImageConfig(seed=1), task)
        monkeypatch.setattr(torch.distributed, "is_initialized", lambda more=processes > 1: more)
        monkeypatch.setattr(torch.distributed, "get_rank", lambda: 0)
        monkeypatch.setattr(torch.distributed, "get_world_size", lambda: 2)
        monkeypatch.setattr(torch.distributed, "all_reduce", lambda total: total.mul_(3))
        sample = {
            "net_input": {"images": torch.zeros(6, 4, 5)}, "ntokens": 6, "nsentences": 6,
        }  # fmt: skip
        optimizer = SimpleNamespace(backward=lambda loss: loss.backward())
        task.train_step(sample, model, criterion, optimizer, update)
        found.append(model.generator.layers[1].running_var)
    factor = 1.5 if update == 1 else 1.0
    torch.testing.assert_close(found[1], factor * found[0])
