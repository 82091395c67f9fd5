"""The average of the weights that ``--store-ema`` keeps."""

import pytest
import torch
from fairseq.dataclass.configs import EMAConfig
from fairseq.models.ema import EMA
from small_models import initialised

import fairseq_genext.plugin  # noqa: F401  as --user-dir does
from fairseq_genext.errors import UsageError
from fairseq_genext.models.gpt_doc import GPTDocConfig


def test_counts_are_copied():
    model = torch.nn.BatchNorm1d(1)  # it counts its batches
    average = EMA(model, EMAConfig(store_ema=True, ema_decay=0.5))
    with torch.no_grad():
        model.weight.fill_(3.0)
        model.num_batches_tracked.fill_(7)
    average.step(model, updates=1)
    assert average.get_model().weight.item() == 2.0
    assert average.get_model().num_batches_tracked.item() == 7


@pytest.mark.parametrize("kind", ["float32", "bfloat16"])
@pytest.mark.parametrize("exact", [False, True])
def test_tied_weights_move_once(kind, exact):
    """With --ema-fp32 of a 16-bit model they have two averages in 32 bits."""
    model = torch.nn.Sequential(
        torch.nn.Linear(2, 2, bias=False), torch.nn.Linear(2, 2, bias=False)
    )
    model[1].weight = model[0].weight
    model.to(getattr(torch, kind))
    with torch.no_grad():
        model[0].weight.fill_(1.0)
    average = EMA(model, EMAConfig(store_ema=True, ema_decay=0.5, ema_fp32=exact))
    with torch.no_grad():
        model[0].weight.fill_(3.0)
    average.step(model, updates=1)
    kept = average.fp32_params if exact else average.get_model().state_dict()
    assert all(weight.eq(2.0).all() for weight in kept.values()) and len(kept) == 2
    assert average.get_model()[0].weight.eq(2.0).all()


def test_every_third_update_whenever_training_goes_on():
    model = torch.nn.Linear(1, 1, bias=False)
    config = EMAConfig(store_ema=True, ema_decay=0.5, ema_update_freq=3)
    averages = [EMA(model, config)]
    moved = []
    for update in range(1, 10):
        if update == 5:  # fairseq makes a new one, and loads the average
            averages.append(EMA(averages[0].get_model(), config))
        with torch.no_grad():
            model.weight.add_(1.0)
        before = averages[-1].get_model().weight.item()
        averages[-1].step(model, updates=update)
        if averages[-1].get_model().weight.item() != before:
            moved.append(update)
    assert moved == [3, 6, 9]


@pytest.mark.parametrize(
    ("state", "says"),
    [
        (None, "seed.pt is missing, or no checkpoint with a running average"),
        ({"extra_state": {}}, "no checkpoint with a running average .--store-ema.: KeyError 'ema'"),
        ({"extra_state": {"ema": {"bias": torch.ones(1)}}}, "seed.pt: it holds another model"),
    ],
)
def test_seeds_that_are_none(state, says, dictionary, tmp_path):
    if state is not None:
        torch.save(state, tmp_path / "seed.pt")
    model = initialised(GPTDocConfig(_name="gpt_doc", decoder_layers=1), dictionary)
    config = EMAConfig(store_ema=True, ema_seed_model=str(tmp_path / "seed.pt"))
    with pytest.raises(UsageError, match=says):
        EMA(model, config)
