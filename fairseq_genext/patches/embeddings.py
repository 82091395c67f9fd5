"""Marks embeddings and output layers for Muon: optimizers see parameters without their modules."""

from fairseq.trainer import Trainer
from torch import nn

from fairseq_genext.patches.patch import patch


@patch(Trainer, "_build_optimizer")
def mark_embeddings(build, self) -> None:
    """For ``--optimizer muon`` their parameters carry ``param_group`` "embedding", which fairseq
    hands on to copies in 32 bits. Its own composite optimizer reads that name as well."""
    muon = getattr(self.cfg.optimizer, "_name", None) == "muon"
    for name, module in self.model.named_modules() if muon else ():
        # fc_out is that of fairseq's recurrent decoders.
        output = name.endswith(("output_projection", "fc_out")) and isinstance(module, nn.Linear)
        if output or isinstance(module, nn.Embedding):
            module.weight.param_group = "embedding"
    build(self)
