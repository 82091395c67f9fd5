"""The adversarial criterion's three losses, against the formulas."""

import math

import pytest
import torch
from fairseq.criterions import CRITERION_REGISTRY
from small_models import LANGUAGE_MODELS, build
from torch.nn import functional as F

from fairseq_genext.criterions.adversarial import AdversarialConfig
from fairseq_genext.errors import UsageError
from fairseq_genext.gan.schedule import Phase, Turn
from fairseq_genext.gan.step import Step
from fairseq_genext.modules.samplers import SampleLength, Samples, ancestral, unroll

TARGET = torch.tensor([[5, 6, 7, 2], [8, 2, 1, 1], [9, 9, 2, 1]])
SAMPLE = {
    "id": torch.arange(3),
    "net_input": {"src_tokens": torch.tensor([[2, 5, 6, 7], [2, 8, 1, 1], [2, 9, 9, 1]])},
    "target": TARGET,
    "ntokens": 9,
    "nsentences": 3,
}


class Task:
    """What a criterion reads of its task."""

    def __init__(self, dictionary):
        self.target_dictionary = dictionary


@pytest.fixture
def gan(dictionary):
    return build(LANGUAGE_MODELS["gan-lstm"], dictionary)


def criterion(dictionary, **flags):
    config = AdversarialConfig(max_sample_length=6, fixed_length=False, seed=1, **flags)
    return CRITERION_REGISTRY["adversarial"](config, Task(dictionary))


def test_generator_pretraining_is_likelihood(gan, dictionary):
    torch.manual_seed(4)
    loss, size, log = criterion(dictionary)(gan.train(), SAMPLE)
    torch.manual_seed(4)
    logits, _ = gan(SAMPLE["net_input"]["src_tokens"])
    lprobs = logits.log_softmax(-1)
    expected = -sum(
        lprobs[row, column, TARGET[row, column]]
        for row, length in enumerate((4, 2, 3))
        for column in range(length)
    )
    torch.testing.assert_close(loss, expected)
    assert size == 9 and log["phase"] == 0


def test_discriminator_turn_is_the_mean_of_both_binary_cross_entropies(gan, dictionary):
    adversarial = criterion(dictionary)
    adversarial.begin_turn(Turn(Phase.TURNS, "discriminator"))
    gan.train()
    torch.manual_seed(4)
    loss, size, _ = adversarial(gan, SAMPLE)
    torch.manual_seed(4)
    fake = unroll(gan.decoder, 3, SampleLength(6), ancestral)
    real = gan.discriminator(TARGET, TARGET.ne(1)).mean()
    expected = 0.5 * F.binary_cross_entropy(real.sigmoid(), torch.ones(3), reduction="sum")
    fakes = gan.discriminator(fake.tokens, fake.mask).mean().sigmoid()
    expected = expected + 0.5 * F.binary_cross_entropy(fakes, torch.zeros(3), reduction="sum")
    assert size == 3
    torch.testing.assert_close(loss, expected)
    loss.backward()
    assert all(param.grad is None for param in gan.decoder.parameters())


@pytest.mark.parametrize(
    "flags",
    [
        {"gan_loss": "wgan-gp"},
        {"r1_weight": 4.0},
        {"gan_loss": "rsgan", "r1_weight": 4.0, "r2_weight": 4.0},
    ],
)
def test_a_penalty_is_part_of_the_loss_and_its_gradient(gan, dictionary, flags):
    none = dict.fromkeys(("penalty_weight", "r1_weight", "r2_weight"), 0.0)
    losses, slopes = [], []
    for weights in (flags, flags | none):
        adversarial = criterion(dictionary, **weights)
        adversarial.begin_turn(Turn(Phase.TURNS, "discriminator"))
        gan.train().zero_grad()
        torch.manual_seed(4)
        loss, _, log = adversarial(gan, SAMPLE)
        loss.backward()
        losses.append((loss.item(), float(log.get("gradient_penalty", 0))))
        slopes.append(torch.cat([p.grad.flatten() for p in gan.discriminator.parameters()]))
    (whole, penalty), (plain, nothing) = losses
    assert nothing == 0 < penalty and whole == pytest.approx(plain + penalty, rel=1e-5)
    assert (slopes[0] - slopes[1]).norm() > 0.01 * slopes[1].norm()


def test_generator_turn_is_non_saturating(gan, dictionary):
    adversarial = criterion(dictionary)
    adversarial.begin_turn(Turn(Phase.TURNS, "generator"))
    gan.train()
    torch.manual_seed(4)
    loss, size, log = adversarial(gan, SAMPLE)
    torch.manual_seed(4)
    fake = adversarial.estimator.relaxed_samples(
        adversarial.step(gan.decoder, gan.discriminator, SAMPLE)
    )
    fakes = gan.discriminator(fake.weights, fake.mask).mean().sigmoid()
    expected = F.binary_cross_entropy(fakes, torch.ones(3), reduction="sum")
    torch.testing.assert_close(loss, expected)
    assert size == 3 and log["g_loss"] == loss
    loss.backward()
    norms = [param.grad.norm() for param in gan.decoder.parameters()]
    assert all(norm > 0 for norm in norms)


def test_validation_repeats_and_leaves_the_random_stream_alone(gan, dictionary):
    adversarial = criterion(dictionary)
    torch.manual_seed(9)
    before = torch.random.get_rng_state()
    _, _, first = adversarial(gan.eval(), SAMPLE)
    assert torch.equal(before, torch.random.get_rng_state())
    torch.rand(1)
    _, _, second = adversarial(gan, SAMPLE)
    assert first == second
    assert first["d_loss"] / 3 > 0 and first["nll_loss"] / 9 < 10 * math.log(34)


def test_validation_draws_other_samples_than_the_updates_of_training(gan, dictionary):
    """fairseq seeds update n with the seed and n."""
    adversarial = criterion(dictionary)
    sample = SampleLength(6)
    drawn = []
    for update in range(3):
        torch.manual_seed(adversarial.seed + update)
        drawn.append(unroll(gan.decoder, 3, sample, ancestral).tokens)
    with adversarial.validation_randomness(SAMPLE):
        validated = unroll(gan.decoder, 3, sample, ancestral).tokens
    assert not any(torch.equal(validated, tokens) for tokens in drawn)


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        ({"gan_loss": "wasserstein"}, "--gan-loss 'wasserstein' does not exist; choose one of bce"),
        ({"gradient_estimator": "magic"}, "--gradient-estimator 'magic' does not exist"),
        ({"gumbel_temperature": 0.0}, "--gumbel-temperature is 0.0; it must be at least 1e-06"),
        ({"gumbel_final_temperature": math.nan}, "--gumbel-final-temperature is nan"),
        ({"gradient_estimator": "reinforce", "rollouts": -1}, "--rollouts is -1"),
        (
            {"gradient_estimator": "reinforce", "baseline_decay": math.nan},
            "--baseline-decay is nan",
        ),
        ({"gradient_estimator": "reinforce", "reward_discount": 2.0}, "--reward-discount is 2.0"),
        ({"r1_weight": -1.0}, "--r1-weight is -1.0; it cannot be negative"),
        ({"r2_weight": math.inf}, "--r2-weight is inf"),
        ({"gan_loss": "wgan-gp", "penalty_weight": -1.0}, "--penalty-weight is -1.0"),
        ({"advantage_scale": "half"}, "--advantage-scale 'half' does not exist"),
        ({"gradient_estimator": "ppo", "ppo_clip": 2.0}, "--ppo-clip is 2.0"),
    ],
)
def test_wrong_flags(flags, says, dictionary):
    with pytest.raises(UsageError, match=says):
        criterion(dictionary, **flags)


@pytest.mark.parametrize("longer", ["real", "fake"])
def test_the_discriminator_reads_both_in_one_batch_as_apart(gan, dictionary, longer):
    short = torch.tensor([[5, 2], [7, 6], [2, 1]])
    real, fake = (TARGET, short) if longer == "real" else (short, TARGET)
    real, fake = (Samples(tokens, tokens.ne(1)) for tokens in (real, fake))
    step = Step(gan.decoder, gan.discriminator, real, SampleLength(6), 0)
    for together, apart in zip(
        step.real_and_fake_scores(fake), (step.scores(real), step.scores(fake)), strict=True
    ):
        torch.testing.assert_close(together.mean(), apart.mean())
    assert together.mean().std() > 0.01
