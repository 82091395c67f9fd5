"""torch's optimizers leave torch's compiler alone where nothing is compiled.

They tell ``torch._dynamo`` what it must not compile, and import it for that: a second and a half of
processor time, more than a short training.
"""

import sys
from collections.abc import Callable

import torch
from torch.optim import Optimizer
from torch.optim.optimizer import _use_grad_for_differentiable

from fairseq_genext.patches.patch import patch

# The decorator's inner function has the same code wherever it is applied.
USE_GRAD = _use_grad_for_differentiable(lambda self: None).__code__


def unless_compiling(method: Callable, *args, **kwargs):
    """A method that is hidden from the compiler, which cannot be at work before it is imported."""
    if "torch._dynamo" not in sys.modules:
        method = method.__wrapped__
    return method(*args, **kwargs)


def step_unless_compiling(step: Callable, self: Optimizer, *args, **kwargs):
    """An update, which ``torch._dynamo`` would cut in two graphs."""
    if "torch._dynamo" in sys.modules:
        return step(self, *args, **kwargs)
    with torch.set_grad_enabled(self.defaults["differentiable"]):
        return step.__wrapped__(self, *args, **kwargs)


for _name in ("add_param_group", "load_state_dict", "state_dict", "zero_grad"):
    patch(Optimizer, _name)(unless_compiling)
for _optimizer in Optimizer.__subclasses__():
    _step = vars(_optimizer).get("step")
    if getattr(_step, "__code__", None) is USE_GRAD:
        patch(_optimizer, "step")(step_unless_compiling)
