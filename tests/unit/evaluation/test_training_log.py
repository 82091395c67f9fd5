"""fairseq's logs, as it writes them to --log-file and to the terminal."""

import pytest

from fairseq_genext.errors import UsageError
from fairseq_genext.evaluation.training_log import read_curves

LOG_FILE = """\
{'_name': None, 'common': {'seed': 1, 'log_format': 'json'}}
num. shared model params: 2,576,569 (num. trained: 2,576,569)
{"epoch": 1, "update": 0.129, "loss": "9.031", "ppl": "523.28", "num_updates": "25", "lr": "0.003"}
{"epoch": 1, "update": 0.258, "loss": "7.5", "ppl": "181.02", "num_updates": "50", "gnorm": null}
{"epoch": 1, "valid_loss": "5.8", "valid_ppl": "55.7", "valid_num_updates": "50"}
{"epoch": 1, "train_loss": "8.3", "train_ppl": "315", "train_num_updates": "50"}
{broken
"""
TERMINAL = """\
2026-11-23 10:00:00 | INFO | fairseq.trainer | begin training epoch 1
2026-11-23 10:00:01 | INFO | train_inner | {"epoch": 1, "ppl": "523.28", "num_updates": "25"}
2026-11-23 10:00:02 | INFO | valid | {"epoch": 1, "valid_ppl": "55.7", "valid_num_updates": "50"}
"""


def read(tmp_path, text):
    path = tmp_path / "train.log"
    path.write_text(text)
    curves = read_curves(path)
    return {(row.split, row.update, row.metric): row.value for row in curves.itertuples()}


def test_log_file(tmp_path):
    rows = read(tmp_path, LOG_FILE)
    assert rows["train", 25, "ppl"] == 523.28
    assert rows["train", 50, "loss"] == 7.5
    assert rows["valid", 50, "ppl"] == 55.7
    assert ("train", 50, "gnorm") not in rows
    # The mean over an epoch does not replace what was logged at that update.
    assert rows["train", 50, "ppl"] == 181.02


def test_terminal(tmp_path):
    rows = read(tmp_path, TERMINAL)
    assert rows["train", 25, "ppl"] == 523.28 and rows["valid", 50, "ppl"] == 55.7


def test_a_resumed_run_replaces_what_it_repeats(tmp_path):
    again = '{"epoch": 1, "ppl": "170", "num_updates": "50"}\n'
    assert read(tmp_path, LOG_FILE + again)["train", 50, "ppl"] == 170


@pytest.mark.parametrize("text", ["", "begin training\n"])
def test_a_log_without_figures(tmp_path, text):
    with pytest.raises(UsageError, match="has no figures"):
        read(tmp_path, text)
