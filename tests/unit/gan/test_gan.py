"""Schedule, losses and gradient estimator by hand."""

import math

import pytest
import torch
from small_models import LANGUAGE_MODELS, build
from torch.nn import functional as F

from fairseq_genext.gan.estimators import GumbelEstimator
from fairseq_genext.gan.losses import BCELoss
from fairseq_genext.gan.schedule import Phase, Schedule
from fairseq_genext.modules.samplers import ancestral, gumbel_softmax, unroll


def test_schedule_at_every_boundary():
    schedule = Schedule(2, 3, discriminator_steps=2, generator_steps=1)
    turns = [schedule.turn(update) for update in range(12)]
    assert [turn.phase for turn in turns] == [0, 0, 1, 1, 1, *[Phase.TURNS] * 7]
    assert "".join(turn.player[0] for turn in turns) == "ggddd" + "ddgddgd"
    assert Schedule(0, 0).turn(0).player == "discriminator"
    assert Schedule(0, 0).turn(1).player == "generator"


@pytest.mark.parametrize("lengths", [(-1, 0, 1, 1), (0, -1, 1, 1), (0, 0, 0, 1), (0, 0, 1, 0)])
def test_impossible_schedules(lengths):
    with pytest.raises(ValueError, match="must be 0 or greater|at least one step"):
        Schedule(*lengths)


def test_bce_equals_the_articles_formulas():
    real, fake = torch.tensor([0.3, -2.0]), torch.tensor([1.5, -0.5])
    loss = BCELoss()
    for index in range(2):
        d_real = 1 / (1 + math.exp(-real[index]))
        d_fake = 1 / (1 + math.exp(-fake[index]))
        expected = 0.5 * -math.log(d_real) + 0.5 * -math.log(1 - d_fake)
        assert loss.discriminator(real, fake)[index].item() == pytest.approx(expected, rel=1e-5)
        generator = loss.generator(fake)[index].item()
        assert generator == pytest.approx(-math.log(d_fake), rel=1e-5)
    certain = torch.tensor([200.0])
    assert torch.isfinite(loss.discriminator(-certain, certain))


def test_straight_through_is_one_hot_forward_and_soft_backward():
    logits = torch.randn(5, 7, requires_grad=True)
    torch.manual_seed(3)
    ids, hard = gumbel_softmax(logits, 0.7, hard=True)
    torch.manual_seed(3)
    _, soft = gumbel_softmax(logits, 0.7, hard=False)
    torch.testing.assert_close(hard, F.one_hot(ids, 7).float())
    assert torch.equal(soft.argmax(-1), ids) and soft.max() < 1
    direction = torch.randn(5, 7)
    (of_hard,) = torch.autograd.grad((hard * direction).sum(), logits)
    (of_soft,) = torch.autograd.grad((soft * direction).sum(), logits)
    torch.testing.assert_close(of_hard, of_soft)


def test_gumbel_draws_from_the_softmax():
    torch.manual_seed(3)
    logits = torch.tensor([0.0, 1.0, 2.0]).expand(20000, 3)
    ids, _ = gumbel_softmax(logits, 0.5, hard=True)
    shares = torch.bincount(ids) / 20000
    torch.testing.assert_close(shares, logits[0].softmax(-1), atol=0.012, rtol=0)


def test_temperature_falls_exponentially_and_stays():
    estimator = GumbelEstimator(True, 1.0, 0.01, anneal_updates=100)
    assert estimator.temperature(0) == 1.0
    assert estimator.temperature(50) == pytest.approx(0.1)
    assert estimator.temperature(100) == estimator.temperature(500) == pytest.approx(0.01)
    assert GumbelEstimator(True, 0.7, 0.1, 0).temperature(10) == 0.7


@pytest.mark.parametrize("name", LANGUAGE_MODELS)
def test_samples_stop_at_the_end_of_sentence(name, dictionary):
    decoder = build(LANGUAGE_MODELS[name], dictionary).decoder
    torch.manual_seed(6)
    plain = unroll(decoder, 200, 10, ancestral)
    for tokens, mask in zip(plain.tokens.tolist(), plain.mask.tolist(), strict=True):
        length = sum(mask)
        assert mask == [True] * length + [False] * (len(mask) - length)
        assert 2 not in tokens[: length - 1] and set(tokens[length:]) <= {1}
        assert tokens[length - 1] == 2 or length == 10
    assert plain.mask.sum(1).float().std() > 0.5
    torch.manual_seed(6)
    again = unroll(decoder, 200, 10, ancestral)
    assert torch.equal(plain.tokens, again.tokens)


@pytest.mark.parametrize("name", LANGUAGE_MODELS)
def test_straight_through_samples_are_what_the_decoder_says_of_their_tokens(name, dictionary):
    """Fed back through its embeddings, a one-hot sample is the same as its token."""
    decoder = build(LANGUAGE_MODELS[name], dictionary).decoder
    seen = []

    def choose(logits):
        seen.append(logits)
        return gumbel_softmax(logits, 1.0, hard=True)

    torch.manual_seed(6)
    noise = decoder.draw_noise(4) if name.startswith("gan") else None
    torch.manual_seed(6)
    samples = unroll(decoder, 4, 6, choose)
    previous = torch.cat([torch.full((4, 1), 2), samples.tokens[:, :-1]], dim=1)
    full, _ = decoder(previous, **({"noise": noise} if noise is not None else {}))
    stepped = torch.stack(seen, dim=1)
    keep = samples.mask.unsqueeze(-1).expand_as(full) & torch.isfinite(stepped)
    torch.testing.assert_close(stepped[keep], full[keep], rtol=1e-4, atol=1e-4)
    one_hot = F.one_hot(samples.tokens, len(dictionary)).float()
    torch.testing.assert_close(samples.weights, one_hot * samples.mask.unsqueeze(-1))
