"""Marks embeddings and output layers for optimizers, which see parameters without their modules."""

from fairseq.trainer import Trainer
from torch import nn

from fairseq_genext.patches.patch import patch


@patch(Trainer, "_build_optimizer")
def mark_embeddings(build, self) -> None:
    """Their parameters carry ``param_group`` "embedding", which fairseq hands on to copies in
    32 bits; those of a GAN already name their player."""
    for name, module in self.model.named_modules():
        output = name.endswith("output_projection") and isinstance(module, nn.Linear)
        if (output or isinstance(module, nn.Embedding)) and not hasattr(
            module.weight, "param_group"
        ):
            module.weight.param_group = "embedding"
    build(self)
