"""Every decoder of the package, small and in eval mode, with what its first argument needs."""

import pytest
import torch
from small_models import LANGUAGE_MODELS, SEQ2SEQ, build


@pytest.fixture(params=[*LANGUAGE_MODELS, *SEQ2SEQ])
def decoder_and_inputs(request, dictionary):
    """A decoder, and keyword arguments that make its output deterministic for 4 sequences."""
    if request.param in SEQ2SEQ:
        model = build(SEQ2SEQ[request.param], dictionary)
        source = torch.randint(4, 30, (4, 6))
        encoder_out = model.encoder(source, torch.tensor([6, 6, 6, 6]))
        return model.decoder, {"encoder_out": encoder_out}
    model = build(LANGUAGE_MODELS[request.param], dictionary)
    if request.param.startswith("gan"):
        return model.decoder, {"noise": torch.randn(4, 5)}
    return model.decoder, {}
