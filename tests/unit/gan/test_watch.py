"""What goes wrong in turns for long is said once, and what goes well is not."""

import logging

import pytest
from fairseq.logging import metrics

from fairseq_genext.criterions.adversarial_image import AdversarialImage, AdversarialImageConfig
from fairseq_genext.gan.losses import LOSSES
from fairseq_genext.gan.schedule import Phase, Turn
from fairseq_genext.gan.watch import LEAD, SPREAD, VARIETY, watch_lead, watch_rewards
from fairseq_genext.tasks.gan_image import GANImageTask, GANImageTaskConfig
from fairseq_genext.tasks.turns import Turns

SENTENCES = 16


class Criterion:
    """A criterion in training, whose turn the test says."""

    training = True
    reduce_metrics = staticmethod(lambda logs: None)

    def __init__(self, loss, reward):
        self.loss = LOSSES[loss]()
        self.cfg = type("Flags", (), {"reward": reward})


class Task(Turns):
    """The watching alone."""

    def __init__(self):
        self._lead, self._rewards = watch_lead("FLAGS"), watch_rewards()


def warnings(caplog, player, updates, phase=Phase.TURNS, loss="bce", reward="signed", **figures):
    """What is said in so many updates of a player, whose figures are sums over its sentences."""
    task, criterion = Task(), Criterion(loss, reward)
    criterion.turn = Turn(phase, player)
    with caplog.at_level(logging.WARNING):
        for _ in range(updates):
            sums = {name: value * SENTENCES for name, value in figures.items()}
            task.watch([{"nsentences": SENTENCES, **sums}], criterion)
    return [record.getMessage() for record in caplog.records]


WON = {"d_accuracy_real": 1, "d_accuracy_fake": 1, "d_loss": 0.001}
FLAT = {"reward_mean": -0.9, "reward_square": 0.81}


@pytest.mark.parametrize("loss", ["bce", "hinge", "rsgan"])
def test_a_discriminator_that_wins_outright(loss, caplog):
    (said,) = warnings(caplog, "discriminator", 3 * LEAD[0], loss=loss, **WON)
    assert said.startswith("the discriminator wins outright") and said.endswith("try FLAGS")


def test_a_reward_without_spread(caplog):
    (said,) = warnings(caplog, "generator", 3 * SPREAD[0], **FLAT)
    assert said.startswith("the reward has no spread") and "--reward logit" in said


@pytest.mark.parametrize(
    ("player", "updates", "more"),
    [
        ("discriminator", LEAD[0] - 1, WON),
        ("discriminator", 900, WON | {"d_accuracy_fake": 0.99}),
        ("discriminator", 900, WON | {"phase": Phase.DISCRIMINATOR_WARMUP}),
        ("discriminator", 900, WON | {"loss": "wgan-gp"}),  # a critic
        ("discriminator", 900, WON | {"loss": "rsgan", "d_loss": 0.1}),  # recipes' gan_relgan
        ("generator", SPREAD[0] - 1, FLAT),
        ("generator", 900, FLAT | {"reward": "constant"}),  # the control
        ("generator", 900, {"reward_mean": -0.9, "reward_square": 0.8101}),
        ("generator", 900, {}),  # no rewards
    ],
)
def test_nothing_is_said(player, updates, more, caplog):
    assert warnings(caplog, player, updates, **more) == []


@pytest.mark.parametrize(
    ("fake", "variety", "says"),
    [
        (0.5, 0.01, ["mode collapse: over the discriminator's last 200 updates"]),
        (1, 0.9, ["the discriminator wins outright"]),
        (0.9, 0.5, []),
    ],
)
def test_an_image_gan(fake, variety, says, caplog):
    task = GANImageTask(GANImageTaskConfig())
    criterion = AdversarialImage(AdversarialImageConfig(seed=1), task)
    log = {
        "nsentences": 8, "ntokens": 8, "sample_size": 8, "loss": 1.0, "d_loss": 1.0,
        "d_accuracy_real": 8, "d_accuracy_fake": 8 * fake, "variety_real": 1.0,
        "variety_fake": variety,
    }  # fmt: skip
    with caplog.at_level(logging.WARNING), metrics.aggregate():
        for _ in range(3 * VARIETY[0]):
            task.reduce_metrics([log], criterion)
    said = [record.getMessage() for record in caplog.records]
    assert len(said) == len(says)
    assert all(line.startswith(start) for line, start in zip(said, says, strict=True))
