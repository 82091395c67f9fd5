"""The gradient of each estimator against the exact one, by enumeration."""

import itertools
import math

import pytest
import torch
from fairseq.data import Dictionary
from torch import nn
from torch.nn import functional as F

from fairseq_genext.gan.estimators import GumbelEstimator, MaliEstimator, ReinforceEstimator
from fairseq_genext.gan.estimators.baselines import ExponentialMovingAverage, LeaveOneOutBaseline
from fairseq_genext.gan.losses import BCELoss, RSGANLoss
from fairseq_genext.gan.rewards import REWARDS
from fairseq_genext.gan.scores import Scores
from fairseq_genext.gan.step import Step, token_log_probs
from fairseq_genext.modules.samplers import SampleLength, Samples

WORDS = 3
LENGTH = SampleLength(2, fixed=True)


class Table(nn.Module):
    """A generator of two words: logits of the first, and of the second for each first one."""

    def __init__(self):
        super().__init__()
        self.dictionary = Dictionary()
        for word in range(WORDS):
            self.dictionary.add_symbol(str(word))
        size = len(self.dictionary)
        self.embed_tokens = nn.Embedding.from_pretrained(torch.eye(size))
        torch.manual_seed(2)
        self.logits = nn.Parameter(torch.randn(size, size))

    def forward(
        self,
        tokens,
        incremental_state=None,
        token_embeddings=None,
        features_only=False,
        **unused,
    ):
        if token_embeddings is None:
            if incremental_state is not None:
                tokens = tokens[:, -1:]
            token_embeddings = self.embed_tokens(tokens)
        return token_embeddings @ self.logits, None

    def output_layer(self, features):
        return features

    def reorder_incremental_state_scripting(self, state, order):
        pass


class PairDiscriminator(nn.Module):
    """A discriminator with a logit for each pair of words."""

    per_token = False
    rows_at_once = 7

    def __init__(self):
        super().__init__()
        torch.manual_seed(5)
        self.logits = torch.randn(WORDS, WORDS)

    def forward(self, tokens, mask):
        first, second = (tokens - 4).unbind(1)
        return Scores.of_sequences(self.logits[first, second])


class TokenDiscriminator(PairDiscriminator):
    """Scores the first word by itself and the second by both."""

    per_token = True

    def forward(self, tokens, mask):
        first, second = (tokens - 4).unbind(1)
        logits = torch.stack([self.logits[first, 0], self.logits[first, second]], dim=1)
        return Scores(logits, mask, per_token=True)


def step_with(discriminator, batch):
    real = Samples(torch.full((batch, 2), 4), torch.ones(batch, 2, dtype=torch.bool))
    return Step(Table(), discriminator, real, LENGTH, updates=0)


def exact_gradient(worth):
    """Of -E[worth(y)], by enumeration of the nine texts."""
    table = Table()
    expectation = 0.0
    for pair in itertools.product(range(WORDS), repeat=2):
        tokens = torch.tensor([pair]) + 4
        samples = Samples(tokens, torch.ones(1, 2, dtype=torch.bool))
        probability = token_log_probs(table, samples, LENGTH).sum().exp()
        expectation = expectation + probability * worth(*pair)
    (gradient,) = torch.autograd.grad(-expectation, table.logits)
    return gradient


def estimate(estimator, discriminator, batch, seed):
    step = step_with(discriminator, batch)
    torch.manual_seed(seed)
    loss, _ = estimator.generator_loss(step, BCELoss())
    (gradient,) = torch.autograd.grad(loss.mean(), step.generator.logits)
    return gradient


def reinforce(**flags):
    defaults = {"reward": "probability", "rollouts": 0, "discount": 1.0, "baseline": "none"}
    return ReinforceEstimator(**{**defaults, **flags}, baseline_decay=0.9)


@pytest.mark.parametrize(
    "flags",
    [
        {},
        {"baseline": "leave-one-out"},
        {"rollouts": 3},
        {"rollouts": 2, "baseline": "leave-one-out"},
        {"reward": "signed"},
        {"reward": "logit"},
    ],
    ids=str,
)
def test_reinforce_estimates_the_exact_gradient(flags):
    """Its error shrinks as 1 / sqrt(samples)."""
    discriminator = PairDiscriminator()
    reward = REWARDS[flags.get("reward", "probability")]
    exact = exact_gradient(lambda a, b: reward(discriminator.logits[a, b]).item())
    assert exact.norm() > 0.05
    errors = []
    for batch in (250, 4000):
        estimates = [estimate(reinforce(**flags), discriminator, batch, seed) for seed in range(16)]
        errors.append(
            torch.stack([(got - exact).norm() for got in estimates]).square().mean().sqrt()
        )
    assert errors[1] < 0.2 * exact.norm()
    # 16 times the samples, a quarter of the error; its own spread over 16 repeats is a fifth.
    assert errors[0] / errors[1] == pytest.approx(4, rel=0.4)


def test_reinforce_by_tokens_sums_discounted_rewards_to_come():
    discriminator = TokenDiscriminator()
    signed = REWARDS["signed"]

    def worth(a, b):
        return (signed(discriminator.logits[a, 0]) + signed(discriminator.logits[a, b])).item()

    exact = exact_gradient(worth)
    mean = (
        sum(estimate(reinforce(reward="signed"), discriminator, 4000, seed) for seed in range(8))
        / 8
    )
    assert (mean - exact).norm() < 0.1 * exact.norm()

    estimator = reinforce(discount=0.5)
    to_come = estimator.to_come(torch.tensor([[1.0, 2.0, 4.0], [3.0, 0.0, 0.0]]))
    torch.testing.assert_close(to_come, torch.tensor([[3.0, 4.0, 4.0], [3.0, 0.0, 0.0]]))


def test_a_constant_reward_teaches_nothing_on_average():
    discriminator = PairDiscriminator()
    gradients = [
        estimate(reinforce(reward="constant"), discriminator, 2000, seed) for seed in range(16)
    ]
    spread = torch.stack([gradient.norm() for gradient in gradients]).mean()
    assert (sum(gradients) / 16).norm() < 0.5 * spread
    # With the leave-one-out baseline it teaches nothing at all.
    assert (
        estimate(
            reinforce(reward="constant", baseline="leave-one-out"), discriminator, 50, 1
        ).norm()
        < 1e-5
    )


def test_rewards_by_hand():
    logits = torch.tensor([0.0, math.log(3.0)])
    expected = {
        "probability": [0.5, 0.75],
        "signed": [0.0, 0.5],
        "logit": [0.0, math.log(3.0)],
        "constant": [1.0, 1.0],
    }
    for name, reward in REWARDS.items():
        torch.testing.assert_close(reward(logits), torch.tensor(expected[name]))


def test_leave_one_out_baseline_by_hand():
    earned = torch.tensor([[1.0, 4.0], [2.0, 0.0], [6.0, 8.0]])
    mask = torch.tensor([[True, True], [True, False], [True, True]])
    baseline = LeaveOneOutBaseline(0.9)(earned, mask)
    torch.testing.assert_close(baseline[:, 0], torch.tensor([4.0, 3.5, 1.5]))
    torch.testing.assert_close(baseline[[0, 2], 1], torch.tensor([8.0, 4.0]))


def test_exponential_moving_average_follows_the_mean_and_is_saved():
    baseline = ExponentialMovingAverage(0.9)
    earned, mask = torch.tensor([[1.0, 3.0], [5.0, 0.0]]), torch.tensor([[1, 1], [1, 0]]).bool()
    assert baseline(earned, mask)[0, 0].item() == pytest.approx(0.3)
    other = ExponentialMovingAverage(0.9)
    other.load_state_dict(baseline.state_dict())
    assert other(earned, mask)[1, 0].item() == pytest.approx(0.9 * 0.3 + 0.3)


def test_mali_weights_sum_to_one_and_are_the_ratio():
    logits = torch.tensor([0.0, 1.0, -2.0, 300.0])
    weights = MaliEstimator.weights(logits)
    assert weights.sum().item() == pytest.approx(1.0)
    probabilities = torch.sigmoid(logits[:3])
    ratio = probabilities / (1 - probabilities)
    torch.testing.assert_close(MaliEstimator.weights(logits[:3]), ratio / ratio.sum())


def test_mali_nears_the_gradient_of_the_reweighted_likelihood():
    """With many samples, w_i is r / E[r]: the gradient of -sum_y p(y) (r(y)/E[r] - 1) log p(y)."""
    discriminator = PairDiscriminator()
    table = Table()
    terms = []
    for pair in itertools.product(range(WORDS), repeat=2):
        samples = Samples(torch.tensor([pair]) + 4, torch.ones(1, 2, dtype=torch.bool))
        terms.append(
            (token_log_probs(table, samples, LENGTH).sum(), discriminator.logits[pair].exp())
        )
    normaliser = sum(log_p.exp().item() * ratio for log_p, ratio in terms)
    objective = -sum(
        log_p.exp().detach() * (ratio / normaliser - 1) * log_p for log_p, ratio in terms
    )
    (exact,) = torch.autograd.grad(objective, table.logits)
    mean = sum(estimate(MaliEstimator(), discriminator, 8000, seed) for seed in range(8)) / 8
    assert (mean - exact).norm() < 0.1 * exact.norm()


class Reader(nn.Module):
    """A discriminator with a weight for each word at each place."""

    def __init__(self, size):
        super().__init__()
        torch.manual_seed(8)
        self.places = torch.randn(2, size)

    def forward(self, sequence, mask):
        if not sequence.is_floating_point():
            sequence = F.one_hot(sequence, self.places.size(1)).float()
        return Scores.of_sequences((sequence * self.places).sum((1, 2)))


def gumbel(samples="hard", feedback="soft", temperature=1.0, final=1.0, anneal=0):
    return GumbelEstimator(samples, feedback, temperature, final, anneal)


def test_gumbel_shows_the_discriminator_what_the_generators_turn_shows():
    step = step_with(Reader(len(Table().dictionary)), 5)
    assert gumbel("hard").sample(step).weights is None
    soft = gumbel("soft").sample(step)
    assert not soft.weights.requires_grad and soft.weights.max() < 1
    torch.testing.assert_close(soft.weights.sum(2), torch.ones(5, 2))


@pytest.mark.parametrize("loss", [BCELoss(), RSGANLoss()])
def test_gumbel_loss_is_that_of_its_samples(loss):
    step = step_with(Reader(len(Table().dictionary)), 6)
    estimator = gumbel()
    torch.manual_seed(4)
    got, figures = estimator.generator_loss(step, loss)
    torch.manual_seed(4)
    fake = estimator.relaxed_samples(step)
    expected = loss.generator(step.scores(fake), step.scores(step.real))
    torch.testing.assert_close(got, expected)
    assert figures == {"gumbel_temperature": 1.0}
    (gradient,) = torch.autograd.grad(got.sum(), step.generator.logits)
    assert gradient[4:].norm() > 0 and gradient[2].norm() > 0


def test_hard_feedback_stops_the_gradient_between_steps():
    """The second word's logits then depend on the first word's choice, not on its weights."""
    reads_second = Reader(len(Table().dictionary))
    reads_second.places[0] = 0
    for feedback, flows in (("soft", True), ("hard", False)):
        step = step_with(reads_second, 6)
        torch.manual_seed(4)
        loss, _ = gumbel(feedback=feedback).generator_loss(step, BCELoss())
        (gradient,) = torch.autograd.grad(loss.sum(), step.generator.logits)
        # Row 2 (end of sentence before) holds the first word's logits.
        assert bool(gradient[2].norm() > 1e-6) is flows


def test_temperature_falls_exponentially_and_stays():
    estimator = gumbel(temperature=1.0, final=0.01, anneal=100)
    assert estimator.temperature(0) == 1.0
    assert estimator.temperature(50) == pytest.approx(0.1)
    assert estimator.temperature(100) == estimator.temperature(500) == pytest.approx(0.01)
    assert gumbel(temperature=0.7, final=0.1).temperature(10) == 0.7


@pytest.mark.parametrize(
    ("build", "says"),
    [
        (lambda: gumbel(temperature=0.0), "must be greater than 0"),
        (lambda: gumbel(temperature=1.0, anneal=-1), "--gumbel-anneal-updates cannot be negative"),
        (lambda: reinforce(rollouts=-1), "cannot be negative"),
        (lambda: reinforce(discount=1.5), "must be in"),
    ],
)
def test_impossible_numbers(build, says):
    with pytest.raises(ValueError, match=says):
        build()
