"""What is no checkpoint, or none that fits, ends in one line that names the file."""

import copy
import importlib
import io
import sys
import zipfile

import numpy as np
import pytest
import torch
from command_line import parsed
from commands import run
from fairseq import checkpoint_utils, tasks
from fairseq.models import BaseFairseqModel
from fairseq.trainer import Trainer

from fairseq_genext.errors import UsageError

LM = (
    "--task", "unconditional_generation", "--arch", "gpt_doc_tiny", "--criterion", "cross_entropy",
    "--optimizer", "fused_adamw", "--batch-size", 300, "--max-update", 1, "--cpu",
)  # fmt: skip
GAN = ("--task", "gan", "--arch", "gan", "--generator", "gpt", "--noise-input", "none")
WEIGHT = "decoder.embed_tokens.weight"


class Evil:
    """A class that weights-only loading does not know."""


@pytest.fixture(scope="module")
def trained(corpus):
    run("fairseq-train", "lm", *LM, "--save-dir", "hostile", folder=corpus)
    return corpus, corpus / "hostile" / "checkpoint_last.pt"


def changed(change):
    """A checkpoint whose contents ``change`` has altered, or returned in their place."""

    def write(path, state, _):
        state = copy.deepcopy(state)
        anew = change(state)
        torch.save(state if anew is None else anew, path)

    return write


def entry(*keys, value):
    """A checkpoint with another value at ``keys``."""

    def change(state):
        *outer, last = keys
        for key in outer:
            state = state[key]
        state[last] = value(state[last]) if callable(value) else value

    return changed(change)


def without(*keys):
    def change(state):
        *outer, last = keys
        for key in outer:
            state = state[key]
        del state[last]

    return changed(change)


def written(contents):
    return lambda path, state, whole: path.write_bytes(contents(whole))


def npz(_):
    file = io.BytesIO()
    np.savez(file, numbers=np.arange(3))
    return file.getvalue()


def docx(_):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("word/document.xml", "<w:document/>")
    return file.getvalue()


def filled(value):
    return lambda weight: torch.full_like(weight, value)


FILES = {
    "missing": (lambda *_: None, "does not exist"),
    "folder": (lambda path, *_: path.mkdir(), "is a folder"),
    "empty": (written(lambda _: b""), "is empty"),
    "truncated": (written(lambda whole: whole[: len(whole) // 2]), "is not a fairseq checkpoint"),
    "a beginning": (written(lambda whole: whole[:5000]), "is not a fairseq checkpoint"),
    "nearly whole": (written(lambda whole: whole[:-1000]), "is not a fairseq checkpoint"),
    "overwritten": (
        written(lambda whole: whole[:20000] + bytes(4000) + whole[24000:]), "is not a fairseq"
    ),
    "text": (written(lambda _: b"the king saw them\n" * 9), "is not a fairseq checkpoint"),
    "npz": (written(npz), "is not a fairseq checkpoint"),
    "docx": (written(docx), "is not a fairseq checkpoint"),
    "tensor": (changed(lambda _: torch.ones(3)), "is not a fairseq checkpoint"),
    "list": (changed(lambda _: [1, 2]), "is not a fairseq checkpoint"),
    "weights alone": (changed(lambda state: state["model"]), "is not a fairseq checkpoint"),
    "a class": (entry("extra_state", value=Evil()), f"could run code: it holds {__name__}.Evil"),
    "no weights": (entry("model", value={}), "it has no weights"),
    "weights of text": (entry("model", value="weights"), "it has no weights"),
    "no configuration": (entry("cfg", value=None), "has no configuration"),
    "configuration of text": (entry("cfg", value="gpt"), "has no configuration"),
    "no model in it": (entry("cfg", "model", value=None), "is not a fairseq checkpoint"),
    "not a number": (entry("model", WEIGHT, value=filled(torch.nan)), "not finite numbers"),
    "infinite": (entry("model", WEIGHT, value=filled(torch.inf)), f"infinity): {WEIGHT}"),
    "no training state": (without("extra_state"), "is not a fairseq checkpoint"),
}  # fmt: skip
TENSORS = {
    "a tensor is missing": (without("model", WEIGHT), "it lacks "),
    "a tensor more": (entry("model", "decoder.more", value=torch.ones(2)), "it has "),
    "misshapen": (
        entry("model", "decoder.blocks.0.mlp.0.weight", value=lambda weight: weight[:3]),
        "a model of another size: ",
    ),
    "fewer words": (entry("model", WEIGHT, value=lambda weight: weight[:-3]), "a dictionary of "),
    "integers": (entry("model", WEIGHT, value=lambda weight: weight.long()), "type torch.int64"),
    "no tensor": (entry("model", WEIGHT, value=lambda _: "weight"), "should be tensors are none"),
    "two for a tied one": (
        entry("model", WEIGHT, value=lambda weight: weight + 1),
        "output_projection.weight differ, and here they are tied",
    ),
}
MODELS = {
    "unknown architecture": (entry("cfg", "model", "_name", value="gpt9"), "architecture gpt9"),
    "unknown task": (entry("cfg", "task", "_name", value="dreaming"), "the task dreaming"),
    "architecture of another size": (
        entry("cfg", "model", "decoder_layers", value=9), "another model: it lacks decoder.blocks"
    ),
    "impossible architecture": (
        entry("cfg", "model", "decoder_attention_heads", value=7), "cannot be divided"
    ),
    "text for a number": (
        entry("cfg", "model", "decoder_embed_dim", value="wide"), "cannot be loaded"
    ),
}  # fmt: skip
HISTORY = ("optimizer_history", -1)
TRAINING = {
    "another criterion": (
        entry(*HISTORY, "criterion_name", value="DBAMCriterion"), "--reset-optimizer"
    ),
    "another optimizer": (
        entry(*HISTORY, "optimizer_name", value="FairseqSGD"), "--reset-optimizer"
    ),
    "no schedule": (entry(*HISTORY, "lr_scheduler_state", value=None), "--reset-lr-scheduler"),
    "optimizer of another model": (
        entry("last_optimizer_state", "state", 0, "exp_avg", value=lambda kept: kept[:3]),
        "optimizer is that of another model",
    ),
    "ruined optimizer": (
        entry("last_optimizer_state", "state", 0, "exp_avg", value=filled(torch.nan)),
        "optimizer has NaN in it",
    ),
    "no optimizer": (entry("last_optimizer_state", value=None), "--no-save-optimizer-state"),
    "optimizer of text": (entry("last_optimizer_state", value="adam"), "--reset-optimizer"),
    "no position": (entry("extra_state", "train_iterator", value=None), "--reset-dataloader"),
    "broken position": (
        entry("extra_state", "train_iterator", "epoch", value="one"), "where in its data"
    ),
    "broken meters": (entry("extra_state", "metrics", value=3), "--reset-meters"),
}  # fmt: skip


@pytest.fixture(scope="module")
def loaders(trained):
    """The three ways by which all commands load a checkpoint, in this process."""
    corpus, _ = trained
    data = str(corpus / "lm")
    config = parsed(data, *LM, "--save-dir", corpus / "hostile")
    task = tasks.setup_task(config.task)

    def restore(path):
        model = task.build_model(config.model)
        trainer = Trainer(config, task, model, task.build_criterion(config.criterion))
        return trainer.load_checkpoint(str(path))

    gan = parsed(
        data, *GAN, "--generator-embed-dim", 32, "--generator-hidden-dim", 128,
        "--generator-layers", 2, "--generator-heads", 2, "--max-target-positions", 64,
        "--criterion", "adversarial", "--optimizer", "two_player_adamw",
    )  # fmt: skip
    gan_task = tasks.setup_task(gan.task)

    def start(path):
        gan.model.generator_checkpoint = str(path)
        gan_task.build_model(gan.model)

    return {
        "ensemble": lambda path: checkpoint_utils.load_model_ensemble_and_task(
            [str(path)], {"data": data}
        ),
        "resume": restore,
        "generator": start,
    }


CASES = [
    (name, how)
    for names, hows in (
        (FILES, ("ensemble", "resume", "generator")),
        (TENSORS, ("ensemble", "resume", "generator")),
        (MODELS, ("ensemble",)),
        (TRAINING, ("resume",)),
    )
    for name in names
    for how in hows
]
ALL = FILES | TENSORS | MODELS | TRAINING


def write(name, path, whole):
    make, says = ALL[name]
    make(path, torch.load(whole), whole.read_bytes())
    return says


@pytest.mark.parametrize(("name", "how"), CASES)
def test_loading(name, how, trained, loaders, tmp_path):
    path = tmp_path / "checkpoint.pt"
    says = write(name, path, trained[1])
    with pytest.raises(UsageError) as refused:
        loaders[how](path)
    line = str(refused.value)
    assert line.startswith("error: ") and str(path) in line and says in line, line
    assert "\n" not in line and len(line) < 700, line


def test_the_checkpoint_itself_loads_by_all_ways(trained, loaders, caplog):
    for load in loaders.values():
        load(trained[1])
    assert "digest" not in caplog.text


COMMANDS = {
    "fairseq-train": ("lm", *LM, "--save-dir", "anew", "--restore-file"),
    "fairseq-generate": ("lm", "--task", "unconditional_generation", "--path"),
    "fairseq-interactive": ("lm", "--task", "unconditional_generation", "--path"),
    "fairseq-validate": ("lm", "--task", "unconditional_generation", "--batch-size", 8, "--path"),
    "fairseq-eval-lm": ("lm", "--batch-size", 8, "--path"),
}


def assert_one_line(stderr, path, says):
    lines = [line for line in stderr.splitlines() if line.startswith("error: ")]
    assert len(lines) == 1 and str(path) in lines[0] and says in lines[0], stderr[-2000:]
    assert "Traceback" not in stderr


@pytest.mark.parametrize("command", COMMANDS)
def test_commands(command, trained):
    corpus, whole = trained
    name = {"fairseq-validate": "not a number", "fairseq-eval-lm": "misshapen"}.get(
        command, "truncated"
    )
    path = corpus / f"{command}.pt"
    says = write(name, path, whole)
    result = run(command, *COMMANDS[command], path, folder=corpus, expect=1)
    assert_one_line(result.stderr, path, says)
    assert not list(corpus.glob("anew/*"))


def test_restore_file_that_is_not_there(trained):
    corpus, _ = trained
    flags = ("lm", *LM, "--save-dir", "anew", "--restore-file", "nowhere.pt")
    result = run("fairseq-train", *flags, folder=corpus, expect=1)
    assert_one_line(result.stderr, "nowhere.pt", "does not exist")


def test_another_architecture_is_named(trained):
    corpus, whole = trained
    flags = [*LM, "--save-dir", "anew", "--restore-file", whole, "--arch", "rnn_lm_tiny"]
    result = run("fairseq-train", "lm", *flags, folder=corpus, expect=1)
    assert_one_line(
        result.stderr, whole, "it holds --arch gpt_doc, and --arch rnn_lm was asked for"
    )


EVALUATION = {
    "sample": ("lm", "--output", "drawn", "--checkpoint"),
    "sweep": (
        "lm", "--held-out", "valid.en", "--references", "test.en", "--output", "drawn",
        "--checkpoints",
    ),
    "__main__": (
        "valid.en", "--references", "test.en", "--encoder", "none", "--scorer-data", "lm",
        "--scorer",
    ),
    "translate": (
        "mt", "--decoding", "greedy=--beam 1", "--output", "drawn", "--json", "drawn.json",
        "--checkpoint",
    ),
    "oracle": ("lm", "--oracle", "oracle.npz", "--output", "drawn.json", "--checkpoint"),
    "image_samples": ("--output", "drawn"),
    "attention_maps": ("mt", "the king", "--output", "drawn.png", "--path"),
}  # fmt: skip


@pytest.mark.parametrize("name", ["not a number", "nearly whole", "folder", "missing"])
@pytest.mark.parametrize("command", EVALUATION)
def test_evaluation(command, name, trained, tmp_path, monkeypatch):
    corpus, whole = trained
    path = tmp_path / "checkpoint.pt"
    write(name, path, whole)
    named = f"ruined={path}" if command == "sweep" else path
    monkeypatch.chdir(corpus)
    monkeypatch.setattr(sys, "argv", [command, *EVALUATION[command], str(named)])
    with pytest.raises(UsageError) as refused:
        importlib.import_module(f"fairseq_genext.evaluation.{command}").main()
    line = str(refused.value)
    assert str(path) in line and "\n" not in line, line
    assert not list(corpus.glob("drawn*"))


def test_pretrained_folder_that_is_not_there(tmp_path):
    with pytest.raises(UsageError, match="nowhere does not exist"):
        BaseFairseqModel.from_pretrained(str(tmp_path / "nowhere"))
