"""Halves of the source, and attention that stays inside them."""

import math

import pytest
import torch

from fairseq_genext.modules.source_attention import SourceAttention, halves, whole
from fairseq_genext.modules.timing_signal import timing_signal

LENGTHS = torch.tensor([6, 5, 1, 2])


def test_halves_by_hand():
    first, second = halves(LENGTHS, 6)
    assert first.int().tolist() == [
        [1, 1, 1, 0, 0, 0],
        [1, 1, 1, 0, 0, 0],
        [1, 0, 0, 0, 0, 0],
        [1, 0, 0, 0, 0, 0],
    ]
    assert second.int().tolist() == [
        [0, 0, 0, 1, 1, 1],
        [0, 0, 0, 1, 1, 0],
        [0, 0, 0, 0, 0, 0],
        [0, 1, 0, 0, 0, 0],
    ]
    assert torch.equal(first | second, whole(LENGTHS, 6)[0])


def test_mass_outside_the_half_is_exactly_zero():
    torch.manual_seed(1)
    attention = SourceAttention(query_dim=8, source_dim=4, num_heads=2, dropout=0.0).eval()
    query, source = 5 * torch.randn(4, 3, 8), 5 * torch.randn(4, 6, 4)
    parts = halves(LENGTHS, 6)
    contexts, weights = attention(query, source, source, parts)
    for part, context, weight in zip(parts, contexts, weights, strict=True):
        assert (weight * ~part.unsqueeze(1) == 0).all()
        filled = part.any(dim=1)
        assert (context[~filled] == 0).all() and (context[filled] != 0).all()
    torch.testing.assert_close(sum(weights).sum(dim=2), torch.ones(4, 3))


@torch.no_grad()
def test_one_head_equals_the_formula():
    """Inside a half a softmax of its own, times the half's share of the evidence."""
    torch.manual_seed(1)
    attention = SourceAttention(query_dim=6, source_dim=6, num_heads=1, dropout=0.0).eval()
    query, key, value = torch.randn(1, 2, 6), torch.randn(1, 5, 6), torch.randn(1, 5, 6)
    parts = halves(torch.tensor([4]), 5)
    contexts, weights = attention(query, key, value, parts)
    q, k, v = attention.query_proj(query), attention.key_proj(key), attention.value_proj(value)
    for step in range(2):
        scores = [math.exp(float(q[0, step] @ k[0, i]) / math.sqrt(6)) for i in range(4)]
        evidence = [sum(scores[:2]), sum(scores[2:])]
        for half, places in enumerate(((0, 1), (2, 3))):
            share = evidence[half] / sum(evidence)
            own = {i: scores[i] / evidence[half] for i in places}
            expected = share * sum(weight * v[0, i] for i, weight in own.items())
            torch.testing.assert_close(contexts[half][0, step], expected)
            for i, weight in own.items():
                found = weights[half][0, step, i].item()
                assert found == pytest.approx(share * weight, rel=1e-4)


def test_an_empty_half_gives_no_nan_gradient():
    attention = SourceAttention(query_dim=4, source_dim=4, num_heads=1, dropout=0.0).eval()
    source = torch.randn(1, 3, 4, requires_grad=True)
    parts = halves(torch.tensor([1]), 3)
    contexts, _ = attention(torch.randn(1, 2, 4), source, source, parts)
    sum(contexts).sum().backward()
    assert torch.isfinite(source.grad).all() and (source.grad[0, 0] != 0).any()


def test_timing_signal_by_hand():
    signal = timing_signal(2, 4, like=torch.zeros(1, 4))
    expected = [
        [math.sin(t), math.cos(t), math.sin(t / 100), math.cos(t / 100)] for t in (2.0, 3.0)
    ]
    torch.testing.assert_close(signal, torch.tensor(expected))
