"""Every value of every GAN option with every other that it admits trains, generates and reloads."""

import copy
import dataclasses
import itertools

import pytest
import torch
from gan_options import ESTIMATORS, admitted
from gan_states import equal
from gan_turns import check_reload, criterion, train_in_turns
from small_models import GANS_BY_PLAYERS, initialised

from fairseq_genext.errors import UsageError
from fairseq_genext.gan.discriminators import DISCRIMINATORS
from fairseq_genext.gan.estimators.baselines import BASELINES
from fairseq_genext.gan.estimators.gumbel import SAMPLES
from fairseq_genext.gan.generators import GENERATORS
from fairseq_genext.gan.losses import LOSSES
from fairseq_genext.gan.rewards import REWARDS
from fairseq_genext.gan.schedule import Phase, Turn
from fairseq_genext.modules.samplers import SampleLength, ancestral, unroll

TARGET = torch.tensor([[5, 6, 7, 2], [8, 2, 1, 1], [9, 9, 2, 1], [7, 6, 5, 2]])
SAMPLE = {
    "id": torch.arange(4),
    "net_input": {"src_tokens": torch.cat([torch.full((4, 1), 2), TARGET[:, :-1]], dim=1)},
    "target": TARGET,
    "ntokens": 13,
    "nsentences": 4,
}


# The estimators' options that ``ESTIMATORS`` leaves at one value or two.
SETTINGS = [
    *(
        {"gradient_estimator": "gumbel", "gumbel_samples": samples, "gumbel_feedback": feedback}
        for samples in SAMPLES
        for feedback in SAMPLES
    ),
    *({"gradient_estimator": "reinforce", "reward": reward} for reward in REWARDS),
    *({"gradient_estimator": "reinforce", "reward_baseline": name} for name in BASELINES),
]
NOISES = [(name, noise) for name in GENERATORS for noise in GENERATORS[name].noise_inputs]


def draw(model):
    return unroll(model.decoder, 20, SampleLength(6, fixed=True), ancestral).tokens


@pytest.mark.parametrize("estimator", ESTIMATORS)
@pytest.mark.parametrize("loss", LOSSES)
def test_grid(loss, estimator, dictionary):
    """Two rounds of turns; who moves, moves alone; the trained generator draws the same again."""
    combinations = 0
    for generator, discriminator in itertools.product(GENERATORS, DISCRIMINATORS):
        config = GANS_BY_PLAYERS[generator, discriminator]
        model = initialised(config, dictionary).train()
        adversarial = criterion(dictionary, gan_loss=loss, **ESTIMATORS[estimator])
        per_token = model.discriminator.per_token
        if not admitted(loss, estimator, discriminator):
            with pytest.raises(UsageError, match="take --"):
                adversarial.check_discriminator(per_token)
            continue
        adversarial.check_discriminator(per_token)
        assert adversarial.loss.penalised == (loss == "wgan-gp")
        train_in_turns(model, adversarial, SAMPLE, (generator, discriminator))
        check_reload(model, config, dictionary, draw)
        combinations += 1
    assert combinations == {True: 12, False: 0}[loss == "bce" or estimator != "mali"] - (
        3 if estimator == "rollouts" or (estimator == "mali" and loss == "bce") else 0
    )


@pytest.mark.parametrize(("generator", "noise_input"), NOISES)
def test_noise_with_samples_rewards_and_baselines(generator, noise_input, dictionary):
    """Every way in for noise with every Gumbel sample, feedback, reward and baseline."""
    for settings, discriminator in zip(SETTINGS, itertools.cycle(DISCRIMINATORS), strict=False):
        config = dataclasses.replace(
            GANS_BY_PLAYERS[generator, discriminator], noise_input=noise_input, noise_dim=5
        )
        model = initialised(config, dictionary).train()
        noise = copy.deepcopy(model.decoder.noise)
        assert (noise is None) == (noise_input == "none")
        adversarial = criterion(dictionary, **settings)
        train_in_turns(model, adversarial, SAMPLE, (settings, discriminator))
        if noise is not None:
            assert not equal(noise.state_dict(), model.decoder.noise.state_dict()), settings
        check_reload(model, config, dictionary, draw)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_half_precision(estimator, dtype, dictionary):
    """As fairseq trains with --fp16 and --bf16 on a GPU: the losses and gradients of float32."""
    for generator, discriminator in itertools.product(GENERATORS, DISCRIMINATORS):
        if not admitted("bce", estimator, discriminator):
            continue
        losses = []
        for kind in (torch.float32, dtype):
            model = initialised(GANS_BY_PLAYERS[generator, discriminator], dictionary)
            adversarial = criterion(dictionary, **ESTIMATORS[estimator])
            model.to(kind).train()
            for player in ("discriminator", "generator"):
                torch.manual_seed(4)
                adversarial.begin_turn(Turn(Phase.TURNS, player, 3))
                value, _, _ = adversarial(model, SAMPLE)
                value.backward()
                losses.append(value.item())
            gradients = [param.grad for param in model.parameters() if param.grad is not None]
            assert all(gradient.isfinite().all() for gradient in gradients)
            assert all(gradient.dtype == kind for gradient in gradients)
        expected, found = losses[:2], losses[2:]
        assert found == pytest.approx(expected, rel=0.02, abs=0.03), (generator, discriminator)
