"""--clip-value, read off the checkpoint: with beta_1 = 0 Adam's first moment is the gradient."""

from pathlib import Path

import pytest
import torch
from commands import USER_DIR, run

FLAGS = (
    "lm", "--task", "unconditional_generation", "--arch", "gpt_doc_tiny", "--criterion",
    "cross_entropy", "--optimizer", "fused_adamw", "--adam-betas", "(0.0, 0.999)", "--lr", "0.001",
    "--batch-size", 16, "--max-update", 1, "--disable-validation",
)  # fmt: skip
CLIP = 0.002
CONFIGS = Path(USER_DIR).parent / "recipes" / "config"


def gradients(folder, name, *flags):
    run("fairseq-train", *FLAGS, *flags, "--save-dir", name, folder=folder)
    state = torch.load(folder / name / "checkpoint_last.pt", weights_only=True)
    return [entry["exp_avg"] for entry in state["last_optimizer_state"]["state"].values()]


@pytest.mark.parametrize("flags", [(), ("--update-freq", 2), ("--clip-norm", 0.5)])
def test_step_is_taken_on_exactly_the_clamped_gradient(corpus, flags):
    name = "-".join(map(str, flags)) or "plain"
    whole = gradients(corpus, f"whole{name}", *flags)
    clipped = gradients(corpus, f"clipped{name}", *flags, "--clip-value", CLIP)
    assert sum((gradient.abs() > CLIP).sum() for gradient in whole) > 100
    assert len(whole) == len(clipped)
    for one, other in zip(whole, clipped, strict=True):
        assert torch.equal(one.clamp(-CLIP, CLIP), other)


def test_bf16_clamps_the_full_precision_gradient(corpus):
    """hydra, because --bf16 on the command line asks for a TPU."""

    def moments(name, clip):
        run(
            "fairseq-hydra-train", "--config-dir", CONFIGS, "--config-name", "gpt_doc",
            f"task.data={corpus}/lm", f"common.user_dir={USER_DIR}", "common.bf16=true",
            "optimization.max_update=1", "model.decoder_layers=1", "model.decoder_embed_dim=16",
            "optimizer.adam_betas=[0.0,0.999]", f"optimizer.clip_value={clip}",
            "optimization.clip_norm=0.0", "dataset.batch_size=16", "model.dropout=0.0",
            f"checkpoint.save_dir={corpus}/{name}", f"hydra.run.dir={corpus}/{name}", folder=corpus,
        )  # fmt: skip
        state = torch.load(corpus / name / "checkpoint_last.pt", weights_only=True)
        return [entry["exp_avg"] for entry in state["last_optimizer_state"]["state"].values()]

    whole, clipped = moments("bf16", 0.0), moments("bf16-clipped", CLIP)
    assert {moment.dtype for moment in whole} == {torch.float32}
    assert sum((gradient.abs() > CLIP).sum() for gradient in whole) > 100
    for one, other in zip(whole, clipped, strict=True):
        assert torch.equal(one.clamp(-CLIP, CLIP), other)
