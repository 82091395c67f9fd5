"""The weights of GOLD by hand, on ragged sentences."""

import math
from types import SimpleNamespace

import pytest
import torch
from fairseq.criterions import CRITERION_REGISTRY

from fairseq_genext.errors import UsageError

PAD = 1
TARGET = torch.tensor([[5, 6, 7, 4, 3, 6, 5, 2], [6, 2, *[PAD] * 6]])
SAMPLE = {
    "net_input": {"src_tokens": TARGET.roll(1, dims=1)},
    "target": TARGET,
    "ntokens": 10,
}


class Lookup(torch.nn.Module):
    """A model whose logits are a table over the previous token."""

    def __init__(self, seed):
        super().__init__()
        torch.manual_seed(seed)
        self.table = torch.nn.Parameter(torch.randn(8, 8))

    def forward(self, src_tokens):
        return self.table[src_tokens], None

    def get_normalized_probs(self, net_output, log_probs, sample):
        return net_output[0].log_softmax(-1)

    def get_targets(self, sample, net_output):
        return sample["target"]

    def max_positions(self):
        return (8, 8)


def criterion(reward="delta", **flags):
    task = SimpleNamespace(target_dictionary=SimpleNamespace(pad=lambda: PAD))
    path = "" if reward == "delta" else "none.pt"
    gold = CRITERION_REGISTRY["gold"](
        task, gold_reward=reward, gold_reward_checkpoint=path, **flags
    )
    gold.reward_model = [Lookup(seed=5)]
    return gold


def log_probs(model):
    """Of the tokens of both sentences."""
    chosen = model(**SAMPLE["net_input"])[0].log_softmax(-1).gather(2, TARGET.unsqueeze(2))
    return [row[:size] for row, size in zip(chosen.squeeze(2), (8, 2), strict=True)]


@pytest.mark.parametrize(
    ("reward", "worth"),
    [
        ("delta", None),
        ("s", lambda log_p: max(log_p.exp().item(), 0.1)),
        ("p", lambda log_p: max(log_p.item() + 2.5, 0.1)),
    ],
)
def test_loss_and_gradient_by_hand(reward, worth):
    """Weights and rewards have no gradient; a token earns what the five after it do too."""
    model = Lookup(seed=2).train()
    gold = criterion(reward, gold_weight_floor=0.15, gold_reward_baseline=-2.5, gold_discount=0.5)
    loss, size, log = gold(model, SAMPLE)
    expected, weights, rewards = 0.0, [], []
    for own, other in zip(log_probs(model), log_probs(gold.reward_model[0]), strict=True):
        for t, log_p in enumerate(own):
            weights.append(max(log_p.exp().item(), 0.15))
            later = other[t : t + 6]
            rewards.append(sum(0.5**k * worth(x) for k, x in enumerate(later)) if worth else 1.0)
            expected = expected - weights[-1] * rewards[-1] * log_p
    torch.testing.assert_close(loss, expected)
    (got,) = torch.autograd.grad(loss, model.table)
    (by_hand,) = torch.autograd.grad(expected, model.table)
    torch.testing.assert_close(got, by_hand)
    assert size == 10 and 0.15 in weights and max(weights) > 0.15
    assert log["gold_weight"].item() == pytest.approx(sum(weights))
    assert log["gold_reward"].item() == pytest.approx(sum(rewards))
    assert log["nll_loss"].item() == pytest.approx(-sum(map(torch.sum, log_probs(model))).item())
    each, _, _ = gold(model, SAMPLE, reduce=False)
    torch.testing.assert_close(each.sum(), loss)
    assert each.shape == (2,) and not [*gold.parameters()]


def test_weights_of_one_are_likelihood_and_validation_is_it():
    model, gold = Lookup(seed=2), criterion(gold_weight_floor=1.0)
    in_training, _, _ = gold(model.train(), SAMPLE)
    in_validation, _, log = criterion("s", gold_weight_floor=0.2)(model.eval(), SAMPLE)
    torch.testing.assert_close(in_training, in_validation)
    assert log["loss"] == log["nll_loss"] and "gold_reward" not in log


def test_a_sentence_too_long_for_the_model_of_the_reward():
    gold = criterion("s")
    gold.reward_model[0].max_positions = lambda: (8, 4)
    with pytest.raises(UsageError, match="a pair of 8 and 8 tokens is longer than"):
        gold(Lookup(seed=2).train(), SAMPLE)


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        ({"gold_weight_floor": 1.5}, "--gold-weight-floor is 1.5"),
        ({"gold_weight_floor": math.nan}, "--gold-weight-floor is nan"),
        ({"gold_discount": -0.1}, "--gold-discount is -0.1"),
        ({"gold_reward_baseline": math.inf}, "--gold-reward-baseline is inf"),
        ({"gold_reward": "q"}, "'q' does not exist; choose one of delta, p, s"),
        ({"gold_reward": "s"}, "--gold-reward s needs --gold-reward-checkpoint"),
        ({"gold_reward": "delta", "gold_reward_checkpoint": "a.pt"}, "asks no model"),
    ],
)
def test_wrong_flags(flags, says):
    task = SimpleNamespace(target_dictionary=SimpleNamespace(pad=lambda: PAD))
    with pytest.raises(UsageError, match=says):
        CRITERION_REGISTRY["gold"](task, **flags)
