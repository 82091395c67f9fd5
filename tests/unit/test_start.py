"""What is not imported at start: it works all the same where it is used."""

import argparse
import gc
import os
import subprocess
import sys

import pytest
import torch
from commands import USER_DIR
from fairseq import utils
from sklearn.metrics import f1_score

import fairseq_genext.plugin  # noqa: F401  as --user-dir does
from fairseq_genext.light_fairseq import Deferred

# Each of them takes a tenth of a second or more, and some bring others.
HEAVY = {
    "matplotlib", "nltk", "pandas", "scipy.stats", "sklearn", "sympy", "torch._dynamo",
    "torch.distributed.fsdp", "torchaudio", "transformers",
}  # fmt: skip
# As the console scripts do, whose name the package asks for.
TRAIN = """
import sys
sys.argv[0] = "genext-train"
from fairseq_genext.commands import train
train()
print(*sys.modules, file=sys.stderr)
"""
EVALUATE = """
import sys
sys.argv[0] = "genext-evaluate"
import fairseq_genext.evaluation.__main__
assert "torch" not in sys.modules
"""


def run_fresh(program: str, *argv: str, folder) -> subprocess.CompletedProcess:
    """Runs a program in a Python that has imported nothing."""
    path = os.pathsep.join([os.path.dirname(USER_DIR), *sys.path])
    done = subprocess.run(
        [sys.executable, "-c", program, *argv],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done


def test_training_imports_what_it_uses(corpus):
    done = run_fresh(
        TRAIN, "lm", "--task", "language_modeling", "--arch", "gpt_doc_tiny", "--optimizer",
        "fused_adamw", "--lr", "1e-3", "--sample-break-mode", "eos", "--batch-size", "8",
        "--max-update", "1", "--save-dir", "start", "--cpu", folder=corpus,
    )  # fmt: skip
    imported = set(done.stderr.splitlines()[-1].split())
    assert {"fairseq_cli.train", "fairseq.criterions.sentence_prediction"} <= imported
    assert not HEAVY & imported
    # The command's own format and level.
    assert " | INFO | fairseq_cli.train | done training in " in done.stdout
    assert "DEBUG" not in done.stdout
    saved = torch.load(corpus / "start" / "checkpoint_last.pt", weights_only=True)
    assert saved["cfg"]["common"]["user_dir"] == USER_DIR


def test_evaluation_of_texts_imports_no_torch(tmp_path):
    run_fresh(EVALUATE, folder=tmp_path)


@pytest.mark.parametrize("command", [True, False])
def test_commands_alone_leave_what_is_imported(command, monkeypatch):
    frozen = []
    monkeypatch.setattr(gc, "freeze", lambda: frozen.append(True))
    monkeypatch.delitem(sys.modules, "fairseq_cli", raising=False)
    if command:
        monkeypatch.setitem(sys.modules, "fairseq_cli", None)
    utils.import_user_module(argparse.Namespace(user_dir=None))
    assert any(frozen) == command


def test_deferred_function_is_the_real_one():
    labels, found = [0, 1, 1, 0], [0, 1, 0, 1]
    assert Deferred("sklearn.metrics").f1_score(labels, found) == f1_score(labels, found)


@pytest.mark.parametrize("name", ["AdamW", "SGD", "Adagrad", "RMSprop"])
def test_optimizer_without_the_compiler(name, monkeypatch):
    """The same steps, bit by bit, and no gradient of a step."""

    def trained() -> list:
        weights = torch.nn.Parameter(torch.linspace(-1, 1, 12).view(3, 4))
        optimizer = getattr(torch.optim, name)([weights], lr=0.1)
        for _ in range(3):
            optimizer.zero_grad()
            (weights**3).sum().backward()
            optimizer.step()
        state = optimizer.state_dict()
        optimizer.load_state_dict(state)
        return [weights.detach(), state]

    monkeypatch.setitem(sys.modules, "torch._dynamo", torch._dynamo)
    expected = trained()
    monkeypatch.delitem(sys.modules, "torch._dynamo")
    found = trained()
    assert "torch._dynamo" not in sys.modules
    for ours, theirs in zip(found, expected, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=0, atol=0)
