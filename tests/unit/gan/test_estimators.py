"""The gradient of each estimator against the exact one, by enumeration."""

import copy
import itertools
import math
from dataclasses import replace

import pytest
import torch
from fairseq.data import Dictionary
from torch import nn
from torch.nn import functional as F

from fairseq_genext.gan.estimators import (
    GumbelEstimator,
    MaliEstimator,
    PPOEstimator,
    ReinforceEstimator,
)
from fairseq_genext.gan.estimators.baselines import ExponentialMovingAverage, LeaveOneOutBaseline
from fairseq_genext.gan.losses import BCELoss, RSGANLoss
from fairseq_genext.gan.rewards import REWARDS, logit_rewards
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
    real = torch.tensor([math.log(3.0), math.log(3.0)])
    expected = {
        "probability": [0.5, 0.75],
        "signed": [0.0, 0.5],
        "logit": [0.0, math.log(3.0)],
        "constant": [1.0, 1.0],
        "share": [0.25, 0.5],
    }
    for name, reward in REWARDS.items():
        torch.testing.assert_close(reward(logits, real), torch.tensor(expected[name]))


def test_shares_of_pairs_compare_logits_one_by_one_and_tokens_with_the_mean():
    fake, real = torch.randn(3, 4), torch.randn(3, 4)
    mask = torch.tensor([[1, 1, 1, 1], [1, 0, 0, 0], [1, 1, 0, 0]]).bool()
    got = logit_rewards("share", Scores(fake, mask), Scores(real, mask))
    torch.testing.assert_close(got, fake.exp() / (fake.exp() + real.exp()))
    got = logit_rewards("share", Scores(fake, mask, True), Scores(real, mask, True))
    means = torch.stack([real[0].mean(), real[1, 0], real[2, :2].mean()])
    torch.testing.assert_close(got, torch.sigmoid(fake - means.unsqueeze(1)))


class FirstWordDiscriminator(PairDiscriminator):
    """The real texts of a batch differ in their first word alone, by which their scores differ."""

    def forward(self, tokens, mask):
        return Scores.of_sequences(self.logits[0, tokens[:, 0] - 4] * 10)


@pytest.mark.parametrize("rollouts", [0, 2])
@torch.no_grad()
def test_a_completion_is_compared_with_the_pair_of_its_sample(rollouts):
    step = step_with(FirstWordDiscriminator(), 3)
    step.real.tokens[:, 0] = torch.tensor([4, 5, 6])
    torch.manual_seed(3)
    samples, rewards = reinforce(reward="share", rollouts=rollouts).sample_and_reward(step)
    own, real = (step.scores(texts).logits[:, 0] for texts in (samples, step.real))
    # All completions keep the first word.
    torch.testing.assert_close(rewards, torch.sigmoid(own - real).unsqueeze(1).expand(-1, 2))


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


def ppo(size, **flags):
    defaults = {
        "reward": "probability", "baseline": "none", "clip": 0.2, "epochs": 1, "human_share": 0.0,
        "human_share_updates": 0, "human_reward": 2.0, "scale": "none",
    }  # fmt: skip
    return PPOEstimator(**{**defaults, **flags}, baseline_decay=0.9, size=size)


@pytest.mark.parametrize("reward", REWARDS)
@pytest.mark.parametrize("baseline", ["none", "ema", "leave-one-out"])
def test_ppo_at_ratio_one_is_reinforce(reward, baseline):
    flags = {"reward": reward, "baseline": baseline}
    got = estimate(ppo(200, **flags), PairDiscriminator(), 200, 1)
    expected = estimate(reinforce(**flags), PairDiscriminator(), 200, 1)
    torch.testing.assert_close(got, expected, rtol=0, atol=1e-6)
    assert expected.norm() > 1e-3 or (reward, baseline) == ("constant", "leave-one-out")


def test_ppo_has_no_gradient_where_clipped_and_that_of_the_ratio_elsewhere():
    step = step_with(PairDiscriminator(), 60)
    estimator = ppo(60, baseline="leave-one-out", epochs=2)
    estimator.generator_loss(step, BCELoss())
    buffer = estimator.buffer
    with torch.no_grad():
        step.generator.logits += 0.4 * torch.randn_like(step.generator.logits)
    losses, figures = estimator.generator_loss(step, BCELoss())
    assert estimator.buffer is buffer
    log_probs = estimator.text_log_probs(step, estimator.read(step, buffer.order))
    ratios = (log_probs - buffer.log_probs[buffer.order]).exp()
    kinds = []
    for loss, log_prob, ratio, advantage in zip(
        losses, log_probs, ratios, buffer.advantages[buffer.order], strict=True
    ):
        (got,) = torch.autograd.grad(loss, step.generator.logits, retain_graph=True)
        (slope,) = torch.autograd.grad(log_prob, step.generator.logits, retain_graph=True)
        clipped = ratio > 1.2 if advantage > 0 else ratio < 0.8
        kinds.append((bool(clipped), bool(advantage > 0)))
        if clipped:
            assert got.abs().max() == 0
        else:
            torch.testing.assert_close(got, -advantage * ratio.detach() * slope)
    assert len(set(kinds)) == 4
    assert figures["ppo_clipped"] == sum(clipped for clipped, _ in kinds) / 60


def test_a_ppo_buffer_is_drawn_once_and_read_to_its_end():
    """Six texts, two times, four at a time: three updates."""
    step, estimator = step_with(PairDiscriminator(), 4), ppo(6, epochs=2)
    buffers, tokens = [], []
    for _ in range(7):
        estimator.generator_loss(step, BCELoss())
        buffers.append(estimator.buffer)
        tokens.append(estimator.buffer.texts["tokens"])
    assert [len({*map(id, buffers[start : start + 3])}) for start in (0, 3)] == [1, 1]
    assert len({*map(id, buffers)}) == 3
    assert buffers[0].order.sort()[0].tolist() == list(range(6)) and buffers[0].read == 12
    assert not torch.equal(tokens[0], tokens[3])
    # Never fewer than a batch.
    estimator = ppo(2)
    estimator.generator_loss(step, BCELoss())
    assert len(estimator.buffer.order) == len(estimator.buffer.rewards) == 4


def test_ppo_goes_on_with_the_buffer_that_was_saved():
    step, estimator = step_with(PairDiscriminator(), 4), ppo(6, epochs=2, human_share=0.4)
    for _ in range(2):
        estimator.generator_loss(step, BCELoss())
    other = ppo(6, epochs=2, human_share=0.4)
    other.load_buffer_state(copy.deepcopy(estimator.buffer_state()))
    for _ in range(2):  # the second draws
        torch.manual_seed(5)
        expected, _ = estimator.generator_loss(step, BCELoss())
        torch.manual_seed(5)
        got, _ = other.generator_loss(step, BCELoss())
        assert torch.equal(got, expected)
    fresh = ppo(6)
    fresh.load_buffer_state(fresh.buffer_state())
    assert fresh.buffer is None


def test_human_texts_have_their_share_and_a_constant_reward():
    step, estimator = step_with(PairDiscriminator(), 10), ppo(10, human_share=0.3)
    losses, _ = estimator.generator_loss(step, BCELoss())
    assert len(losses) == 10 and len(estimator.buffer.rewards) == 7
    (got,) = torch.autograd.grad(losses[7:].sum(), step.generator.logits)
    again = step_with(PairDiscriminator(), 3)
    log_probs = token_log_probs(again.generator, again.real, LENGTH)
    (expected,) = torch.autograd.grad(-2.0 * log_probs.sum(), again.generator.logits)
    torch.testing.assert_close(got, expected)
    assert losses[7:].tolist() == [-2.0] * 3


def test_a_human_text_that_cannot_be_sampled_teaches_nothing():
    """One with <unk>, which no text of a fixed length has."""
    step, estimator = step_with(PairDiscriminator(), 4), ppo(4, human_share=0.9)
    step.real.tokens[:, 1] = 3
    estimator.sample_and_reward = lambda _: reinforce().sample_and_reward(
        step_with(PairDiscriminator(), 4)
    )
    losses, _ = estimator.generator_loss(step, BCELoss())
    (gradient,) = torch.autograd.grad(losses[1:].sum(), step.generator.logits)
    assert losses[1:].tolist() == [-2.0] * 3 and gradient.abs().max() == 0


def test_the_share_of_human_texts_falls_linearly():
    falling = ppo(10, human_share=0.3, human_share_updates=100)
    assert [falling.share(n) for n in (0, 50, 100, 500)] == pytest.approx([0.3, 0.15, 0, 0])
    assert ppo(10, human_share=0.3).share(500) == 0.3


def test_advantages_in_units_of_their_deviation():
    step = step_with(PairDiscriminator(), 50)
    for reward, spread in (("logit", True), ("constant", False)):
        buffers = []
        for scale in ("none", "deviation"):
            torch.manual_seed(2)
            estimator = ppo(50, reward=reward, baseline="leave-one-out", scale=scale)
            buffers.append(estimator.draw(step))
        plain, scaled = buffers
        unit = plain.rewards.std(correction=0) if spread else 1.0
        torch.testing.assert_close(scaled.advantages, (plain.advantages / unit).clamp(-2, 2))


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


@pytest.mark.parametrize(("samples", "knows"), [("hard", True), ("soft", False)])
def test_gumbel_knows_of_discrete_samples_that_an_end_takes_away_what_follows(samples, knows):
    """The sum of a step's weights is 1 whatever the generator does, where there is a step."""
    step = replace(step_with(Reader(len(Table().dictionary)), 200), length=SampleLength(2))
    torch.manual_seed(4)
    fake = gumbel(samples).relaxed_samples(step)
    assert set(fake.mask.sum(1).tolist()) == {1, 2}
    (gradient,) = torch.autograd.grad(fake.weights.sum(), step.generator.logits)
    eos = step.generator.dictionary.eos()
    assert (gradient.abs().max() > 1) == knows
    assert (gradient[eos, eos] < -1) == knows  # an end at once means one weight less


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
        (lambda: gumbel(temperature=0.0), "must be at least 1e-06"),
        (
            lambda: gumbel(temperature=1.0, anneal=-1),
            "--gumbel-anneal-updates is -1; it cannot be negative",
        ),
        (lambda: reinforce(rollouts=-1), "cannot be negative"),
        (lambda: reinforce(discount=1.5), "must be in"),
        (lambda: ppo(8, clip=0.0), "--ppo-clip is 0.0"),
        (lambda: ppo(8, clip=math.nan), "--ppo-clip is nan"),
        (lambda: ppo(0), "--ppo-buffer is 0; it must be at least 1"),
        (lambda: ppo(8, epochs=0), "--ppo-epochs is 0; it must be at least 1"),
        (lambda: ppo(8, human_share=1.0), "--human-share is 1.0"),
        (lambda: ppo(8, human_share=-0.1), "--human-share is -0.1"),
        (
            lambda: ppo(8, human_share_updates=-1),
            "--human-share-updates is -1; it cannot be negative",
        ),
        (lambda: ppo(8, human_reward=math.inf), "--human-reward is inf"),
    ],
)
def test_impossible_numbers(build, says):
    with pytest.raises(ValueError, match=says):
        build()
