"""The average of the weights that ``--store-ema`` keeps."""

import torch
from fairseq.dataclass.configs import EMAConfig
from fairseq.models.ema import EMA

import fairseq_genext.plugin  # noqa: F401  as --user-dir does


def test_counts_are_copied():
    model = torch.nn.BatchNorm1d(1)  # it counts its batches
    average = EMA(model, EMAConfig(store_ema=True, ema_decay=0.5))
    with torch.no_grad():
        model.weight.fill_(3.0)
        model.num_batches_tracked.fill_(7)
    average.step(model, updates=1)
    assert average.get_model().weight.item() == 2.0
    assert average.get_model().num_batches_tracked.item() == 7
