"""`muon`: matrices by Muon, the rest by AdamW.

Muon (Jordan et al. 2024, https://kellerjordan.github.io/posts/muon/) steps along the momentum's
nearest semi-orthogonal matrix. It is torch's own. Its step is scaled as in Liu et al. 2025
(https://arxiv.org/abs/2502.16982, eq. 4), so that one learning rate and one weight decay serve
both. Embeddings, output layers and vectors go to AdamW.
"""

from dataclasses import dataclass, field

import torch
from fairseq.optim import register_optimizer

from fairseq_genext.errors import UsageError, require_probability
from fairseq_genext.optim.fused_adamw import FusedAdamW, FusedAdamWConfig, decay_matrices_only


@dataclass
class MuonConfig(FusedAdamWConfig):
    muon_momentum: float = field(default=0.95, metadata={"help": "momentum of the matrices"})


@register_optimizer("muon", dataclass=MuonConfig)
class Muon(FusedAdamW):
    """Muon over the matrices that are no embeddings (``patches/embeddings.py`` marks those).

    Raises:
        UsageError: torch is older than Muon, the momentum is out of its range, or no matrix is
            there, as after ``--fp16`` has flattened all parameters.
    """

    def parameter_groups(self, params: list) -> list[dict]:
        """Matrices, then what AdamW decays, then what it does not."""
        if not hasattr(torch.optim, "Muon"):
            raise UsageError("--optimizer muon needs torch 2.9 or later: pip install 'torch>=2.9'")
        require_probability(self.cfg, "muon_momentum")
        hidden = [param for param in params if by_muon(param)]
        if not hidden:
            raise UsageError(
                "--optimizer muon finds no matrix: with --fp16 add --fp16-no-flatten-grads"
            )
        others = [param for param in params if not by_muon(param)]
        matrices = {"params": hidden, "weight_decay": self.cfg.weight_decay, "muon": True}
        adamw = decay_matrices_only(others, self.cfg.weight_decay)
        return [matrices, *({**group, "muon": False} for group in adamw)]

    def build_torch_optimizer(self, groups: list[dict]) -> torch.optim.Optimizer:
        """Both optimizers as one."""
        shared = self.optimizer_config
        return MuonWithAdamW(
            torch.optim.Muon(
                groups[:1],
                lr=shared["lr"],
                momentum=self.cfg.muon_momentum,
                adjust_lr_fn="match_rms_adamw",
            ),
            torch.optim.AdamW(groups[1:], **shared, fused=True) if groups[1:] else None,
        )

    @property
    def supports_flat_params(self) -> bool:
        """A flattened tensor has no matrices."""
        return False


def by_muon(param: torch.Tensor) -> bool:
    """Whether it is a matrix that multiplies hidden states."""
    return param.dim() == 2 and getattr(param, "param_group", None) != "embedding"


class MuonWithAdamW(torch.optim.Optimizer):
    """Two optimizers over one list of parameter groups and one state, which checkpoints hold."""

    def __init__(self, muon: torch.optim.Muon, adamw: torch.optim.AdamW | None) -> None:
        self.parts = {True: muon} | ({False: adamw} if adamw is not None else {})
        super().__init__([group for part in self.parts.values() for group in part.param_groups], {})

    @torch.no_grad()
    def step(self, closure=None):
        """One update of all parameters."""
        loss = None if closure is None else closure()
        for is_muon, part in self.parts.items():
            # Loading a checkpoint makes new groups and a new state.
            part.param_groups = [group for group in self.param_groups if group["muon"] is is_muon]
            part.state = self.state
            part.step()
        return loss
