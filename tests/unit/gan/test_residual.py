"""The residual energy-based model, against sums over all of its texts."""

import itertools
import math
from collections import Counter

import pytest
import torch
from fairseq import search
from fairseq.data import Dictionary
from small_models import GANS_BY_PLAYERS, build
from torch.nn.utils.rnn import pad_sequence

from fairseq_genext.evaluation.residual import figures
from fairseq_genext.gan.residual import LogPartition, effective_sample_size, keep_one
from fairseq_genext.gan.scores import Scores
from fairseq_genext.modules.resampling_generator import ResamplingGenerator

WORDS, LENGTH = 3, 2
TEXTS = torch.tensor(list(itertools.product(range(WORDS), repeat=LENGTH)))  # (9, 2)


@pytest.fixture
def model():
    """log q and f of every text, from random tables."""
    torch.manual_seed(1)
    first = torch.randn(WORDS).log_softmax(0)
    second = torch.randn(WORDS, WORDS).log_softmax(1)
    log_q = first[TEXTS[:, 0]] + second[TEXTS[:, 0], TEXTS[:, 1]]
    return log_q.double(), torch.randn(len(TEXTS)).double() / 2


def drawn(log_q, *shape):
    return torch.multinomial(log_q.exp(), math.prod(shape), replacement=True).view(shape)


def test_many_candidates_draw_from_p(model):
    log_q, f = model
    p = (log_q + f).softmax(0)
    distances = []
    for number in (1, 4, 64):
        candidates = drawn(log_q, 40_000, number)
        kept = candidates.gather(1, keep_one(f[candidates]).unsqueeze(1)).squeeze(1)
        share = kept.bincount(minlength=len(TEXTS)) / len(kept)
        distances.append((share - p).abs().sum().item() / 2)
    assert distances[0] > 1.5 * distances[1] > 15 * distances[2]
    assert distances[2] < 0.02


def test_log_z_lies_between_its_bounds_which_close(model):
    log_q, f = model
    true = (log_q + f).logsumexp(0).item()
    means, gaps = {}, []
    for number in (16, 64, 256):
        found = [LogPartition.of(row) for row in f[drawn(log_q, 1000, number)]]
        assert all(z.lower <= z.estimate <= z.upper for z in found)
        means[number] = [
            sum(getattr(z, name) for z in found) / len(found)
            for name in ("lower", "estimate", "upper")
        ]
        low, estimate, high = means[number]
        assert low < true < high
        assert abs(estimate - true) < 0.3 * (true - low) + 0.004
        gaps.append(high - low)
    assert gaps[0] / gaps[1] == pytest.approx(4, rel=0.25)
    assert gaps[1] / gaps[2] == pytest.approx(4, rel=0.25)


def test_the_upper_bound_of_log_z_by_hand():
    f = torch.tensor([0.3, -1.0, 2.0, 0.5]).double()
    number = len(f)
    whole = f.logsumexp(0) - math.log(number)
    left_out = [torch.cat([f[:i], f[i + 1 :]]).logsumexp(0) for i in range(number)]
    less = torch.stack(left_out).mean() - math.log(number - 1)
    found = LogPartition.of(f)
    assert found.lower == pytest.approx(whole.item())
    assert found.upper == pytest.approx(((2 * number - 1) * whole - 2 * (number - 1) * less).item())


def test_the_interval_of_the_gain_has_both_errors(model):
    log_q, f = model
    real, lengths = drawn(log_q, 4000), torch.full((4000,), LENGTH)
    few, many = (
        figures(-log_q[real], lengths, f[real], f[fake])
        for fake in (drawn(log_q, 40), drawn(log_q, 100_000))
    )
    over_texts = 1.96 * f[real].std().item() / math.sqrt(4000) / LENGTH
    assert many["residual_gain_ci"] == pytest.approx(over_texts, rel=0.1)
    over_samples = 1.96 * few["log_z_error"] / LENGTH
    assert few["residual_gain_ci"] == pytest.approx(math.hypot(over_texts, over_samples), rel=0.05)
    assert few["residual_gain_ci"] > 3 * many["residual_gain_ci"]


def test_the_error_of_log_z_is_its_spread(model):
    log_q, f = model
    found = [LogPartition.of(row) for row in f[drawn(log_q, 500, 400)]]
    spread = torch.tensor([z.estimate for z in found]).std().item()
    assert found[0].error == pytest.approx(spread, rel=0.15)


def test_effective_sample_size():
    logits = torch.tensor([[0.0, 0.0, 0.0, 0.0], [50.0, 0.0, 0.0, 0.0], [1.0, 1.0, -50.0, -50.0]])
    torch.testing.assert_close(effective_sample_size(logits), torch.tensor([4.0, 1.0, 2.0]))


def test_the_optimal_discriminator_gives_the_likelihood_of_the_data(model):
    log_q, log_data = model[0], torch.randn(len(TEXTS)).double().log_softmax(0)
    f = log_data - log_q
    real, fake = drawn(log_data, 4000), drawn(log_q, 20_000)
    lengths = torch.full((len(real),), LENGTH)
    found = figures(-log_q[real], lengths, f[real], f[fake])
    best = -log_data[real].mean().item() / LENGTH
    assert found["generator_nll"] == pytest.approx(-log_q[real].mean().item() / LENGTH)
    assert found["residual_nll"] == pytest.approx(best, abs=3 * found["log_z_error"])
    assert found["residual_nll_low"] < found["residual_nll"] < found["residual_nll_high"]
    assert found["residual_gain"] == pytest.approx(
        found["generator_nll"] - found["residual_nll"], abs=1e-9
    )
    # The expected gain is KL(data | q).
    divergence = (log_data.exp() * f).sum().item() / LENGTH
    assert abs(found["residual_gain"] - divergence) < 2 * found["residual_gain_ci"]
    for probability, share in found["calibration"]:
        assert share == pytest.approx(probability, abs=0.05)


def test_a_discriminator_that_knows_nothing_changes_nothing(model):
    log_q, _ = model
    real, fake = drawn(log_q, 50), drawn(log_q, 60)
    nothing = torch.zeros(len(TEXTS)).double()
    found = figures(-log_q[real], torch.full((50,), LENGTH), nothing[real], nothing[fake])
    assert found["residual_gain"] == pytest.approx(0, abs=1e-12)
    assert found["residual_gain_ci"] == pytest.approx(0, abs=1e-12)
    assert found["discriminator_loss"] == pytest.approx(math.log(2))


@pytest.mark.parametrize("logits", [[45.0] + [0.0] * 999, [40.0, 0.0], [100.0] + [0.0] * 999])
def test_one_sample_that_outweighs_all_others(logits):
    """Its share rounds to 1, and the others' sum is still what is left without it."""
    found = LogPartition.of(torch.tensor(logits))
    number, best = len(logits), logits[0]
    total = math.log(math.exp(best) + number - 1)
    left_out = [math.log(number - 1)] + [total + math.log1p(-math.exp(-total))] * (number - 1)
    mean = sum(left_out) / number - math.log(number - 1)
    jackknife = number * (total - math.log(number)) - (number - 1) * mean
    assert found.estimate == pytest.approx(jackknife, rel=1e-9)
    assert found.lower < found.estimate < found.upper < math.inf


def test_the_generator_draws_from_p():
    """Texts of up to two of three words, by fairseq's generator and the discriminator's choice."""
    dictionary = Dictionary()
    for word in "abc":
        dictionary.add_symbol(word)
    model = build(GANS_BY_PLAYERS["rnn", "gpt"], dictionary)
    with torch.no_grad():
        model.discriminator.output.weight.mul_(12)  # so that the choice shows
    number = 4000

    def shares(candidates):
        generator = ResamplingGenerator(
            [model], dictionary, beam_size=1, max_len_b=2,
            search_strategy=search.Sampling(dictionary),
        )  # fmt: skip
        generator.candidates = candidates
        generator.discriminator, generator.longest_scored = model.discriminator, 3
        sample = {"net_input": {"src_tokens": torch.full((number, 1), 2)}}
        texts = Counter()
        for _ in range(8 if candidates == 1 else 1):
            found = generator.generate([model], sample, bos_token=2)
            texts.update(tuple(text["tokens"].tolist()) for (text,) in found)
        return texts

    torch.manual_seed(2)
    plain, kept = shares(1), shares(64)
    texts = list(plain)
    tokens = pad_sequence([torch.tensor(text) for text in texts], True, dictionary.pad())
    f = model.discriminator(tokens, tokens.ne(dictionary.pad())).mean().detach().double()
    q = torch.tensor([plain[text] for text in texts]).double()
    p = (q.log() + f).softmax(0)
    share = torch.tensor([kept[text] for text in texts]).double() / number
    assert (q / q.sum() - p).abs().sum() / 2 > 0.1  # far from each other
    assert (share - p).abs().sum() / 2 < 0.03


def test_a_longer_text_is_scored_as_samples_were_cut():
    generator = ResamplingGenerator.__new__(ResamplingGenerator)
    torch.nn.Module.__init__(generator)
    read = []

    def discriminator(tokens, mask):
        read.append((tokens.tolist(), mask.tolist()))
        return Scores.of_sequences(torch.zeros(len(tokens)))

    generator.discriminator, generator.pad, generator.longest_scored = discriminator, 1, 3
    generator.score([torch.tensor([5, 6, 7, 8, 2]), torch.tensor([9, 2])])
    assert read == [([[5, 6, 7], [9, 2, 1]], [[True] * 3, [True, True, False]])]


def test_calibration_is_of_texts_of_all_lengths():
    """Held-out texts come by their length, and there may be more of them than samples."""
    torch.manual_seed(3)
    real = torch.arange(1000).double() / 1000  # f grows with length
    found = figures(torch.ones(1000), torch.ones(1000).long(), real, torch.zeros(100).double())
    given = sum(probability for probability, _ in found["calibration"]) / len(found["calibration"])
    assert given > real[:100].sigmoid().mean() + 0.03
