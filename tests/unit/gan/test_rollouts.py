"""Rollouts in one batch against rollouts one by one, under the same random numbers."""

import pytest
import torch
from small_models import LANGUAGE_MODELS, build

from fairseq_genext.gan.rollouts import Draws, rollout_rewards, sample_with_rollouts
from fairseq_genext.modules.conditions import draw_condition
from fairseq_genext.modules.samplers import SampleLength, Samples, inverse_cdf


def continued(decoder, prefix, numbers, length, arguments):
    """One text, token by token and without any cache: ``prefix``, then draws by ``numbers``."""
    tokens = list(prefix)
    for step in range(len(prefix), length.maximum):
        if tokens and tokens[-1] == 2 and not length.fixed:
            break
        logits, _ = decoder(torch.tensor([[2, *tokens]]), **arguments)
        logits = logits[:, -1].index_fill(
            1, torch.tensor(length.forbidden(decoder.dictionary)), -torch.inf
        )
        tokens.append(inverse_cdf(logits, numbers[step].view(1, 1)).item())
    return tokens


def worth(texts, of=None):
    """A reward that differs from text to text."""
    places = torch.arange(1, texts.tokens.size(1) + 1)
    return ((texts.tokens * texts.mask * places).sum(1) % 17).float()


@pytest.mark.parametrize("name", LANGUAGE_MODELS)
@pytest.mark.parametrize("length", [SampleLength(5), SampleLength(4, fixed=True)], ids=str)
@torch.no_grad()
def test_equal_to_one_by_one(name, length, dictionary):
    decoder = build(LANGUAGE_MODELS[name], dictionary).decoder
    batch, rollouts = 4, 3
    torch.manual_seed(6)
    condition = draw_condition(decoder, batch)
    draws = Draws.fresh(batch, rollouts, length.maximum, "cpu")
    samples, completions = sample_with_rollouts(decoder, batch, length, rollouts, condition, draws)
    rewards = rollout_rewards(samples, completions, rollouts, worth, rows=5)

    number = 0
    for row in range(batch):
        arguments = condition.select(torch.tensor([row])).arguments
        text = continued(decoder, [], draws.samples[row], length, arguments)
        assert samples.tokens[row, : len(text)].tolist() == text
        assert samples.mask[row].sum() == len(text)
        for prefix in range(1, len(text) + 1):
            if prefix == len(text):
                endings = [text]
            else:
                endings = [
                    continued(
                        decoder,
                        text[:prefix],
                        draws.completions[row, prefix - 1, repeat],
                        length,
                        arguments,
                    )
                    for repeat in range(rollouts)
                ]
                number += rollouts
            earned = [
                worth(Samples(torch.tensor([ending]), torch.ones(1, len(ending)))).item()
                for ending in endings
            ]
            assert rewards[row, prefix - 1].item() == pytest.approx(sum(earned) / len(earned))
        assert rewards[row, len(text) :].abs().sum() == 0
    assert completions.tokens.size(0) == number
    assert rewards.std() > 0.5


def test_without_rollouts_only_the_whole_text_counts(dictionary):
    decoder = build(LANGUAGE_MODELS["gan-gru"], dictionary).decoder
    torch.manual_seed(6)
    samples, completions = sample_with_rollouts(decoder, 3, SampleLength(5), 0)
    assert completions.tokens.size(0) == 0
    rewards = rollout_rewards(samples, completions, 0, worth, rows=5)
    last = samples.mask.sum(dim=1) - 1
    assert torch.equal(rewards[torch.arange(3), last], worth(samples))
    assert worth(samples).sum() == rewards.sum() > 0


def test_inverse_cdf_draws_from_the_softmax():
    torch.manual_seed(3)
    logits = torch.tensor([[0.0, -torch.inf, 1.0, 2.0, -torch.inf]])
    drawn = inverse_cdf(logits, torch.rand(1, 40000))
    shares = torch.bincount(drawn[0], minlength=5) / 40000
    torch.testing.assert_close(shares, logits[0].softmax(-1), atol=0.01, rtol=0)
    # The ends of the interval fall on entries that have a probability.
    ends = inverse_cdf(logits, torch.tensor([[0.0, 1 - 2**-24]]))
    assert ends.tolist() == [[0, 3]]
    first_forbidden = inverse_cdf(logits.flip(1), torch.tensor([[0.0, 1.0]]))
    assert first_forbidden.tolist() == [[1, 4]]


@pytest.mark.parametrize("vocabulary", [7, 64, 128, 300])
def test_inverse_cdf_is_the_first_entry_above_the_number(vocabulary):
    """In two levels as in one, with whole blocks, a short one and one that is forbidden."""
    torch.manual_seed(3)
    logits = torch.randn(50, vocabulary) * 3
    logits[:, vocabulary // 4 : vocabulary // 4 + 130] = -torch.inf
    logits[:, -1] = 0.0
    uniform = torch.rand(50, 40)
    cdf = logits.double().softmax(-1).cumsum(-1)
    drawn = inverse_cdf(logits, uniform)
    above = cdf.gather(1, drawn)
    below = torch.cat([torch.zeros(50, 1), cdf], dim=1).gather(1, drawn)
    assert (above > uniform - 1e-6).all() and (below < uniform + 1e-6).all()
    assert (logits.gather(1, drawn) > -torch.inf).all()
    same = torch.searchsorted(cdf, uniform.double(), right=True) == drawn
    assert same.float().mean() > 0.999
