"""Operations a token against counted ones, and the peaks of GPUs by their names."""

import dataclasses

import pytest
import torch
from fairseq.models.transformer_lm import TransformerLanguageModelConfig
from small_models import LANGUAGE_MODELS, build
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from fairseq_genext.utilisation import flops_per_token, peak_flops


@pytest.mark.parametrize(
    "name", ["gpt_doc", "rnn_lm-lstm", "rnn_lm-gru", "transformer_lm-tied", "transformer_lm"]
)
def test_operations_of_a_token(dictionary, name):
    """All products of the forward pass, three times; without the kernels that hide them."""
    config = LANGUAGE_MODELS.get(name) or TransformerLanguageModelConfig(
        _name="transformer_lm", decoder_layers=2, decoder_embed_dim=24, decoder_output_dim=24,
        decoder_input_dim=24, decoder_ffn_embed_dim=64, decoder_attention_heads=2,
        max_target_positions=16, share_decoder_input_output_embed=name.endswith("tied"),
    )  # fmt: skip
    model = build(config, dictionary)
    tokens = torch.randint(4, len(dictionary), (2, 16))
    with (
        FlopCounterMode(display=False) as counter,
        torch.backends.mkldnn.flags(enabled=False),
        sdpa_kernel(SDPBackend.MATH),
    ):
        model.train()(tokens)
    assert 3 * counter.get_total_flops() == 32 * flops_per_token(model.decoder, 16)


def test_weights_that_stay_have_no_gradient(dictionary):
    """Of adapters alone; nothing flows back through the first layer that is adapted."""
    config = dataclasses.replace(LANGUAGE_MODELS["gpt_doc"], lora_rank=2)
    model = build(config, dictionary).train()
    tokens = torch.randint(4, len(dictionary), (2, 16))
    with (
        FlopCounterMode(display=False) as counter,
        torch.backends.mkldnn.flags(enabled=False),
        sdpa_kernel(SDPBackend.MATH),
    ):
        model(tokens)[0].sum().backward()
    first = 2 * (24 * 3 * 24 + 2 * 24)  # the product of its weights with a gradient, and of A
    assert counter.get_total_flops() == 32 * (flops_per_token(model.decoder, 16) - first)


@pytest.mark.parametrize(
    ("device", "precision", "peak"),
    [
        ("NVIDIA A100-SXM4-80GB", "bfloat16", 312e12),
        ("NVIDIA A100-SXM4-80GB", "float32", 19.5e12),
        ("NVIDIA H100 80GB HBM3", "float16", 989e12),
        ("NVIDIA H100 PCIe", "tf32", 378e12),
        ("NVIDIA H200", "bfloat16", 989e12),
        ("Tesla V100-SXM2-16GB", "tf32", 15.7e12),
        ("Tesla V100-SXM2-16GB", "bfloat16", None),
        ("NVIDIA A10G", "bfloat16", None),
        ("NVIDIA A100-SXM4-40GB MIG 1g.5gb", "bfloat16", None),
        ("cpu", "float32", None),
    ],
)
def test_peaks(device, precision, peak):
    assert peak_flops(device, precision) == peak
