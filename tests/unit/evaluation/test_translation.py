"""Translation scores against sacrebleu's own functions, and the command."""

import json

import pytest
import sacrebleu

from fairseq_genext.errors import UsageError
from fairseq_genext.evaluation import translation

SOURCE = ["thou seest the land", "thy bread is here now", "he said unto them , go"]
REFERENCES = ["you see the land today", "your bread is here now", "he said to them , go"]
HYPOTHESES = ["you see the land", "your bread is now here", "he said to them , go"]


@pytest.fixture
def run(tmp_path, monkeypatch):
    def run(**texts):
        argv = ["translation"]
        for name, lines in texts.items():
            path = tmp_path / f"{name}.txt"
            path.write_text("".join(f"{line}\n" for line in lines))
            argv += [f"--{name}", str(path)]
        monkeypatch.setattr("sys.argv", argv)
        translation.main()

    return run


def test_equals_sacrebleu():
    figures = translation.measure(HYPOTHESES, REFERENCES)
    assert figures["bleu"] == sacrebleu.corpus_bleu(HYPOTHESES, [REFERENCES]).score
    assert figures["chrf"] == sacrebleu.corpus_chrf(HYPOTHESES, [REFERENCES]).score
    assert "tok:13a" in figures["bleu_signature"] and "nc:6" in figures["chrf_signature"]


def test_command_scores_copying_beside(run, capsys):
    run(hypotheses=HYPOTHESES, references=REFERENCES, source=SOURCE)
    figures = json.loads(capsys.readouterr().out)
    assert figures["bleu"] == translation.measure(HYPOTHESES, REFERENCES)["bleu"]
    assert figures["copy_of_source"] == translation.measure(SOURCE, REFERENCES)
    run(hypotheses=HYPOTHESES, references=REFERENCES)
    assert "copy_of_source" not in json.loads(capsys.readouterr().out)


@pytest.mark.parametrize(
    ("texts", "says"),
    [
        ({"hypotheses": HYPOTHESES[:2]}, "hypotheses.txt has 2 lines for 3 references"),
        ({"hypotheses": HYPOTHESES, "source": SOURCE[:1]}, "source.txt has 1 lines for 3"),
        ({"hypotheses": []}, "has 0 lines"),
    ],
)
def test_files_must_be_aligned(run, texts, says):
    with pytest.raises(UsageError, match=says):
        run(references=REFERENCES, **texts)
