"""A checkpoint is loaded only with the dictionaries that it was trained with."""

import logging
import shutil

import pytest
import torch
from architectures import FAIRSEQ_LM as LM
from command_line import parsed
from commands import run
from fairseq import checkpoint_utils, tasks

from fairseq_genext.errors import UsageError
from fairseq_genext.patches.dictionaries import digests, require_same_dictionaries

MT = (
    "--task", "translation", "--arch", "lstm_seq2seq_doc_tiny", "--criterion", "cross_entropy",
    "--optimizer", "fused_adamw", "--batch-size", 300, "--max-update", 1, "--cpu",
)  # fmt: skip


def edited(folder, name, edit):
    """A copy of a data folder whose dictionaries ``edit`` has changed: lines to lines."""
    copy = folder.parent / f"{folder.name} {name}"
    shutil.copytree(folder, copy)
    for path in copy.glob("dict*.txt"):
        path.write_text("\n".join(edit(path.read_text().splitlines())) + "\n")
    return copy


OTHERS = {
    "another order": (lambda lines: lines[::-1], "words stand in another order"),
    "two exchanged": (
        lambda lines: [*lines[:3], lines[4], lines[3], *lines[5:]], "words stand in another order"
    ),
    "another word": (lambda lines: [*lines[:-1], "cat 1"], "of other words"),
    "fewer": (lambda lines: lines[:-1], "entries, the one in the data folder has"),
    "more": (lambda lines: [*lines, "cat 1"], "entries, the one in the data folder has"),
}  # fmt: skip


@pytest.fixture(scope="module")
def trained(corpus):
    """fairseq's own language model and a translation model of ours."""
    run("fairseq-train", "lm", *LM, "--save-dir", "digests-lm", folder=corpus)
    run("fairseq-train", "mt", *MT, "--save-dir", "digests-mt", folder=corpus)
    for name, (edit, _) in OTHERS.items():
        edited(corpus / "lm", name, edit)
    return corpus, {
        kind: corpus / f"digests-{kind}" / "checkpoint_last.pt" for kind in ("lm", "mt")
    }


@pytest.mark.parametrize("name", OTHERS)
def test_other_dictionaries(name, trained):
    corpus, paths = trained
    with pytest.raises(UsageError, match=f"{paths['lm']}.*trained with a.*{OTHERS[name][1]}"):
        checkpoint_utils.load_model_ensemble_and_task(
            [str(paths["lm"])], {"data": str(corpus / f"lm {name}")}
        )


def test_counts_do_not_matter(trained):
    corpus, paths = trained
    data = edited(corpus / "lm", "counts", lambda lines: [line + "0" for line in lines])
    checkpoint_utils.load_model_ensemble_and_task([str(paths["lm"])], {"data": str(data)})


@pytest.mark.parametrize(
    ("command", "flags"),
    [
        ("fairseq-train", (*LM[:-2], 2, "--cpu", "--save-dir", "digests-lm")),
        ("fairseq-train", (*LM, "--save-dir", "anew", "--finetune-from-model", "CHECKPOINT")),
        ("fairseq-eval-lm", ("--batch-size", 8, "--path", "CHECKPOINT")),
        ("fairseq-generate", ("--task", "unconditional_generation", "--path", "CHECKPOINT")),
    ],
)
def test_commands(command, flags, trained):
    corpus, paths = trained
    before = paths["lm"].read_bytes()
    flags = [paths["lm"] if flag == "CHECKPOINT" else flag for flag in flags]
    result = run(command, "lm another order", *flags, folder=corpus, expect=1)
    lines = [line for line in result.stderr.splitlines() if line.startswith("error: ")]
    assert len(lines) == 1 and "words stand in another order" in lines[0], result.stderr
    assert "Traceback" not in result.stderr
    assert paths["lm"].read_bytes() == before
    assert not list(corpus.glob("anew/*")) and not list(corpus.glob("digests-lm/crash.pt"))


def test_other_direction(trained):
    corpus, paths = trained
    overrides = {"data": str(corpus / "mt"), "source_lang": "up", "target_lang": "en"}
    with pytest.raises(UsageError, match="swap --source-lang and --target-lang"):
        checkpoint_utils.load_model_ensemble_and_task([str(paths["mt"])], overrides)


def test_generator_of_a_gan(trained):
    corpus, _ = trained
    flags = ("--task", "unconditional_generation", "--arch", "gpt_doc_tiny", *LM[-9:])
    run("fairseq-train", "lm", *flags, "--save-dir", "digests-gpt", folder=corpus)
    config = parsed(
        corpus / "lm another order", "--task", "gan", "--arch", "gan", "--generator", "gpt",
        "--noise-input", "none",
        "--criterion", "adversarial", "--optimizer", "two_player_adamw",
        "--generator-checkpoint", corpus / "digests-gpt" / "checkpoint_last.pt",
    )  # fmt: skip
    with pytest.raises(UsageError, match="words stand in another order"):
        tasks.setup_task(config.task).build_model(config.model)


def test_language_model_in_a_search(trained):
    corpus, paths = trained
    shutil.copytree(corpus / "mt", corpus / "mt fused")
    shutil.copy(corpus / "lm" / "dict.txt", corpus / "mt fused")
    flags = ("--task", "translation", "--path", paths["mt"], "--lm-path", paths["lm"])
    result = run("fairseq-generate", "mt fused", *flags, folder=corpus, expect=1)
    assert "error: --lm-path: the language model's dictionary" in result.stderr
    assert "Traceback" not in result.stderr


def test_checkpoint_without_digests_is_taken_with_one_warning(trained, caplog):
    corpus, paths = trained
    state = torch.load(paths["lm"])
    del state["task_state"]
    path = corpus / "old.pt"
    torch.save(state, path)
    with caplog.at_level(logging.WARNING):
        checkpoint_utils.load_model_ensemble_and_task(
            [str(path)], {"data": str(corpus / "lm another order")}
        )
    assert caplog.text.count(f"{path} holds no digest of its dictionaries") == 1


def test_a_finetuned_checkpoint_has_its_own_digests(trained):
    corpus, paths = trained
    flags = (*LM, "--save-dir", "finetuned", "--finetune-from-model", paths["lm"])
    run("fairseq-train", "lm", *flags, folder=corpus)
    kept = torch.load(corpus / "finetuned" / "checkpoint_last.pt")["task_state"]
    assert kept == torch.load(paths["lm"])["task_state"]
    assert set(kept["dictionaries"]) == {"source", "target"}


class Task:
    """One of many languages, whose sides are others in training than in generation."""

    def __init__(self, dictionary, **dicts):
        self.dicts, self.source_dictionary, self.target_dictionary = dicts, dictionary, dictionary


def test_a_task_of_many_languages_is_compared_by_language(dictionary):
    other = type(dictionary)()
    other.add_symbol("cat")
    state = {"task_state": {"dictionaries": digests(Task(other, de=dictionary, en=other))}}
    require_same_dictionaries("a.pt", state, Task(dictionary, de=dictionary))
    with pytest.raises(UsageError, match="a.pt was trained with a de dictionary of 34 entries"):
        require_same_dictionaries("a.pt", state, Task(dictionary, de=other))
    require_same_dictionaries("a.pt", {}, object())  # as of images
