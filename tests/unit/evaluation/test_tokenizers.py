"""Text without blanks is cut by the tokenizer of its language; where not, one line says so."""

import json
from types import SimpleNamespace

import pytest
import sacrebleu
from fairseq import scoring
from fairseq.data import Dictionary
from fairseq.scoring import SCORER_REGISTRY
from fairseq.scoring.bleu import SacrebleuConfig
from fairseq.tasks.translation import TranslationConfig, TranslationTask
from omegaconf import OmegaConf

import fairseq_genext.plugin  # noqa: F401  as --user-dir does
from fairseq_genext.errors import UsageError
from fairseq_genext.evaluation import __main__ as evaluate
from fairseq_genext.evaluation import tokenizers, translation
from fairseq_genext.evaluation.metrics.significance import compare
from fairseq_genext.files import write_lines
from fairseq_genext.scorers import MeanBleuConfig, TokenizeConfig

CHINESE = ["今天天气很好。", "我们在北京学习中文", "国王看见了大地和星星"]
THAI = ["วันนี้อากาศดีมาก", "เราเรียนภาษาไทย"]
WARNS = "hardly any blanks, at which the tokenizer"


@pytest.mark.parametrize(
    ("name", "language", "taken"),
    [
        (None, "zh", "zh"), (None, "zh_CN", "zh"), (None, "zh-Hans", "zh"), ("char", "zh", "char"),
        (None, "ja", "char"), (None, "ko_KR", "char"), (None, "de", "13a"), (None, None, "13a"),
        ("13a", "zh", "13a"),
    ],
)  # fmt: skip
def test_which_is_taken_and_what_is_said(name, language, taken, monkeypatch, caplog):
    monkeypatch.setattr("sacrebleu.tokenizers.tokenizer_ja_mecab.MeCab", None)
    monkeypatch.setattr("sacrebleu.tokenizers.tokenizer_ko_mecab.MeCab", None)
    assert tokenizers.choose(name, CHINESE, language) == taken
    assert any(WARNS in line for line in caplog.messages) == (taken == "13a")
    missing = "it needs pip install 'sacrebleu[" in caplog.text
    assert missing == ((language or "")[:2] in ("ja", "ko"))


def test_text_with_blanks_is_not_warned_of(caplog):
    assert tokenizers.choose(None, ["Donaudampfschifffahrtsgesellschaft fährt ab"], "de") == "13a"
    assert tokenizers.choose(None, [], "de") == "13a"
    assert tokenizers.choose(None, ["오늘은 날씨가 좋습니다"], "", "none") == "none"
    assert not caplog.messages


def test_what_there_is_not(monkeypatch):
    monkeypatch.setattr("sacrebleu.tokenizers.tokenizer_ja_mecab.MeCab", None)
    with pytest.raises(UsageError, match="--tokenize bogus does not exist; choose one of none, zh"):
        tokenizers.choose("bogus", CHINESE)
    with pytest.raises(UsageError, match="needs pip install 'sacrebleu.ja.'; or choose char"):
        tokenizers.choose("ja-mecab", CHINESE)


def test_translations(tmp_path, monkeypatch, capsys, caplog):
    for name in ("text.zh", "text.plain"):
        write_lines(tmp_path / name, CHINESE)
    scores = {}
    for name, *flags in (("text.zh",), ("text.plain",), ("text.plain", "--tokenize", "char")):
        path = str(tmp_path / name)
        argv = ["translation", "--hypotheses", path, "--references", path, *flags]
        monkeypatch.setattr("sys.argv", argv)
        translation.main()
        figures = json.loads(capsys.readouterr().out)
        scores[figures["bleu_signature"].split("tok:")[1].split("|")[0]] = figures["bleu"]
    assert scores == {"zh": pytest.approx(100), "13a": 0, "char": pytest.approx(100)}
    assert [WARNS in line for line in caplog.messages] == [True]
    systems, signatures = compare({"a": CHINESE, "b": CHINESE[::-1]}, CHINESE, 10, tokenize="zh")
    assert systems["a"]["bleu"] == pytest.approx(100) and "tok:zh" in signatures[0]


def test_samples(tmp_path, monkeypatch, capsys, caplog):
    write_lines(tmp_path / "samples", [THAI[0][:-1] + "ก", *THAI])
    write_lines(tmp_path / "references", THAI)
    argv = ["evaluate", "samples", "--references", "references", "--encoder", "none"]
    monkeypatch.chdir(tmp_path)
    figures = {}
    for name, *flags in (("none",), ("char", "--tokenize", "char")):
        monkeypatch.setattr("sys.argv", [*argv, *flags, "--json", "figures"])
        evaluate.main()
        written = json.loads((tmp_path / "figures").read_text())
        assert written["settings"]["tokenize"] == name
        figures[name] = written["figures"]["samples"]
    assert [WARNS in line for line in caplog.messages] == [True]
    assert "Tokens: cut by sacrebleu's char." in capsys.readouterr().out
    # Whole lines are right or wrong; characters nearly all right.
    assert figures["none"]["bleu_2"] < 0.7 < 0.9 < figures["char"]["bleu_2"]
    assert figures["char"]["mean_length"] == pytest.approx(len("".join([THAI[0], *THAI])) / 3)


def scored(name, config, language):
    words = Dictionary()
    task = TranslationTask(OmegaConf.create({"target_lang": language}), Dictionary(), words)
    built = scoring.build_scorer(OmegaConf.create({**vars(config), "_name": name}), words)
    assert isinstance(built, SCORER_REGISTRY[name]) and task.target_dictionary is words
    for line in CHINESE:
        built.add_string(line, line)
    return built


@pytest.mark.parametrize(
    ("name", "config", "best"),
    [("bleu_chrf", TokenizeConfig, 100), ("sample_bleu", MeanBleuConfig, 1)],
)
def test_scorers_of_generate(name, config, best, caplog):
    assert scored(name, config(), "zh").score() == pytest.approx(best)
    assert scored(name, config(tokenize="char"), None).score() == pytest.approx(best)
    assert not caplog.messages
    assert scored(name, config(), "xx").score() < 0.5 * best
    assert [WARNS in line for line in caplog.messages] == [True]


def test_fairseqs_own_scorer_warns(caplog):
    built = scored("sacrebleu", SacrebleuConfig(), "zh")
    assert "BLEU = 0.00" in built.result_string()
    assert [WARNS in line and "--sacrebleu-tokenizer" in line for line in caplog.messages] == [True]


def test_bleu_while_training(monkeypatch):
    """``--eval-bleu`` on the target language of the data."""
    task = TranslationTask(TranslationConfig(target_lang="zh"), Dictionary(), Dictionary())
    ids = [task.tgt_dict.encode_line(line).long() for line in CHINESE]
    monkeypatch.setattr(task, "tokenizer", None, raising=False)
    monkeypatch.setattr(task, "inference_step", lambda *_, **__: [[{"tokens": one}] for one in ids])
    before = sacrebleu.corpus_bleu
    bleu = task._inference_with_bleu(None, {"target": ids}, SimpleNamespace())
    assert bleu.score == pytest.approx(100) and sacrebleu.corpus_bleu is before
