"""Every decoder of the package, small and in eval mode, with what its first argument needs."""

import pytest
import torch
from small_models import DBAM, LANGUAGE_MODELS, SEQ2SEQ, build

WITH_ENCODER = {**SEQ2SEQ, **DBAM}


@pytest.fixture(params=[*LANGUAGE_MODELS, *WITH_ENCODER])
def decoder_and_inputs(request, dictionary):
    """A decoder, and keyword arguments that make its output deterministic for 4 sequences."""
    if request.param in WITH_ENCODER:
        model = build(WITH_ENCODER[request.param], dictionary)
        source = torch.randint(4, 30, (4, 6))
        encoder_out = model.encoder(source, torch.tensor([6, 6, 6, 6]))
        return model.decoder, {"encoder_out": encoder_out}
    model = build(LANGUAGE_MODELS[request.param], dictionary)
    if getattr(model.decoder, "noise", None) is not None:
        return model.decoder, {"noise": torch.randn(4, 5)}
    return model.decoder, {}
