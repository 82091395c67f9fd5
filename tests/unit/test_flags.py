"""Numbers of generation and training that no search and no trainer can use."""

from types import SimpleNamespace

import pytest
from command_line import parsed
from commands import run
from fairseq.dataclass.configs import GenerationConfig
from omegaconf import OmegaConf

from fairseq_genext.errors import UsageError, flag, require_positive
from fairseq_genext.patches.flags import (
    CHECKS,
    LEAST,
    OF_COMMANDS,
    check_command,
    check_settings,
    check_training,
)
from fairseq_genext.patches.generation_flags import check_generation

DATA = ("nowhere", "--task", "language_modeling", "--arch", "transformer_lm", "--batch-size", 8)


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        ({"temperature": 0}, "--temperature is 0; it must be at least 1e-06"),
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


@pytest.mark.parametrize("name", OF_COMMANDS)
def test_a_flag_that_a_command_would_ignore(name):
    off, commands = OF_COMMANDS[name]
    for wrong in (off + 3, off - 3):
        asked = OmegaConf.create({"task": {name: wrong}})
        for command in CHECKS:
            if command in commands:
                check_command(command, asked)
                continue
            with pytest.raises(UsageError, match=f"{flag(name)} is for fairseq-{commands[0][:4]}"):
                check_command(command, asked)
    check_command("train", OmegaConf.create({"task": {name: off}}))
    check_command("train", OmegaConf.create({"task": {}}))


def test_every_command_asks_for_it(corpus):
    refused = run(
        "fairseq-eval-lm", "lm", "--task", "unconditional_generation", "--path", "none.pt",
        "--resample", 4, folder=corpus, expect=1,
    )  # fmt: skip
    assert "--resample is for fairseq-generate and fairseq-interactive" in refused.stderr


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


@pytest.mark.parametrize("value", [0, -1.0, float("nan"), float("inf")])
def test_sizes(value):
    with pytest.raises(UsageError, match=f"--some-size is {value}; it must be"):
        require_positive(SimpleNamespace(some_size=value), "some_size")
