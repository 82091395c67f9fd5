"""LM scores by hand, with a model whose probabilities are known."""

import math
from types import SimpleNamespace

import pytest
import torch
from fairseq.data import Dictionary
from fairseq.models import FairseqIncrementalDecoder, FairseqLanguageModel
from torch import nn

from fairseq_genext.errors import UsageError
from fairseq_genext.evaluation.metrics import lm_score

WORDS = ("a", "b", "c")


class Bigrams(FairseqIncrementalDecoder):
    """After any token the next id has logit 2, all the others have 0."""

    def forward(self, prev_output_tokens, **unused):
        logits = torch.zeros(*prev_output_tokens.shape, len(self.dictionary))
        wanted = (prev_output_tokens + 1) % len(self.dictionary)
        return logits.scatter(2, wanted.unsqueeze(2), 2.0), {}

    def max_positions(self):
        return 6


@pytest.fixture
def scorer(monkeypatch):
    words = Dictionary()
    for word in WORDS:
        words.add_symbol(word)
    task = SimpleNamespace(target_dictionary=words, args=SimpleNamespace(add_bos_token=False))
    model = FairseqLanguageModel(Bigrams(words))
    monkeypatch.setattr(lm_score, "load_model", lambda path, data: (model, task))
    return lm_score.ScoringLM("scorer.pt", "folder")


# Seven entries: bos 0, pad 1, eos 2, unk 3, a 4, b 5, c 6.
TOTAL = math.log(math.e**2 + 6)
HIT, MISS = TOTAL - 2, TOTAL


def test_costs_of_sentences_by_hand(scorer):
    costs, lengths = scorer.nll(["a b c", "", "x a", "c"])
    # end-a, a-b and b-c, c-end; end-end; end-unknown, unknown-a, a-end; end-c, c-end.
    expected = [2 * MISS + 2 * HIT, MISS, 2 * HIT + MISS, 2 * MISS]
    assert costs == pytest.approx(expected, rel=1e-5)
    assert lengths == [4, 1, 3, 2]


def test_score_is_a_mean_over_tokens_with_its_interval(scorer):
    mean, interval = lm_score.lm_score(scorer, ["a b c", ""])
    assert mean == pytest.approx((3 * MISS + 2 * HIT) / 5, rel=1e-5)
    assert interval > 0
    assert lm_score.lm_score(scorer, ["a b"] * 9)[1] == pytest.approx(0, abs=1e-6)


def test_batches_change_nothing(scorer, monkeypatch):
    text = ["a b c", "a", "", "c b", "b c", "x a"] * 5
    whole = scorer.nll(text)
    monkeypatch.setattr(lm_score, "MAX_TOKENS", 5)
    assert scorer.nll(text)[0] == pytest.approx(whole[0]) and scorer.nll(text)[1] == whole[1]


def test_what_cannot_be_scored(scorer, monkeypatch, tmp_path):
    with pytest.raises(UsageError, match="reads at most 6 tokens, and a sentence has 7: a a a"):
        scorer.nll(["a a a a a a"])
    with pytest.raises(UsageError, match="nowhere.model does not exist"):
        lm_score.ScoringLM("scorer.pt", "folder", str(tmp_path / "nowhere.model"))
    monkeypatch.setattr(lm_score, "load_model", lambda path, data: (nn.Linear(1, 1), None))
    with pytest.raises(UsageError, match="holds a Linear, no language model"):
        lm_score.ScoringLM("scorer.pt", "folder")
    monkeypatch.undo()
    with pytest.raises(UsageError, match="nowhere.pt does not exist"):
        lm_score.ScoringLM("nowhere.pt", "folder")
