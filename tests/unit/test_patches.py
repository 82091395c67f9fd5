"""What the plugin changes in fairseq for every model and task."""

import argparse
import importlib
import logging
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from fairseq import utils
from fairseq.data import data_utils
from fairseq.logging import progress_bar

import fairseq_genext.plugin  # noqa: F401  as --user-dir does
from fairseq_genext.errors import UsageError, require_choice, require_positive
from fairseq_genext.patches.patch import patch_command


@pytest.mark.parametrize("number", [1, 7, 8, 21])
@pytest.mark.parametrize("limits", [{"max_sentences": 4}, {"max_tokens": 30}])
def test_no_sentence_is_dropped(number, limits):
    sizes = np.arange(number) % 5 + 1
    batches = data_utils.batch_by_size(
        np.arange(number), lambda i: sizes[i], sizes, required_batch_size_multiple=8, **limits
    )
    assert np.concatenate(batches).tolist() == list(range(number))
    for batch in batches:
        if "max_tokens" in limits:
            assert len(batch) * sizes[batch].max() <= 30


def test_no_sentence_at_all():
    with pytest.raises(UsageError, match="no sentence is left"):
        data_utils.batch_by_size(np.arange(0), lambda i: 1, np.arange(0), max_sentences=4)


def test_namespaces_load_and_other_classes_do_not(tmp_path):
    torch.save({"args": argparse.Namespace(lr=0.1)}, tmp_path / "legacy.pt")
    assert torch.load(tmp_path / "legacy.pt", weights_only=True)["args"].lr == 0.1
    torch.save({"evil": argparse.ArgumentParser}, tmp_path / "other.pt")
    with pytest.raises(Exception, match="Unsupported|Weights only"):
        torch.load(tmp_path / "other.pt", weights_only=True)


def test_seeding_draws_what_torch_draws_and_gives_the_stream_back():
    torch.manual_seed(3)
    expected, after = torch.rand(4), torch.rand(4)
    torch.manual_seed(3)
    torch.rand(4)
    with utils.set_torch_seed(3):
        assert torch.equal(torch.rand(4), expected)
    assert torch.equal(torch.rand(4), after)


def test_each_line_is_logged_once(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(progress_bar.logger, "handlers", [])
    caplog.set_level(logging.INFO, logger=progress_bar.logger.name)
    logs = [str(tmp_path / name) for name in ("first.log", "second.log")]
    for log in (logs[0], logs[0], logs[1], logs[0]):  # epochs, and another training
        bar = progress_bar.progress_bar(range(2), log_format="json", log_file=log)
    bar.print({"loss": 1.5}, tag="train", step=3)
    for handler in progress_bar.logger.handlers:
        handler.close()
    for log in logs:
        assert Path(log).read_text().count('"train_loss": "1.5"') == 1


def test_command_that_is_imported_after_the_plugin(monkeypatch):
    monkeypatch.delitem(sys.modules, "fairseq_cli.score", raising=False)

    @patch_command("score", "cli_main")
    def replaced(original):
        return original.__name__

    score = importlib.import_module("fairseq_cli.score")
    assert "__wrapped__" not in vars(score.cli_main)
    utils.import_user_module(argparse.Namespace(user_dir=None))
    assert score.cli_main() == "cli_main"


def test_usage_errors_end_the_program_with_one_line():
    with pytest.raises(SystemExit) as raised:
        require_positive(argparse.Namespace(noise_dim=0), "noise_dim")
    assert raised.value.code == "error: --noise-dim is 0; it must be greater than 0"
    with pytest.raises(UsageError, match="'x' does not exist; choose one of a, b"):
        require_choice(argparse.Namespace(kind="x"), "kind", ["a", "b"])
