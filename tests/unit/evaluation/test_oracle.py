"""NLL_oracle and NLL_test: of the oracle itself, by hand, and over temperatures."""

import pytest
import torch
from fairseq.data import Dictionary

from fairseq_genext.data.oracle import START, OracleLSTM
from fairseq_genext.errors import UsageError
from fairseq_genext.evaluation import oracle as command
from fairseq_genext.evaluation.checkpoints import FixedLengthGenerator
from fairseq_genext.evaluation.oracle import measure
from fairseq_genext.evaluation.residual import ResampledFixedLength
from fairseq_genext.gan.generators.rnn import RNNGenerator
from fairseq_genext.gan.scores import Scores

WORDS, DIM, LENGTH = 20, 4, 6


@pytest.fixture
def oracle_as_generator():
    """The oracle, reading a dictionary's ids, and a generator with its very weights."""
    dictionary = Dictionary()
    for word in range(WORDS):
        dictionary.add_symbol(str(word))
    oracle = OracleLSTM.random(WORDS, DIM, seed=3)
    oracle.read_ids_of(dictionary)
    generator = RNNGenerator(dictionary, "none", embed_dim=DIM, hidden_dim=DIM).eval()
    first = dictionary.nspecial
    with torch.no_grad():
        generator.embed_tokens.weight[first:] = oracle.embed_tokens.weight
        # Both start from the oracle's start word, which the generator calls the end of sentence.
        generator.embed_tokens.weight[dictionary.eos()] = oracle.embed_tokens.weight[START]
        generator.rnn.layers.load_state_dict(oracle.rnn.state_dict())
        generator.output_projection.weight[first:] = oracle.output_projection.weight
        generator.output_projection.bias[first:] = oracle.output_projection.bias
    return oracle, FixedLengthGenerator(generator, LENGTH)


def own_text(oracle, generator, number):
    torch.manual_seed(1)
    return oracle.sample(number, LENGTH) + generator.decoder.dictionary.nspecial


def test_the_oracle_itself_has_equal_figures(oracle_as_generator):
    """NLL_oracle and NLL_test are then its entropy, each within its sampling error."""
    oracle, generator = oracle_as_generator
    held_out = own_text(oracle, generator, 4000)
    torch.testing.assert_close(generator.nll(held_out, 1.0), oracle.nll(held_out))
    torch.manual_seed(2)
    figures = measure(generator, oracle, held_out, 1.0, 4000)
    assert figures["oracle_nll"] == pytest.approx(figures["test_nll"], abs=0.04)
    assert 0 < figures["oracle_nll_ci"] < 0.04


def test_temperature_trades_one_figure_for_the_other(oracle_as_generator):
    oracle, generator = oracle_as_generator
    held_out = own_text(oracle, generator, 1000)
    cold, plain, hot = (measure(generator, oracle, held_out, t, 1000) for t in (0.1, 1.0, 1.5))
    assert cold["oracle_nll"] < plain["oracle_nll"] < hot["oracle_nll"]
    assert plain["test_nll"] < min(cold["test_nll"], hot["test_nll"])
    assert cold["duplicates"] > plain["duplicates"]


class Prefers(torch.nn.Module):
    """f is the number of a word's occurrences."""

    per_token = False

    def forward(self, tokens, mask):
        return Scores.of_sequences(tokens.eq(10).sum(dim=1).float())


def test_resampling_moves_both_figures(oracle_as_generator):
    """By hand: -log p = -log q - f + log Z, and more of the word with more candidates."""
    oracle, generator = oracle_as_generator
    held_out = own_text(oracle, generator, 300)
    torch.manual_seed(3)
    kept = ResampledFixedLength(generator, Prefers(), 8)
    plain, chosen = (s.sample(4000, 1.0).eq(10).sum(dim=1) for s in (generator, kept))
    # With 8 candidates: the mean, over draws of 8, of f by their weights.
    drawn = generator.sample(32_000, 1.0).eq(10).sum(dim=1).double().view(4000, 8)
    expected = (drawn.softmax(dim=1) * drawn).sum(dim=1).mean().item()
    assert chosen.double().mean().item() == pytest.approx(expected, rel=0.05)
    assert expected > 1.5 * plain.double().mean()
    f = held_out.eq(10).sum(dim=1)
    among = generator.sample(20_000, 1.0).eq(10).sum(dim=1).double()
    for weight in (1, 0.5):
        log_z = (weight * among).exp().mean().log()
        by_hand = generator.nll(held_out, 1.0) + (log_z - weight * f) / LENGTH
        kept.weight = weight
        torch.testing.assert_close(
            kept.nll(held_out, 1.0), by_hand, atol=0.01, rtol=0, check_dtype=False
        )


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (("--checkpoint", "nowhere.pt"), "nowhere.pt does not exist"),
        (("--checkpoint", "nowhere.pt", "--temperatures", "0"), "must be at least 1e-06"),
        (("--checkpoint", "nowhere.pt", "--num-samples", "0"), "--num-samples is 0"),
        (
            ("--checkpoint", "nowhere.pt", "--num-samples", "1"),
            "--num-samples is 1; it must be at least 2",
        ),
        (("--checkpoint", "nowhere.pt", "--resample", "0"), "--resample is 0"),
        (("--checkpoint", "nowhere.pt", "--resample-weight", "2"), "needs candidates"),
    ],
)
def test_one_line_for_what_is_wrong(monkeypatch, tmp_path, flags, says):
    argv = ["oracle", "data", "--oracle", "oracle.npz", "--output", str(tmp_path / "o.json")]
    monkeypatch.setattr("sys.argv", [*argv, *flags])
    with pytest.raises(UsageError, match=says):
        command.main()
    assert not (tmp_path / "o.json").exists()
