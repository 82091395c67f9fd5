"""The oracle LSTM against its formulas, and its files."""

import numpy as np
import pytest
import torch
from fairseq.data import Dictionary

from fairseq_genext.data.oracle import OracleLSTM, main, write_benchmark
from fairseq_genext.errors import UsageError


def arrays(vocabulary=7, dim=3, seed=4):
    return OracleLSTM.random(vocabulary, dim, seed).arrays()


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def nll_by_hand(parts, words):
    """SeqGAN's cell in numpy, in the order of its file."""
    embed, wi, ui, bi, wf, uf, bf, wo, uo, bo, wc, uc, bc, w_out, b_out = parts
    h = c = np.zeros(embed.shape[1])
    word, total = 0, 0.0
    for following in words:
        x = embed[word]
        i, f, o = (
            sigmoid(x @ w + h @ u + b) for w, u, b in ((wi, ui, bi), (wf, uf, bf), (wo, uo, bo))
        )
        c = f * c + i * np.tanh(x @ wc + h @ uc + bc)
        h = o * np.tanh(c)
        logits = h @ w_out + b_out
        total -= logits[following] - np.log(np.exp(logits).sum())
        word = following
    return total / len(words)


def test_nll_equals_seqgans_formulas():
    parts = arrays()
    oracle = OracleLSTM.of_arrays(parts)
    words = [[3, 0, 6, 6], [1, 2, 3, 4]]
    expected = [nll_by_hand(parts, row) for row in words]
    np.testing.assert_allclose(oracle.nll(torch.tensor(words)).numpy(), expected, rtol=1e-4)
    for one, other in zip(parts, oracle.arrays(), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-6)


def test_weights_are_standard_normal():
    weights = np.concatenate([array.ravel() for array in arrays(500, 32)])
    assert abs(weights.mean()) < 0.02 and abs(weights.std() - 1) < 0.02


def test_samples_have_the_oracles_probabilities():
    oracle = OracleLSTM.of_arrays(arrays())
    torch.manual_seed(1)
    words = oracle.sample(20000, 2)
    pairs = torch.bincount(words[:, 0] * 7 + words[:, 1], minlength=49) / 20000
    every = torch.cartesian_prod(torch.arange(7), torch.arange(7))
    torch.testing.assert_close(pairs, (-2 * oracle.nll(every)).exp(), atol=0.012, rtol=0)


def test_files(tmp_path):
    oracle = OracleLSTM.of_arrays(arrays())
    write_benchmark(tmp_path, oracle, 5, {"train": 30, "valid": 4}, seed=2)
    rows = [line.split() for line in (tmp_path / "train.txt").read_text().splitlines()]
    assert len(rows) == 30 and {len(row) for row in rows} == {5}
    dictionary = Dictionary.load(str(tmp_path / "dict.txt"))
    again = OracleLSTM.load(tmp_path / "oracle.npz", dictionary)
    ids = torch.tensor([[dictionary.index(word) for word in row] for row in rows])
    words = torch.tensor([[int(word) for word in row] for row in rows])
    torch.testing.assert_close(again.nll(ids), oracle.nll(words))
    write_benchmark(tmp_path / "b", oracle, 5, {"train": 30, "valid": 4}, seed=2)
    assert (tmp_path / "b" / "train.txt").read_text() == (tmp_path / "train.txt").read_text()


def test_bad_weights(tmp_path):
    with pytest.raises(UsageError, match="cannot be read as npz"):
        OracleLSTM.load(tmp_path / "missing.npz")
    whole = tmp_path / "whole.npz"
    np.savez(whole, *arrays())
    for name, data in (("empty", b""), ("cut", whole.read_bytes()[:-40])):
        (tmp_path / f"{name}.npz").write_bytes(data)
        with pytest.raises(UsageError, match="cannot be read as npz"):
            OracleLSTM.load(tmp_path / f"{name}.npz")
    np.save(tmp_path / "alone.npy", arrays()[0])
    with pytest.raises(UsageError, match="cannot be read as npz: File is not a zip file"):
        OracleLSTM.load(tmp_path / "alone.npy")
    np.savez(tmp_path / "few.npz", *arrays()[:4])
    with pytest.raises(UsageError, match="an oracle has 15 arrays"):
        OracleLSTM.load(tmp_path / "few.npz")
    for wrong, says in (
        (np.nan, "no finite number"), (1e300, "no finite number"),
        ("a", "must be of real numbers"), (1j, "of real numbers"),
    ):  # fmt: skip
        parts = arrays()
        parts[3] = np.resize(wrong, parts[3].shape)
        np.savez(tmp_path / "wrong.npz", *parts)
        with pytest.raises(UsageError, match=says):
            OracleLSTM.load(tmp_path / "wrong.npz")
    parts = arrays()
    parts[3] = parts[3][:2]
    np.savez(tmp_path / "shapes.npz", *parts)
    with pytest.raises(UsageError, match="must have shapes"):
        OracleLSTM.load(tmp_path / "shapes.npz")
    dictionary = Dictionary()
    dictionary.add_symbol("Moses")
    with pytest.raises(UsageError, match="'Moses' is no word of the oracle"):
        OracleLSTM.of_arrays(arrays()).read_ids_of(dictionary)


def test_a_seed_below_zero_is_one_line(monkeypatch, tmp_path):
    monkeypatch.setattr("sys.argv", ["oracle", str(tmp_path / "oracle"), "--seed", "-1"])
    with pytest.raises(UsageError, match="--seed is -1"):
        main()
    assert not (tmp_path / "oracle").exists()
