"""A CUDA device that is not there: torch's fake tensors, which know shapes and devices alone.

An operation on tensors of two devices fails as on a real GPU. Fake tensors have no values: a number
read from one is 1 or True, so that samples are as long as they may be, and every entry counts as
chosen, new or not padding. There is no backward pass, because autograd refuses a device that torch
was not built for; the package has no backward function of its own that could make a tensor.
"""

import contextlib
import ctypes
from pathlib import Path
from unittest import mock

import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import _disable_current_modes

aten = torch.ops.aten
DEVICE = "cuda:0"


def real_ones(number: int) -> torch.Tensor:
    """``(number,)``, integers that are not fake."""
    with _disable_current_modes():
        return torch.ones(number, dtype=torch.long)


# What depends on values, and one kernel that torch cannot fake; each with the shapes that it has
# when every entry counts.
BY_VALUE = {
    aten._local_scalar_dense.default: lambda x: (
        True if x.dtype is torch.bool else 1.0 if x.is_floating_point() else 1
    ),
    aten.equal.default: lambda x, y: True,
    aten.nonzero.default: lambda x: x.new_zeros(x.numel(), x.dim(), dtype=torch.long),
    aten.masked_select.default: lambda x, mask: x.new_zeros(mask.numel()),
    aten._unique2.default: lambda x, *_, **__: (
        x.flatten(),
        torch.zeros_like(x, dtype=torch.long),
        torch.zeros_like(x.flatten(), dtype=torch.long),
    ),
    # One sequence of all steps, as a number read from a tensor is 1, here that of sequences. RNNs
    # read the real numbers of them, on the CPU.
    aten._pack_padded_sequence.default: lambda x, lengths, batch_first: (
        x.flatten(0, 1),
        real_ones(x.size(0) * x.size(1)),
    ),
    aten._thnn_fused_gru_cell.default: lambda gates, hidden, state, *_: (
        state + gates[:, : state.size(1)] + hidden[:, : state.size(1)],
        state.new_zeros(state.size(0), 5 * state.size(1)),
    ),
}


class FakeCUDA(FakeTensorMode):
    """Makes all tensors fake, those of ``DEVICE`` as on a GPU."""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        if func in BY_VALUE:
            with self:
                return BY_VALUE[func](*args, **(kwargs or {}))
        return super().__torch_dispatch__(func, types, args, kwargs)


@contextlib.contextmanager
def fake_cuda():
    """Within, tensors are fake, without a graph though code is told that there is one, and
    ``torch.autograd.grad`` gives what has its inputs' shape.
    """
    link_cuda()
    with (
        mock.patch.object(torch.autograd, "grad", lambda out, of, **_: (torch.ones_like(of),)),
        mock.patch.object(torch, "is_grad_enabled", lambda: True),
        FakeCUDA(allow_non_fake_inputs=True),
        torch.no_grad(),
    ):
        yield


def link_cuda() -> None:
    """Where torch is built without CUDA, indexing asks for a device guard that is not linked in.

    The table of guards then gets that of the meta device, which does nothing, in CUDA's place.
    """
    if torch.backends.cuda.is_built():
        return
    library = ctypes.CDLL(str(Path(torch.__file__).with_name("lib") / "libc10.so"))
    guards = (ctypes.c_void_p * 15).in_dll(library, "_ZN3c104impl26device_guard_impl_registryE")
    guards[1] = guards[14]  # c10::DeviceType: CUDA is 1, Meta 14


def to_cuda(module: nn.Module) -> nn.Module:
    """Moves parameters and buffers, tied ones once, which torch does for linked devices alone."""
    tensors = [*module.parameters(), *module.buffers()]
    moved = {id(tensor): on_cuda(tensor) for tensor in tensors}
    for part in module.modules():
        for own in (part._parameters, part._buffers):
            own.update({name: moved[id(x)] for name, x in own.items() if x is not None})
        if isinstance(part, nn.RNNBase):
            part._flat_weights = [getattr(part, name) for name in part._flat_weights_names]
    return module


def on_cuda(sample):
    """As ``fairseq.utils.move_to_cuda``."""
    if isinstance(sample, dict):
        return {name: on_cuda(value) for name, value in sample.items()}
    if not torch.is_tensor(sample):
        return sample
    there = torch.empty(sample.shape, dtype=sample.dtype, device=DEVICE)
    return nn.Parameter(there) if isinstance(sample, nn.Parameter) else there
