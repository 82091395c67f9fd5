"""The relational memory against its equations, number by number."""

import math

import pytest
import torch
from torch.nn import functional as F

from fairseq_genext.modules.relational_memory import RelationalMemory

SLOTS, HEADS, WIDTH = 3, 2, 4


@pytest.fixture
def memory():
    torch.manual_seed(1)
    core = RelationalMemory(5, SLOTS, WIDTH, HEADS)
    with torch.no_grad():
        for param in core.parameters():
            param.normal_(std=0.7)
    return core


def next_rows(core, rows, word):
    """One step of one sentence, row by row and head by head: ``rows`` is a list of slots."""
    x = core.input_proj(word)

    def project(row):  # [Q; K; V], each of both heads
        return core.qkv_norm(core.qkv_proj(row)).view(3, HEADS, WIDTH // HEADS)

    keys_and_values = [project(row) for row in [*rows, x]]
    gates_of_x = core.input_gates(x)
    new_rows = []
    for row in rows:
        query = project(row)[0]
        attended = []
        for head in range(HEADS):
            scores = [
                (query[head] @ qkv[1, head]).item() / math.sqrt(WIDTH // HEADS)
                for qkv in keys_and_values
            ]
            total = sum(math.exp(score) for score in scores)
            attended.append(
                sum(
                    math.exp(score) / total * qkv[2, head]
                    for score, qkv in zip(scores, keys_and_values, strict=True)
                )
            )
        new = core.attention_norm(row + torch.cat(attended))
        new = core.mlp_norm(new + core.mlp[2](F.relu(core.mlp[0](new))))
        gates = gates_of_x + core.memory_gates.weight @ torch.tanh(row)
        input_gate, forget_gate = gates[:WIDTH].sigmoid(), gates[WIDTH:].sigmoid()
        new_rows.append(input_gate * torch.tanh(new) + forget_gate * row)
    return new_rows


def test_steps_equal_the_equations(memory):
    words = torch.randn(2, 3, 5)
    outputs, (last,) = memory(words)
    for sentence in range(2):
        rows = list(torch.eye(SLOTS, WIDTH))
        for time in range(3):
            rows = next_rows(memory, rows, words[sentence, time])
            expected = torch.cat(rows)
            torch.testing.assert_close(outputs[sentence, time], expected, rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(last[:, sentence], torch.stack(rows), rtol=1e-4, atol=1e-5)


def test_a_state_is_where_the_next_words_go_on(memory):
    words = torch.randn(2, 5, 5)
    whole, _ = memory(words)
    first, state = memory(words[:, :2])
    rest, _ = memory(words[:, 2:], state)
    torch.testing.assert_close(whole, torch.cat([first, rest], dim=1))


def test_forget_gates_start_open():
    torch.manual_seed(1)
    bias = RelationalMemory(5, SLOTS, 64, HEADS).input_gates.bias
    assert (bias[64:].mean() - bias[:64].mean()).item() == pytest.approx(1.0, abs=0.15)


def test_heads_must_divide_the_width():
    with pytest.raises(ValueError, match="width 4 cannot be divided among 3 heads"):
        RelationalMemory(5, SLOTS, WIDTH, 3)
