"""The article's loss by hand, on ragged and on accumulated batches."""

import math
from types import SimpleNamespace

import pytest
import torch
from fairseq.criterions import CRITERION_REGISTRY

from fairseq_genext.errors import UsageError

PAD = 1


class Lookup(torch.nn.Module):
    """A model whose logits are a table over the previous token."""

    def __init__(self, words=8):
        super().__init__()
        torch.manual_seed(2)
        self.table = torch.nn.Parameter(torch.randn(words, words))

    def forward(self, src_tokens):
        return self.table[src_tokens], None

    def get_normalized_probs(self, net_output, log_probs):
        return net_output[0].log_softmax(-1)

    def get_targets(self, sample, net_output):
        return sample["target"]


def batch(*sentences):
    longest = max(map(len, sentences))
    target = torch.tensor([[*s, *[PAD] * (longest - len(s))] for s in sentences])
    source = target.roll(1, dims=1)
    source[:, 0] = 2
    return {
        "net_input": {"src_tokens": source},
        "target": target,
        "ntokens": sum(map(len, sentences)),
    }


def criterion(**flags):
    task = SimpleNamespace(target_dictionary=SimpleNamespace(pad=lambda: PAD))
    return CRITERION_REGISTRY["sequence_mean_cross_entropy"](task, **flags)


def by_hand(model, sentence, epsilon=0.0):
    """(1/T) sum_t of the smoothed negative log-likelihood, written out."""
    total, previous = 0.0, 2
    for word in sentence:
        lprobs = model.table[previous].log_softmax(-1)
        others = epsilon / (len(lprobs) - 1)
        nll = -lprobs[word]
        total += (1 - epsilon - others) * nll + others * -lprobs.sum()
        previous = word
    return total / len(sentence)


SENTENCES = [[3, 4, 5, 6, 2], [7, 2], [4, 4, 2]]


@pytest.mark.parametrize("epsilon", [0.0, 0.1])
def test_equals_the_formula_on_a_ragged_batch(epsilon):
    model = Lookup()
    loss, size, log = criterion(label_smoothing=epsilon)(model, batch(*SENTENCES))
    expected = sum(by_hand(model, sentence, epsilon) for sentence in SENTENCES)
    torch.testing.assert_close(loss, expected)
    assert size == log["sample_size"] == 3
    nll = sum(by_hand(model, s) * len(s) for s in SENTENCES)
    torch.testing.assert_close(log["nll_loss"], nll.detach())


def test_unreduced_is_one_loss_a_sentence():
    model = Lookup()
    losses, _, _ = criterion()(model, batch(*SENTENCES), reduce=False)
    torch.testing.assert_close(losses, torch.stack([by_hand(model, s) for s in SENTENCES]))


def test_gradient_over_two_accumulated_batches_is_that_of_the_mean():
    """What the trainer does: sum the gradients, then divide by the summed sample sizes."""
    model, size = Lookup(), 0
    for part in (batch(*SENTENCES[:2]), batch(*SENTENCES[2:])):
        loss, part_size, _ = criterion()(model, part)
        loss.backward()
        size += part_size
    accumulated = model.table.grad / size
    model.table.grad = None
    torch.stack([by_hand(model, s) for s in SENTENCES]).mean().backward()
    torch.testing.assert_close(accumulated, model.table.grad)


def test_logged_figures():
    from fairseq.logging import metrics

    model = Lookup()
    logs = [criterion()(model, batch(*part))[2] for part in (SENTENCES[:1], SENTENCES[1:])]
    with metrics.aggregate(new_root=True) as logged:
        type(criterion()).reduce_metrics(logs)
    values = logged.get_smoothed_values()
    losses = [by_hand(model, s).item() for s in SENTENCES]
    assert values["loss"] == pytest.approx(sum(losses) / 3 / math.log(2), abs=1e-3)
    nll = sum(loss * len(s) for loss, s in zip(losses, SENTENCES, strict=True)) / 10 / math.log(2)
    assert values["nll_loss"] == pytest.approx(nll, abs=1e-3)
    assert values["ppl"] == pytest.approx(2**nll, rel=1e-2)


def test_smoothing_out_of_range():
    with pytest.raises(UsageError, match="--label-smoothing is 1.5"):
        criterion(label_smoothing=1.5)
