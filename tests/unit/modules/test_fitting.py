"""Flags by which weights of the same shapes would compute something else."""

import dataclasses
from types import SimpleNamespace

import pytest
from small_models import LANGUAGE_MODELS, initialised

from fairseq_genext.modules.fitting import misfit, other_functions


@pytest.mark.parametrize(
    ("held", "wanted", "differs"),
    [
        ({"lora_alpha": 16.0, "lora_rank": 2}, {"lora_alpha": 8.0}, "lora-alpha"),
        ({"lora_alpha": 16.0, "lora_rank": 0}, {"lora_alpha": 8.0}, None),
        ({"no_timing_signal": True}, {"no_timing_signal": False}, "no-timing-signal"),
        ({"reverse_source": False}, {"reverse_source": True}, "reverse-source"),
        ({"no_scale_embedding": False}, {"no_scale_embedding": True}, "no-scale-embedding"),
        ({"dropout": 0.1}, {"dropout": 0.0}, None),
    ],
)
def test_flags_that_change_what_weights_compute(held, wanted, differs):
    told = other_functions(SimpleNamespace(**held), wanted)
    assert told is None if differs is None else f"trained with --{differs} " in told


def test_adapters_that_the_model_lacks(dictionary):
    config = LANGUAGE_MODELS["gpt_doc"]
    adapted = initialised(dataclasses.replace(config, lora_rank=2), dictionary)
    assert "merge them by python -m fairseq_genext.weights.adapters" in misfit(
        initialised(config, dictionary), adapted.state_dict()
    )
