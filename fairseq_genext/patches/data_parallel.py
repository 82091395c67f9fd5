"""torch's DistributedDataParallel for models on a CPU and for those whose parts take turns."""

import torch
from fairseq.models import distributed_fairseq_model

from fairseq_genext.patches.patch import patch


@patch(distributed_fairseq_model, "DistributedDataParallel")
def fit_to_the_model(wrap, module: torch.nn.Module, **kwargs):
    """fairseq names a GPU to torch also where the model is on none, which torch refuses. And torch
    waits for the gradients of both players of a GAN, of which one moves, unless told not to.
    """
    parameters = list(module.parameters())
    if parameters[0].device.type == "cpu":
        kwargs.update(device_ids=None, output_device=None)
    if any(hasattr(parameter, "param_group") for parameter in parameters):  # fairseq's own mark
        kwargs["find_unused_parameters"] = True
    return wrap(module, **kwargs)
