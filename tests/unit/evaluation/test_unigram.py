"""The unigram model by hand."""

import json
import math
from collections import Counter

import pytest

from fairseq_genext.errors import UsageError
from fairseq_genext.evaluation.unigram import END, UnigramModel, main

TRAIN = [["a", "b"], ["a"]]  # a 2, b 1, end 2, unknown 0: 5 tokens, 4 types


def test_probabilities_and_perplexity():
    model = UnigramModel(TRAIN)
    assert model.probability["a"] == 3 / 9
    assert model.probability[END] == 3 / 9
    assert model.probability["b"] == 2 / 9
    assert sum(model.probability.values()) == pytest.approx(1)
    expected = math.exp(-(math.log(3 / 9) + math.log(1 / 9) + math.log(3 / 9)) / 3)
    assert model.perplexity([["a", "never seen"]]) == pytest.approx(expected)


def test_samples_follow_the_frequencies_and_repeat_with_the_seed():
    model = UnigramModel(TRAIN)
    drawn = model.sample(3000, seed=1)
    assert len(drawn) == 3000 and all(drawn)
    counts = Counter(token for sentence in drawn for token in sentence)
    assert counts["a"] / counts["b"] == pytest.approx(1.5, rel=0.1)
    assert set(counts) == {"a", "b"}
    assert model.sample(5, seed=1) == drawn[:5]
    assert model.sample(5, seed=2) != drawn[:5]


def test_command(tmp_path, monkeypatch, capsys):
    (tmp_path / "train").write_text("▁a b\n▁a\n")
    argv = ["unigram", str(tmp_path / "train"), str(tmp_path / "train")]
    argv += ["--samples", str(tmp_path / "samples"), "--number"]
    monkeypatch.setattr("sys.argv", [*argv, "4"])
    main()
    figures = json.loads(capsys.readouterr().out)
    assert figures["perplexity"] == pytest.approx(math.exp(figures["nats_per_token"]))
    assert figures["perplexity"] == pytest.approx(2 ** figures["bits_per_token"])
    lines = (tmp_path / "samples").read_text().splitlines()
    assert len(lines) == 4 and not any("▁" in line for line in lines)
    monkeypatch.setattr("sys.argv", [*argv, "0"])
    with pytest.raises(UsageError, match="--number is 0"):
        main()
