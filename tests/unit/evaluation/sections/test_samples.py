"""Samples to read and their nearest training sentences."""

import experiments
import pytest

from fairseq_genext.evaluation.results import Results
from fairseq_genext.evaluation.sections import samples


def test_examples(tmp_path):
    experiments.comparison(tmp_path)
    section = samples.build(Results(tmp_path), tmp_path)
    assert list(section.figures) == ["lm", "gpt", "good", "poor", "same", "held_out"]
    first, second = section.figures["lm"]["nearest"]
    assert first["training"] == first["sample"] == "the king made bread"
    assert first["similarity"] == pytest.approx(1)
    assert second["training"] == "a man saw the land" and 0 < second["similarity"] < 1
    first, *_ = section.blocks[-1].groups
    assert first[0] == ["lm", "the king made bread", "1.00", "the king made bread"]
