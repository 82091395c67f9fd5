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


@pytest.mark.parametrize("half", [0, 1])
def test_mass_outside_the_half_is_exactly_zero(half):
    torch.manual_seed(1)
    attention = SourceAttention(query_dim=8, source_dim=4, num_heads=2, dropout=0.0)
    query, source = 5 * torch.randn(4, 3, 8), 5 * torch.randn(4, 6, 4)
    mask = halves(LENGTHS, 6)[half]
    context, weights = attention(query, source, source, mask)
    assert (weights * ~mask.unsqueeze(1) == 0).all()
    filled = mask.any(dim=1)
    torch.testing.assert_close(weights.sum(dim=2), filled.float().unsqueeze(1).expand(4, 3))
    assert (context[~filled] == 0).all() and (context[filled] != 0).all()


@torch.no_grad()
def test_one_head_equals_the_formula():
    torch.manual_seed(1)
    attention = SourceAttention(query_dim=6, source_dim=6, num_heads=1, dropout=0.0)
    query, key, value = torch.randn(1, 2, 6), torch.randn(1, 5, 6), torch.randn(1, 5, 6)
    mask = torch.tensor([[True, True, True, False, False]])
    context, weights = attention(query, key, value, mask)
    q, k, v = attention.query_proj(query), attention.key_proj(key), attention.value_proj(value)
    for step in range(2):
        scores = [math.exp(float(q[0, step] @ k[0, i]) / math.sqrt(6)) for i in range(3)]
        expected = sum(score / sum(scores) * v[0, i] for i, score in enumerate(scores))
        torch.testing.assert_close(context[0, step], expected)
        assert weights[0, step, 0] == pytest.approx(scores[0] / sum(scores), rel=1e-4)


def test_empty_mask_gives_no_nan_gradient():
    attention = SourceAttention(query_dim=4, source_dim=4, num_heads=1, dropout=0.0)
    source = torch.randn(1, 3, 4, requires_grad=True)
    mask = torch.zeros(1, 3, dtype=torch.bool)
    context, _ = attention(torch.randn(1, 2, 4), source, source, mask)
    context.sum().backward()
    assert torch.isfinite(source.grad).all()


def test_timing_signal_by_hand():
    signal = timing_signal(2, 4, like=torch.zeros(1, 4))
    expected = [
        [math.sin(t), math.cos(t), math.sin(t / 100), math.cos(t / 100)] for t in (2.0, 3.0)
    ]
    torch.testing.assert_close(signal, torch.tensor(expected))
