"""Direct discriminative optimisation on a model of two words, where all texts can be listed."""

import itertools
import math
from argparse import Namespace

import pytest
import torch
from fairseq.criterions import CRITERION_REGISTRY
from fairseq.data import Dictionary
from fairseq.models import FairseqLanguageModel
from fairseq.tasks.language_modeling import LanguageModelingTask
from torch import nn

from fairseq_genext.criterions.ddo import DDOConfig, ddo_loss
from fairseq_genext.errors import UsageError
from fairseq_genext.gan.step import token_log_probs
from fairseq_genext.modules.samplers import SampleLength, Samples
from fairseq_genext.modules.word_decoder import WordDecoder

WORDS = 3
LENGTH = SampleLength(2, fixed=True)
TEXTS = torch.tensor([*itertools.product(range(4, 4 + WORDS), repeat=2)])


class Table(WordDecoder):
    """Logits of a word for each word before it."""

    def __init__(self, seed):
        dictionary = Dictionary()
        for word in range(WORDS):
            dictionary.add_symbol(str(word))
        super().__init__(dictionary)
        size = len(dictionary)
        torch.manual_seed(seed)
        self.embed_tokens = nn.Embedding.from_pretrained(torch.eye(size))
        self.output_projection = nn.Linear(size, size, bias=False)
        nn.init.normal_(self.output_projection.weight)

    def forward(self, tokens, incremental_state=None, features_only=False, **unused):
        if incremental_state is not None:
            tokens = tokens[:, -1:]
        features = self.embed_tokens(tokens)
        return features if features_only else self.output_layer(features), None


class Dropping(Table):
    def __init__(self, seed):
        super().__init__(seed)
        self.dropout = nn.Dropout(0.5)

    def forward(self, *args, **kwargs):
        logits, _ = super().forward(*args, **kwargs)
        return self.dropout(logits), None


def model(seed=2):
    return FairseqLanguageModel(Table(seed)).train()


def log_probs(model):
    """log p of all nine texts."""
    everything = Samples(TEXTS, torch.ones_like(TEXTS, dtype=torch.bool))
    return token_log_probs(model.decoder, everything, LENGTH).sum(1)


def criterion(model, length=LENGTH, ddp_backend="pytorch_ddp", loss_on="", **flags):
    task = object.__new__(LanguageModelingTask)
    task.length, task.args = length, Namespace(loss_on=loss_on)
    task.output_dictionary = model.decoder.dictionary
    config = DDOConfig(seed=1, **flags)
    config.ddp_backend = ddp_backend
    return CRITERION_REGISTRY["ddo"](config, task)


def batch(texts):
    inputs = {"src_tokens": torch.cat([torch.full_like(texts[:, :1], 2), texts[:, :-1]], dim=1)}
    return {
        "id": torch.arange(len(texts)), "net_input": inputs, "target": texts,
        "ntokens": texts.numel(),
    }  # fmt: skip


def minimise(trained, loss):
    optimizer = torch.optim.LBFGS(trained.parameters(), max_iter=300, line_search_fn="strong_wolfe")

    def closure():
        optimizer.zero_grad()
        value = loss()
        value.backward()
        return value

    optimizer.step(closure)


def test_the_optimum_is_the_distribution_of_the_data():
    """By the expectations over all texts."""
    data = log_probs(model(seed=7)).exp().detach()
    reference, trained = log_probs(model(seed=3)).detach(), model()

    def expected():
        ratio = log_probs(trained) - reference
        pairs = ddo_loss(ratio.unsqueeze(1), ratio.unsqueeze(0), alpha=1, beta=1)
        return (data.unsqueeze(1) * reference.exp() * pairs).sum()

    assert (log_probs(trained).exp() - data).abs().sum() > 0.2
    minimise(trained, expected)
    torch.testing.assert_close(log_probs(trained).exp(), data, rtol=0, atol=1e-4)
    # Where a discriminator without restrictions is best.
    half = data / (data + reference.exp())
    torch.testing.assert_close((log_probs(trained) - reference).sigmoid(), half, rtol=0, atol=1e-4)


def test_rounds_of_samples_near_the_data():
    counts = (log_probs(model(seed=7)).exp() * 300).round().long()
    texts, data = TEXTS.repeat_interleave(counts, dim=0), counts / counts.sum()
    trained = model()
    ddo = criterion(trained, ddo_round_updates=100)
    optimizer = torch.optim.Adam(trained.parameters(), lr=0.03)
    start = (log_probs(trained).exp() - data).abs().sum()
    for update in range(300):
        ddo.begin_update(trained, update)
        optimizer.zero_grad()
        loss, size, _ = ddo(trained, batch(texts))
        (loss / size).backward()
        optimizer.step()
    assert (log_probs(trained).exp() - data).abs().sum() < 0.05 < 0.3 * start


def test_the_loss_by_hand():
    real, fake = torch.tensor([0.5, -1.0]), torch.tensor([2.0, 0.0])
    expected = -torch.log(torch.sigmoid(0.1 * real)) - 3 * torch.log(1 - torch.sigmoid(0.1 * fake))
    torch.testing.assert_close(ddo_loss(real, fake, alpha=3.0, beta=0.1), expected)


def test_a_reference_lasts_a_round_and_is_none_of_the_criterions_parameters():
    trained = model()
    ddo = criterion(trained, ddo_round_updates=2)
    references = []
    for update in range(4):
        ddo.begin_update(trained, update)
        references.append(log_probs(ddo.reference[0]))
        with torch.no_grad():
            trained.decoder.output_projection.weight += 0.1 * torch.randn(7, 7)
    assert torch.equal(references[0], references[1]) and torch.equal(references[2], references[3])
    assert not torch.equal(references[0], references[2])
    assert not [*ddo.parameters()] and not ddo.reference[0].training
    loss, _, _ = ddo(trained, batch(TEXTS))
    loss.backward()
    assert all(param.grad is None for param in ddo.reference[0].parameters())


def test_nothing_is_dropped_in_training():
    """So that the ratio of a model to its copy is 1, and the loss that of guessing."""
    trained = FairseqLanguageModel(Dropping(seed=2)).train()
    ddo = criterion(trained)
    ddo.begin_update(trained, 0)
    loss, size, _ = ddo(trained, batch(TEXTS))
    assert loss.item() / size == pytest.approx(2 * math.log(2)) and trained.training


def test_a_text_that_cannot_be_sampled_teaches_nothing():
    """Here one with <unk>, which no text of a fixed length has."""
    trained = model()
    ddo = criterion(trained, ddo_alpha=1e-30)
    ddo.begin_update(trained, 0)
    loss, _, log = ddo(trained, batch(torch.tensor([[4, 3]])))
    loss.backward()
    assert loss.item() == pytest.approx(math.log(2)) and log["nll_loss"] == 0
    assert trained.decoder.output_projection.weight.grad.abs().max() < 1e-20


def test_another_run_goes_on_with_the_reference_that_was_saved():
    trained = model()
    ddo, other = (criterion(trained, ddo_round_updates=10) for _ in range(2))
    assert ddo.training_state() == {}
    ddo.begin_update(trained, 0)
    with torch.no_grad():
        trained.decoder.output_projection.weight += 1
        trained.decoder.output_projection.weight[4] += 1
    other.load_training_state(ddo.training_state())
    other.begin_update(trained, 3)
    assert torch.equal(log_probs(other.reference[0]), log_probs(ddo.reference[0]))
    assert not torch.equal(log_probs(other.reference[0]), log_probs(trained))


def test_validation_repeats_and_asks_no_reference_where_there_is_none():
    trained = model().eval()
    ddo = criterion(trained)
    nll, size, log = ddo(trained, batch(TEXTS))
    logits, _ = trained(**batch(TEXTS)["net_input"])
    chosen = logits.log_softmax(-1).gather(2, TEXTS.unsqueeze(2))
    torch.testing.assert_close(nll, -chosen.sum())  # as cross_entropy, with special symbols
    assert size == 18 and log["nll_loss"] == nll and "ddo_loss" not in log
    ddo.begin_update(trained, 0)
    logs = [ddo(trained, batch(TEXTS))[2] for _ in range(2)]
    assert logs[0] == logs[1]
    assert logs[0]["loss"] == nll and logs[0]["log_ratio_real"] == 0
    assert logs[0]["ddo_loss"].item() == pytest.approx(9 * 2 * math.log(2))


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        ({"ddo_alpha": 0.0}, "--ddo-alpha is 0.0; it must be greater than 0"),
        ({"ddo_beta": math.nan}, "--ddo-beta is nan"),
        ({"ddo_beta": math.inf}, "--ddo-beta is inf"),
        ({"ddo_round_updates": 0}, "--ddo-round-updates is 0; it must be at least 1"),
        ({"length": SampleLength(2, through_ends=True)}, "leave out --sample-break-mode"),
        ({"loss_on": "0"}, "leave out --sample-break-mode and --loss-on"),
        ({"ddp_backend": "fully_sharded"}, "choose --ddp-backend pytorch_ddp"),
    ],
)
def test_wrong_flags(flags, says):
    with pytest.raises(UsageError, match=says):
        criterion(model(), **flags)
