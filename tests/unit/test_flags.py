"""Numbers of generation and training that no search and no trainer can use."""

import pytest
from command_line import parsed
from fairseq.dataclass.configs import GenerationConfig
from omegaconf import OmegaConf

from fairseq_genext.errors import UsageError
from fairseq_genext.patches.flags import (
    CHECKS,
    LEAST,
    check_samples,
    check_settings,
    check_training,
)
from fairseq_genext.patches.generation_flags import check_generation

DATA = ("nowhere", "--task", "language_modeling", "--arch", "transformer_lm", "--batch-size", 8)


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        ({"temperature": 0}, "--temperature is 0; it must be greater than 0"),
        ({"temperature": float("nan")}, "--temperature is nan"),
        ({"lenpen": float("nan")}, "--lenpen is nan; it must be a finite number"),
        ({"beam": 0}, "--beam is 0; it must be at least 1"),
        ({"nbest": 6}, "--nbest 6 is more than the 5 hypotheses of --beam"),
        ({"min_len": 201}, "--max-len-b is 200; it must be at least --min-len 201"),
        ({"max_len_a": -1}, "--max-len-a is -1; it must be 0 or greater"),
        ({"prefix_size": -1}, "--prefix-size is -1"),
        ({"sampling_topk": 3}, "--sampling-topk needs --sampling"),
        ({"sampling": True}, "give --beam 1 for one sample, or --nbest 5 for all"),
        ({"sampling": True, "beam": 1, "sampling_topp": 1.5}, "--sampling-topp is 1.5"),
        ({"sampling": True, "beam": 1, "sampling_topp": 0.0}, "--sampling-topp is 0.0"),
        (
            {"sampling": True, "beam": 1, "sampling_topp": 0.5, "sampling_topk": 3},
            "fairseq takes one of them alone",
        ),
        ({"sampling": True, "beam": 1, "match_source_len": True}, "choose one"),
    ],
)
def test_generation(flags, says):
    with pytest.raises(UsageError, match=says):
        check_generation(GenerationConfig(**flags))


def test_generation_that_is_right():
    for flags in ({}, {"sampling": True, "beam": 1}, {"beam": 3, "nbest": 3, "sampling": True}):
        check_generation(GenerationConfig(**flags))


def test_samples_are_generated_alone():
    asked = OmegaConf.create({"task": {"num_samples": 3}})
    with pytest.raises(UsageError, match="--num-samples is for fairseq-generate"):
        check_samples(asked)
    check_samples(OmegaConf.create({"task": {}}))
    of = {command for command, checks in CHECKS.items() if check_samples in checks}
    assert of == CHECKS.keys() - {"preprocess", "generate"}


def test_averages_of_shares():
    flags = ("--store-ema", "--ddp-backend", "fully_sharded", "--distributed-world-size")
    check_training(parsed(*DATA, *flags, 1))
    with pytest.raises(UsageError, match="--store-ema averages whole weights"):
        check_training(parsed(*DATA, *flags, 2))


def test_training():
    cfg = parsed(*DATA)
    check_settings(cfg)
    tried = 0
    for group, least in LEAST.items():
        for name, minimum in least.items():
            section = getattr(cfg, group, None)
            if section is None or name not in section:
                continue
            before, wrong = section[name], minimum - 1
            section[name] = [wrong] if name in ("lr", "update_freq") else wrong
            with pytest.raises(UsageError, match=f"is {wrong}.*at least {minimum}"):
                check_settings(cfg)
            section[name] = before
            tried += 1
    assert tried >= 15


def test_an_average_that_overshoots():
    with pytest.raises(UsageError, match="--ema-decay is 1.5; it must be at most 1"):
        check_training(parsed(*DATA, "--ema-decay", 1.5))
