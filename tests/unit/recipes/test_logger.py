"""What a recipe's terminal shows of the logs of its steps."""

from types import SimpleNamespace

from snakemake_logger_plugin_genext import LogHandler

LOG = """2026-11-26 02:00:00 | WARNING | fairseq_genext.data.pieces | a line is long
WARNING:fairseq_genext.files:it is one giant line: cut it
WARNING:root:another's
INFO | fairseq_genext.files | no warning
"""


def test_warnings_of_steps_are_shown_once(tmp_path, monkeypatch):
    log = tmp_path / "data-mine.log"
    log.write_text(LOG)
    said = []
    handler = SimpleNamespace(say=said.append, warned=set(), terminal=False)
    job = SimpleNamespace(log=[str(log)], rule_name="data")
    for _ in range(2):
        LogHandler.finish(handler, job)
    assert said == ["   data-mine: a line is long", "   data-mine: it is one giant line: cut it"]
