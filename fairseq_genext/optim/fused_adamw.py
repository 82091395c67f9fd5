"""`fused_adamw`: torch's fused AdamW (Loshchilov and Hutter 2019), with clipping by value.

fairseq's own `adam` loops over parameters in Python; the fused kernel updates them in one call.
"""

import ast
import functools
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any, List

import torch
from fairseq.dataclass import FairseqDataclass
from fairseq.optim import FairseqOptimizer, register_optimizer
from omegaconf import II

from fairseq_genext.errors import UsageError


@dataclass
class FusedAdamWConfig(FairseqDataclass):
    adam_betas: Any = field(default=(0.9, 0.999), metadata={"help": "betas for AdamW"})
    adam_eps: float = field(default=1e-8, metadata={"help": "epsilon for AdamW"})
    weight_decay: float = field(
        default=0.0, metadata={"help": "decoupled weight decay, on matrices only"}
    )
    clip_value: float = field(
        default=0.0,
        metadata={
            "help": "clamp every gradient element to [-VALUE, VALUE] before the step; "
            "0 turns it off"
        },
    )
    lr: List[float] = II("optimization.lr")


@register_optimizer("fused_adamw", dataclass=FusedAdamWConfig)
class FusedAdamW(FairseqOptimizer):
    """AdamW whose gradients are clamped after normalisation by sample size and unscaling.

    Args:
        cfg: flags.
        params: parameters to optimize.

    Raises:
        UsageError: ``--clip-value`` is negative.
    """

    # fairseq's --amp unscales the gradients of the torch optimizer; torch's scaler would unscale
    # them again at the step of this one, which it takes for another. With this mark it leaves them
    # alone and says in `found_inf` whether to skip the step.
    _step_supports_amp_scaling = True
    found_inf: torch.Tensor | None = None

    def __init__(self, cfg: FusedAdamWConfig, params) -> None:
        super().__init__(cfg)
        if cfg.clip_value < 0:
            raise UsageError(f"--clip-value is {cfg.clip_value}; it must be 0 (off) or greater")
        self.clip_value = cfg.clip_value
        self._optimizer = self.build_torch_optimizer(self.parameter_groups(list(params)))

    def parameter_groups(self, params: list) -> list[dict]:
        """Matrices decay, vectors (biases, layer norms) do not.

        Raises:
            UsageError: weights are to decay, and fp16 training has flattened them to a vector.
        """
        if self.cfg.weight_decay > 0 and all(param.dim() < 2 for param in params):
            raise UsageError(
                "--weight-decay acts on matrices, and --fp16 flattens them: add "
                "--fp16-no-flatten-grads"
            )
        return decay_matrices_only(params, self.cfg.weight_decay)

    def build_torch_optimizer(self, groups: list[dict]) -> torch.optim.Optimizer:
        """The torch optimizer over ``groups``."""
        return torch.optim.AdamW(groups, **self.optimizer_config, fused=True)

    @functools.cached_property  # asked for at every update, and reading flags takes time
    def optimizer_config(self) -> dict:
        """Settings that all parameter groups share."""
        lr, betas = self.cfg.lr, self.cfg.adam_betas
        return {
            "lr": lr[0] if isinstance(lr, Collection) else lr,
            # The command line gives a string, a YAML file or a checkpoint a list.
            "betas": tuple(ast.literal_eval(betas) if isinstance(betas, str) else betas),
            "eps": self.cfg.adam_eps,
        }

    def step(self, closure=None, scale: float = 1.0, groups=None) -> None:
        """One update. The trainer has normalised, all-reduced and unscaled the gradients by now."""
        if self.found_inf is not None and self.found_inf.item() > 0:
            return
        if scale != 1.0:
            self.multiply_grads(1.0 / scale)
        if self.clip_value > 0:
            torch.nn.utils.clip_grad_value_(list(self.params), self.clip_value)
        super().step(closure, groups=groups)

    @property
    def supports_flat_params(self) -> bool:
        """A flattened gradient cannot tell matrices from vectors, which matters when decaying."""
        return self.cfg.weight_decay == 0


def decay_matrices_only(params: list, weight_decay: float) -> list[dict]:
    """Parameter groups with weight decay on tensors of two or more dimensions only."""
    groups = [
        {"params": [p for p in params if p.dim() >= 2], "weight_decay": weight_decay},
        {"params": [p for p in params if p.dim() < 2], "weight_decay": 0.0},
    ]
    return [group for group in groups if group["params"]]
