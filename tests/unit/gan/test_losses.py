"""Each loss against its formula, by hand."""

import math

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from fairseq_genext.gan.losses import LOSSES, BCELoss, HingeLoss, RSGANLoss, WGANGPLoss
from fairseq_genext.gan.losses.penalties import R1, R2, Points
from fairseq_genext.gan.scores import Scores
from fairseq_genext.modules.samplers import Samples

REAL, FAKE = [0.3, -2.0], [1.5, -0.5]


def sequences(*logits):
    return Scores.of_sequences(torch.tensor(logits))


def sigmoid(x):
    return 1 / (1 + math.exp(-x))


FORMULAS = {
    "bce": (
        lambda r, f: 0.5 * -math.log(sigmoid(r)) + 0.5 * -math.log(1 - sigmoid(f)),
        lambda r, f: -math.log(sigmoid(f)),
    ),
    "hinge": (lambda r, f: max(0, 1 - r) + max(0, 1 + f), lambda r, f: -f),
    "wgan-gp": (lambda r, f: f - r, lambda r, f: -f),
    "rsgan": (lambda r, f: -math.log(sigmoid(r - f)), lambda r, f: -math.log(sigmoid(f - r))),
}


@pytest.mark.parametrize("name", LOSSES)
def test_formulas(name):
    discriminator, generator = FORMULAS[name]
    loss = LOSSES[name]()
    real, fake = sequences(*REAL), sequences(*FAKE)
    torch.testing.assert_close(
        loss.discriminator(real, fake), torch.tensor(list(map(discriminator, REAL, FAKE)))
    )
    torch.testing.assert_close(
        loss.generator(fake, real), torch.tensor(list(map(generator, REAL, FAKE)))
    )
    certain = sequences(200.0)
    assert torch.isfinite(loss.discriminator(sequences(-200.0), certain)).all()


@pytest.mark.parametrize("name", LOSSES)
def test_several_logits_count_where_the_mask_is(name):
    """Representations or tokens: the mean over those that are there."""
    loss = LOSSES[name]()
    logits = torch.tensor([[0.5, 2.0, 77.0]])
    mask = torch.tensor([[True, True, False]])
    real = Scores(torch.tensor([[1.0, -1.0, 55.0]]), mask)
    got = loss.discriminator(real, Scores(logits, mask))
    parts = [loss.discriminator(sequences(r), sequences(f)) for r, f in ((1.0, 0.5), (-1.0, 2.0))]
    torch.testing.assert_close(got, sum(parts) / 2)


def test_rsgan_is_symmetric():
    """The discriminator's loss for one order of the two is the generator's for the other."""
    loss, real, fake = RSGANLoss(), sequences(*REAL), sequences(*FAKE)
    torch.testing.assert_close(loss.discriminator(real, fake), loss.generator(real, fake))
    both = loss.discriminator(real, fake) - loss.discriminator(fake, real)
    torch.testing.assert_close(both, torch.tensor(FAKE) - torch.tensor(REAL))


def test_rsgan_compares_the_means_of_tokens():
    """Two sequences of unlike length have no tokens to pair."""
    real = Scores(torch.tensor([[1.0, 3.0]]), torch.ones(1, 2, dtype=torch.bool), per_token=True)
    fake = Scores(torch.tensor([[0.5]]), torch.ones(1, 1, dtype=torch.bool), per_token=True)
    expected = -math.log(sigmoid(2.0 - 0.5))
    assert RSGANLoss().discriminator(real, fake).item() == pytest.approx(expected)


def test_bce_and_hinge_of_tokens_need_no_pairs():
    real = Scores(torch.tensor([[1.0, 3.0]]), torch.ones(1, 2, dtype=torch.bool), per_token=True)
    fake = Scores(torch.tensor([[0.5]]), torch.ones(1, 1, dtype=torch.bool), per_token=True)
    expected = 0.25 * (F.softplus(torch.tensor(-1.0)) + F.softplus(torch.tensor(-3.0)))
    expected += 0.5 * F.softplus(torch.tensor(0.5))
    torch.testing.assert_close(BCELoss().discriminator(real, fake), expected.unsqueeze(0))
    assert HingeLoss().discriminator(real, fake).item() == pytest.approx(1.5)


class Linear(nn.Module):
    """D(x) = the sum over tokens of a weight for each word."""

    def __init__(self, weights):
        super().__init__()
        self.weights = nn.Parameter(torch.tensor(weights))

    def forward(self, sequence, mask):
        return Scores.of_sequences(((sequence @ self.weights) * mask).sum(1))


def points(*texts):
    """Of three words and two places."""
    return tuple(Points.of_texts(text, 3, 2) for text in texts)


def test_gradient_penalty_by_hand():
    """A linear one's slope is the same everywhere: sqrt(time) times its weights' length."""
    critic = Linear([3.0, 4.0, 0.0])
    real = Samples(torch.tensor([[0, 1]]), torch.tensor([[True, True]]))
    fake = Samples(torch.tensor([[2]]), torch.tensor([[True]]))
    penalty = WGANGPLoss(penalty_weight=10.0).penalty(critic, *points(real, fake))
    norm = math.sqrt(2) * 5.0  # two positions, |(3, 4, 0)| = 5
    assert penalty.item() == pytest.approx(10.0 * (norm - 1) ** 2, rel=1e-5)
    penalty.sum().backward()
    # d/dw 10 (sqrt(2) |w| - 1)^2 = 20 (sqrt(2) |w| - 1) sqrt(2) w / |w|
    expected = 20 * (norm - 1) * math.sqrt(2) * torch.tensor([3.0, 4.0, 0.0]) / 5
    torch.testing.assert_close(critic.weights.grad, expected)


class Quadratic(nn.Module):
    """D(x) = the sum over tokens of a_w x_w^2 / 2; its slope a_w x_w says where x is."""

    def forward(self, sequence, mask):
        curvature = torch.tensor([3.0, 4.0, 2.0])
        return Scores.of_sequences((sequence.square() @ curvature / 2 * mask).sum(1))


REAL_TEXTS = Samples(torch.tensor([[0, 1]] * 3), torch.ones(3, 2, dtype=torch.bool))
ENDS_FIRST = torch.tensor([[True, True], [True, True], [True, False]])
FAKE_TEXTS = Samples(torch.tensor([[2, 2]] * 3), ENDS_FIRST)


def test_gradient_penalty_between_real_and_generated(monkeypatch):
    """One share a pair, of the real one: 1/4, 3/4 and 1/2; the last generated one ends first."""
    shares = torch.tensor([0.25, 0.75, 0.5])
    monkeypatch.setattr(torch, "rand", lambda *size, **_: shares.view(size))
    loss = WGANGPLoss(penalty_weight=10.0)
    penalty = loss.penalty(Quadratic(), *points(REAL_TEXTS, FAKE_TEXTS))
    # Slopes at x = s real + (1 - s) generated: 3 s and 2 (1 - s), then 4 s and 2 (1 - s).
    norms = [
        math.sqrt((3 * s) ** 2 + (4 * s) ** 2 + tokens * (2 - 2 * s) ** 2)
        for s, tokens in ((0.25, 2), (0.75, 2), (0.5, 1))
    ]
    assert penalty.tolist() == pytest.approx([10 * (norm - 1) ** 2 for norm in norms], rel=1e-5)


@pytest.mark.parametrize("loss", [BCELoss, RSGANLoss])
def test_r1_and_r2_by_hand(loss):
    """Half the weight times the squared slope: at 0 1 it is 3² + 4², and 2² at each 2."""
    texts = points(REAL_TEXTS, FAKE_TEXTS)
    real, fake = 3**2 + 4**2, torch.tensor([2 * 2**2, 2 * 2**2, 2**2])
    found = [
        loss(*penalties).penalty(Quadratic(), *texts)
        for penalties in ((R1(0.5),), (R2(3.0),), (R1(0.5), R2(3.0)))
    ]
    torch.testing.assert_close(found[0], torch.full((3,), 0.25 * real))
    torch.testing.assert_close(found[1], 1.5 * fake)
    torch.testing.assert_close(found[2], 0.25 * real + 1.5 * fake)


def test_r1_and_r2_move_a_discriminator_as_they_should():
    """Of a linear one both are the weight times its weights' squared length, at two tokens."""
    critic = Linear([3.0, 4.0, 0.0])
    pair = points(*(Samples(x.tokens[:1], x.mask[:1]) for x in (REAL_TEXTS, FAKE_TEXTS)))
    RSGANLoss(R1(0.1), R2(0.3)).penalty(critic, *pair).sum().backward()
    # d/dw (0.1 + 0.3) / 2 * 2 |w|^2
    torch.testing.assert_close(critic.weights.grad, 0.8 * torch.tensor([3.0, 4.0, 0.0]))


def test_r1_of_images_by_hand():
    """D(x) = |x|² has the slope 2 x."""
    images = Points.of_images(torch.tensor([[[1.0, -2.0]], [[0.5, 0.0]]]))
    squares = lambda values, _: Scores.of_sequences(values.square().sum(dim=(1, 2)))  # noqa: E731
    found = RSGANLoss(R1(2.0)).penalty(squares, images, images)
    torch.testing.assert_close(found, torch.tensor([4 * 5.0, 4 * 0.25]))


@pytest.mark.parametrize("weight", [-1.0, math.nan, math.inf])
@pytest.mark.parametrize("build", [WGANGPLoss, R1, R2])
def test_weights_of_penalties_are_checked(build, weight):
    with pytest.raises(ValueError, match="cannot be negative"):
        build(weight)
