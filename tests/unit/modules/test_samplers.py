"""Samples with and without a gradient."""

import pytest
import torch
from small_models import LANGUAGE_MODELS, build
from torch.nn import functional as F

from fairseq_genext.modules.samplers import SampleLength, ancestral, gumbel_softmax, unroll


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


@pytest.mark.parametrize("name", LANGUAGE_MODELS)
def test_samples_stop_at_the_end_of_sentence(name, dictionary):
    decoder = build(LANGUAGE_MODELS[name], dictionary).decoder
    torch.manual_seed(6)
    plain = unroll(decoder, 200, SampleLength(10), ancestral)
    for tokens, mask in zip(plain.tokens.tolist(), plain.mask.tolist(), strict=True):
        length = sum(mask)
        assert mask == [True] * length + [False] * (len(mask) - length)
        assert 2 not in tokens[: length - 1] and set(tokens[length:]) <= {1}
        assert tokens[length - 1] == 2 or length == 10
    assert plain.mask.sum(1).float().std() > 0.5
    torch.manual_seed(6)
    again = unroll(decoder, 200, SampleLength(10), ancestral)
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
    samples = unroll(decoder, 4, SampleLength(6), choose)
    previous = torch.cat([torch.full((4, 1), 2), samples.tokens[:, :-1]], dim=1)
    full, _ = decoder(previous, **({"noise": noise} if noise is not None else {}))
    stepped = torch.stack(seen, dim=1)
    keep = samples.mask.unsqueeze(-1).expand_as(full) & torch.isfinite(stepped)
    torch.testing.assert_close(stepped[keep], full[keep], rtol=1e-4, atol=1e-4)
    one_hot = F.one_hot(samples.tokens, len(dictionary)).float()
    torch.testing.assert_close(samples.weights, one_hot * samples.mask.unsqueeze(-1))


def test_an_end_takes_away_what_follows_in_the_gradient_too(dictionary):
    """Of the weights w: a sample's are w_t * prod_{s < t} (1 - w_s[end]), with the mask's value."""
    decoder = build(LANGUAGE_MODELS["gpt_doc"], dictionary).decoder
    eos, time, steps = dictionary.eos(), 4, iter(range(4))
    ids = torch.tensor([[5, 6, 7, 8], [5, eos, 7, 8]])
    leaf = F.one_hot(ids, len(dictionary)).float().requires_grad_()

    def choose(logits):
        step = next(steps)
        return ids[:, step], leaf[:, step]

    samples = unroll(decoder, 2, SampleLength(time), choose, feedback=False, ends=True)
    assert samples.mask.tolist() == [[True] * 4, [True, True, False, False]]
    torch.testing.assert_close(samples.weights, leaf * samples.mask.unsqueeze(2))
    liked = torch.randn(2, time, len(dictionary))
    (found,) = torch.autograd.grad((samples.weights * liked).sum(), leaf)
    worth = liked.gather(2, ids.unsqueeze(2)).squeeze(2)  # of each chosen word
    expected = liked * samples.mask.unsqueeze(2)
    for step in range(time):
        lost = worth[0, step + 1 :].sum()
        assert found[0, step, eos].item() == pytest.approx((liked[0, step, eos] - lost).item())
    assert found[1, 0, eos].item() == pytest.approx((liked[1, 0, eos] - worth[1, 1]).item())
    words = torch.arange(len(dictionary)) != eos
    torch.testing.assert_close(found[..., words], expected[..., words])
