"""The likelihood of a batch, for criterions whose loss is another."""

from torch import Tensor
from torch.nn import functional as F


def negative_log_likelihood(model, sample: dict, pad: int) -> Tensor:
    """-log p of the targets of fairseq's batch, in nats, summed over its tokens: ``()``.

    Args:
        model: a language model or translation model of fairseq.
        sample: the batch.
        pad: index of padding, which does not count.
    """
    logits, _ = model(**sample["net_input"])
    target = sample["target"].flatten()
    return F.cross_entropy(logits.float().flatten(0, 1), target, ignore_index=pad, reduction="sum")
