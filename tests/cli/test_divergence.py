"""Training that diverges ends in one line and leaves the last good checkpoint."""

from types import SimpleNamespace

import pytest
import torch
from commands import run
from fairseq import checkpoint_utils

import fairseq_genext.plugin  # noqa: F401  as --user-dir does
from fairseq_genext.errors import UsageError

LM = (
    "lm", "--criterion", "cross_entropy", "--batch-size", 100, "--log-format", "json",
    "--log-interval", 1, "--save-interval-updates", 1, "--no-epoch-checkpoints", "--cpu",
)  # fmt: skip
OURS = (
    "--task",
    "unconditional_generation",
    "--arch",
    "gpt_doc_tiny",
    "--optimizer",
    "fused_adamw",
)
FAIRSEQ = (
    "--task", "language_modeling", "--arch", "transformer_lm", "--decoder-embed-dim", 8,
    "--decoder-ffn-embed-dim", 8, "--decoder-layers", 1, "--decoder-attention-heads", 1,
    "--tokens-per-sample", 64, "--sample-break-mode", "eos", "--optimizer", "sgd",
)  # fmt: skip
GAN = (
    "lm", "--task", "gan", "--arch", "gan_doc_tiny", "--criterion", "adversarial", "--optimizer",
    "two_player_adamw", "--batch-size", 100, "--valid-samples", 0, "--save-interval-updates", 1,
    "--generator-pretrain-updates", 1, "--discriminator-warmup-updates", 1, "--cpu",
)  # fmt: skip


def assert_stopped(result, folder, says):
    lines = [line for line in result.stderr.splitlines() if line.startswith("error: ")]
    assert len(lines) == 1 and says in lines[0] and "a smaller --lr" in lines[0], result.stderr
    assert "Traceback" not in result.stderr + result.stdout
    assert "NanDetector" not in result.stderr + result.stdout
    assert not (folder / "crash.pt").exists()
    for path in folder.glob("*.pt"):
        for weight in torch.load(path)["model"].values():
            assert not weight.is_floating_point() or torch.isfinite(weight).all(), path
    return [path.name for path in folder.glob("*.pt")]


@pytest.mark.parametrize(
    ("name", "flags"),
    [("ours", (*LM, *OURS)), ("fairseq", (*LM, *FAIRSEQ)), ("gan", GAN)],
)
def test_a_learning_rate_that_is_far_too_large(name, flags, corpus):
    """The weights that it leaves after an update are infinite, or their loss is."""
    save = ("--save-dir", f"diverged-{name}")
    run("fairseq-train", *flags, "--lr", 1e-3, "--max-update", 1, *save, folder=corpus)
    flags = (*flags, "--lr", 1e38, "--max-update", 9, "--reset-lr-scheduler", *save)
    result = run("fairseq-train", *flags, folder=corpus, expect=1)
    kept = assert_stopped(result, corpus / f"diverged-{name}", " updates: training has diverged")
    assert "checkpoint_last.pt" in kept


def test_nothing_is_saved_of_a_validation_that_is_not_a_number():
    """By the patched function: the weights are finite, the figure is not."""
    cfg = SimpleNamespace(no_save=False, best_checkpoint_metric="loss", save_dir="somewhere")
    trainer = SimpleNamespace(
        model=torch.nn.Linear(2, 2),
        get_num_updates=lambda: 6,
        cfg=SimpleNamespace(checkpoint=cfg),
    )
    with pytest.raises(UsageError, match="the validation's loss is nan after 6 updates"):
        checkpoint_utils.save_checkpoint(cfg, trainer, None, float("nan"))
    trainer.model.weight.data[0, 0] = torch.inf
    with pytest.raises(UsageError, match="weights are not finite .*: weight after 6 updates"):
        checkpoint_utils.save_checkpoint(cfg, trainer, None, None)
