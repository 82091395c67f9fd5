"""Every value of every setting with every other that it admits trains, generates and reloads."""

import copy
import dataclasses
import itertools

import pytest
import torch
from gan_options import ESTIMATORS, admitted
from gan_states import equal
from gan_turns import check_reload, criterion, train_in_turns
from pairwise import grid
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

PENALTIES = {"none": {}, "R1": {"r1_weight": 0.5}, "R1 and R2": {"r1_weight": 1, "r2_weight": 2}}
GENERATOR_NOISES = {name: GENERATORS[name].noise_inputs for name in GENERATORS}
NOISES = dict.fromkeys(itertools.chain.from_iterable(GENERATOR_NOISES.values()))


def takes(generator: str, noise_input: str, *_) -> bool:
    return noise_input in GENERATOR_NOISES[generator]


def draw(model):
    return unroll(model.decoder, 20, SampleLength(6, fixed=True), ancestral).tokens


@pytest.mark.parametrize(
    ("loss", "estimator", "discriminator", "generator", "penalties"),
    grid(
        LOSSES, ESTIMATORS, DISCRIMINATORS, GENERATORS, PENALTIES,
        admits=lambda *case: admitted(*case[:3]),
    ),
)  # fmt: skip
def test_grid(loss, estimator, discriminator, generator, penalties, dictionary):
    """Two rounds of turns; who moves, moves alone; the trained generator draws the same again."""
    config = GANS_BY_PLAYERS[generator, discriminator]
    model = initialised(config, dictionary).train()
    flags = ESTIMATORS[estimator] | PENALTIES[penalties]
    adversarial = criterion(dictionary, gan_loss=loss, **flags)
    adversarial.check_discriminator(model.discriminator.per_token)
    number = (loss == "wgan-gp") + len(PENALTIES[penalties])
    assert len(adversarial.loss.penalties) == number
    train_in_turns(model, adversarial, SAMPLE, (loss, estimator, generator, discriminator))
    check_reload(model, config, dictionary, draw)


def test_what_does_not_go_together_is_refused(dictionary):
    """And nothing else is."""
    per_token = {
        name: initialised(GANS_BY_PLAYERS["rnn", name], dictionary).discriminator.per_token
        for name in DISCRIMINATORS
    }
    refused = 0
    for loss, estimator, discriminator in itertools.product(LOSSES, ESTIMATORS, DISCRIMINATORS):
        adversarial = criterion(dictionary, gan_loss=loss, **ESTIMATORS[estimator])
        if admitted(loss, estimator, discriminator):
            adversarial.check_discriminator(per_token[discriminator])
            continue
        with pytest.raises(UsageError, match="take --"):
            adversarial.check_discriminator(per_token[discriminator])
        refused += 1
    # Rollouts with one discriminator; mali with three losses, and once more with bce.
    assert refused == 4 * 1 + 3 * len(DISCRIMINATORS) + 1


def check_noise(generator, noise_input, discriminator, settings, dictionary) -> None:
    """What turns noise into a generator's input learns, and is reloaded."""
    config = dataclasses.replace(
        GANS_BY_PLAYERS[generator, discriminator], noise_input=noise_input, noise_dim=5
    )
    model = initialised(config, dictionary).train()
    noise = copy.deepcopy(model.decoder.noise)
    assert (noise is None) == (noise_input == "none")
    train_in_turns(model, criterion(dictionary, **settings), SAMPLE, settings)
    if noise is not None:
        assert not equal(noise.state_dict(), model.decoder.noise.state_dict())
    check_reload(model, config, dictionary, draw)


@pytest.mark.parametrize(
    ("generator", "noise_input", "discriminator", "samples", "feedback"),
    grid(GENERATORS, NOISES, DISCRIMINATORS, SAMPLES, SAMPLES, admits=takes),
)
def test_noise_with_gumbel(generator, noise_input, discriminator, samples, feedback, dictionary):
    settings = {
        "gradient_estimator": "gumbel", "gumbel_samples": samples, "gumbel_feedback": feedback
    }  # fmt: skip
    check_noise(generator, noise_input, discriminator, settings, dictionary)


@pytest.mark.parametrize(
    ("generator", "noise_input", "discriminator", "reward", "baseline"),
    grid(
        GENERATORS, NOISES, DISCRIMINATORS, REWARDS, BASELINES,
        # A constant reward less that of the other samples is zero: nothing to learn from.
        admits=lambda *case: takes(*case) and case[3:] != ("constant", "leave-one-out"),
    ),
)  # fmt: skip
def test_noise_with_reinforce(generator, noise_input, discriminator, reward, baseline, dictionary):
    settings = {
        "gradient_estimator": "reinforce", "reward": reward, "reward_baseline": baseline
    }  # fmt: skip
    check_noise(generator, noise_input, discriminator, settings, dictionary)


@pytest.mark.parametrize(
    ("dtype", "estimator", "discriminator", "generator"),
    grid(
        (torch.float16, torch.bfloat16), ESTIMATORS, DISCRIMINATORS, GENERATORS,
        admits=lambda dtype, estimator, discriminator, _: admitted("bce", estimator, discriminator),
    ),
    ids=str,
)  # fmt: skip
def test_half_precision(dtype, estimator, discriminator, generator, dictionary):
    """As fairseq trains with --fp16 and --bf16 on a GPU: the losses and gradients of float32."""
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
    assert losses[2:] == pytest.approx(losses[:2], rel=0.02, abs=0.03)
