"""--clip-value, read off the checkpoint: with beta_1 = 0 Adam's first moment is the gradient."""

import pytest
import torch
from commands import run

FLAGS = (
    "lm", "--task", "unconditional_generation", "--arch", "gpt_doc_tiny", "--criterion",
    "cross_entropy", "--optimizer", "fused_adamw", "--adam-betas", "(0.0, 0.999)", "--lr", "0.001",
    "--batch-size", 16, "--max-update", 1, "--disable-validation",
)  # fmt: skip
CLIP = 0.002


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
