"""``--ddp-backend fully_sharded`` by torch's own FSDP (``fully_shard``).

fairseq's is the package fairscale, which is no longer maintained. Each process keeps a share of
every parameter, its gradient and its optimizer state, and gathers a block of the model when it is
computed (Rajbhandari et al. 2020, https://arxiv.org/abs/1910.02054, stage 3). Checkpoints are
whole, so that they load in any number of processes and with any backend.

FSDP and DTensor are imported where they are used: they would add a second to every command's start.
"""

import contextlib

import fairseq.models
import torch
from fairseq import utils
from fairseq.trainer import Trainer
from torch import nn
from torch.utils._pytree import tree_map

from fairseq_genext.errors import UsageError, flag
from fairseq_genext.patches.patch import patch, patch_command

# fairseq asks this where it means fairscale.
Trainer.is_fsdp = False


@patch_command("train", "fsdp_enable_wrap")
def leave_the_model_whole(fsdp_enable_wrap, cfg):
    """The model is sharded once it is built.

    Raises:
        UsageError: a flag is of fairscale alone.
    """
    for name in ("cpu_offload", "use_sharded_state"):
        if getattr(cfg, name):
            raise UsageError(f"{flag(name)} is of fairscale, in whose place is torch: leave it out")
    return contextlib.nullcontext()


class Sharded(nn.Module):
    """A sharded model that loads whole parameters; what it has not is the model's own.

    In evaluation mode its first forward pass leaves it whole, as a process may then draw samples,
    which takes it fewer steps than another, of a part of the model.

    Args:
        module: the model, its parts sharded by ``fully_shard``.
        reshard: whether a part that was gathered is given up after its forward pass.
    """

    def __init__(self, module: nn.Module, reshard: bool) -> None:
        super().__init__()
        self.reshard = reshard
        self.module = module

    def train(self, mode: bool = True) -> "Sharded":
        """As torch's."""
        from torch.distributed.fsdp import FSDPModule

        for part in self.module.modules():
            if isinstance(part, FSDPModule):
                part.set_reshard_after_forward(mode and self.reshard, recurse=False)
        return super().train(mode)

    def __getattr__(self, name: str):
        try:
            return super().__getattr__(name)
        except AttributeError:
            return getattr(self.module, name)

    def forward(self, *args, **kwargs):
        return self.module(*args, **kwargs)

    def state_dict(self, *args, **kwargs):
        """The model's, in shares."""
        return self.module.state_dict(*args, **kwargs)

    def load_state_dict(self, state_dict, *args, **kwargs):
        """As fairseq's models', of whole parameters; all processes call it."""
        own = self.module.state_dict()
        shares = {name: share(value, own.get(name)) for name, value in state_dict.items()}
        return self.module.load_state_dict(shares, *args, **kwargs)


def share(whole, like):
    """A process's share of ``whole`` as it has of ``like``, where that is sharded and as large."""
    from torch.distributed.tensor import DTensor, distribute_tensor

    if not (torch.is_tensor(whole) and isinstance(like, DTensor)) or whole.shape != like.shape:
        return whole
    return distribute_tensor(whole.to(like.device), like.device_mesh, like.placements)


@patch(fairseq.models, "DistributedFairseqModel")
def shard_the_model(wrap, args, model, process_group, device):
    """Shards each layer by itself, where a model lists its layers, and then the rest.

    Raises:
        UsageError: the model is a GAN, whose players do not compute in one forward pass.
    """
    if args.ddp_backend != "fully_sharded":
        return wrap(args, model, process_group, device)
    if any(hasattr(parameter, "param_group") for parameter in model.parameters()):
        raise UsageError(
            "--ddp-backend fully_sharded is not for GANs: choose pytorch_ddp or legacy_ddp"
        )
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import fully_shard

    model = model.to(device)
    mesh = init_device_mesh(device.type, (args.distributed_world_size,))
    for layers in [part for part in model.modules() if isinstance(part, nn.ModuleList)]:
        for layer in layers:
            fully_shard(layer, mesh=mesh)
    return Sharded(fully_shard(model, mesh=mesh), not args.no_reshard_after_forward)


def is_sharded(trainer: Trainer) -> bool:
    """Whether saving takes all processes."""
    backend = trainer.cfg.distributed_training.ddp_backend
    return backend == "fully_sharded" and trainer.data_parallel_world_size > 1


Trainer.always_call_state_dict_during_save_checkpoint = property(is_sharded)


@patch(Trainer, "state_dict")
def gather(state_dict, self):
    """Parameters and optimizer state as a whole."""
    return tree_map(lambda x: x.full_tensor() if in_shares(x) else x, state_dict(self))


def in_shares(value: object) -> bool:
    """Whether a process has a share of it (a DTensor)."""
    return hasattr(value, "full_tensor")


@patch(Trainer, "save_checkpoint")
def save_together(save_checkpoint, self, filename, extra_state):
    """fairseq saves ``crash.pt`` in the process that fails, where others would be missing."""
    if is_sharded(self) and filename.endswith("crash.pt"):
        return None
    return save_checkpoint(self, filename, extra_state)


@patch(Trainer, "load_checkpoint")
def share_the_optimizer_state(load_checkpoint, self, *args, **kwargs):
    """The state comes as a whole."""
    extra_state = load_checkpoint(self, *args, **kwargs)
    if is_sharded(self):
        for parameter, state in self.optimizer.optimizer.state.items():
            for name, value in state.items():
                state[name] = share(value, parameter)
    return extra_state


@patch(utils, "clip_grad_norm_")
def clip_shares(clip_grad_norm_, params, max_norm, aggregate_norm_fn=None):
    """The norm of all shares."""
    params = [params] if torch.is_tensor(params) else list(params)
    grads = [parameter.grad for parameter in params if parameter.grad is not None]
    if not any(map(in_shares, grads)):
        return clip_grad_norm_(params, max_norm, aggregate_norm_fn)
    norm = nn.utils.get_total_norm(grads).full_tensor()
    if max_norm > 0:
        nn.utils.clip_grads_with_norm_(params, max_norm, norm)
    return norm
