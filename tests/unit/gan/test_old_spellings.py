"""Spellings of the last release are translated, with a line in the log."""

import pytest
from fairseq import options
from fairseq.dataclass.utils import convert_namespace_to_omegaconf

from fairseq_genext.gan.estimators.baselines import BASELINES
from fairseq_genext.gan.old_spellings import VALUES
from fairseq_genext.gan.settings import fill_defaults


def parsed(*flags):
    """Task's and criterion's options as a command line gives them, with the preset ScratchGAN."""
    parser = options.get_training_parser()
    command = ["data", "--task", "gan", "--arch", "gan_scratchgan", "--criterion", "adversarial"]
    config = convert_namespace_to_omegaconf(options.parse_args_and_arch(parser, [*command, *flags]))
    fill_defaults(config.task)
    fill_defaults(config.criterion)
    return config.task, config.criterion


@pytest.mark.parametrize(("old", "new"), VALUES["reward_baseline"].items())
def test_old_values(old, new, caplog):
    _, criterion = parsed("--reward-baseline", old)
    assert criterion.reward_baseline == new and new in BASELINES and old not in BASELINES
    assert [record.message for record in caplog.records if record.levelname == "WARNING"] == [
        f"--reward-baseline {old} is now --reward-baseline {new}; the next release will not take "
        "the old spelling"
    ]


def test_an_old_flag_goes_before_the_preset(caplog):
    task, _ = parsed("--discriminator-pretrain-updates", "7")
    assert task.discriminator_warmup_updates == 7
    assert task.discriminator_pretrain_updates is None
    assert "is now --discriminator-warmup-updates" in caplog.text


def test_new_spellings_are_not_worth_a_line(caplog):
    flags = ("--reward-baseline", "none", "--discriminator-warmup-updates", "3")
    task, criterion = parsed(*flags)
    assert criterion.reward_baseline == "none" and task.discriminator_warmup_updates == 3
    task, criterion = parsed()
    assert criterion.reward_baseline == "ema" and task.discriminator_warmup_updates == 0
    assert "is now" not in caplog.text
