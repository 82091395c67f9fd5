"""How much of a GPU a language model's training uses: model-flop utilisation.

Chowdhery et al. 2022 (PaLM), appendix B: operations that the model needs a second, by the peak of
the device. What is computed twice, as with ``--checkpoint-activations``, does not count.
"""

from torch import nn

# Dense peaks in 10^12 operations a second by a device's name and the precision of its factors, from
# NVIDIA's data sheets: V100 (2020), T4 (2019), A10, A30, A40, A100 (2021), L4, L40S (2023), H100,
# H200 (2024), B200 (2025). Longer names come first. float32 is what CUDA cores do, tf32 what tensor
# cores make of it.
PEAKS = {
    "H100 PCIe": {"bfloat16": 756, "tf32": 378, "float32": 51},
    "H100 NVL": {"bfloat16": 835, "tf32": 417, "float32": 60},
    "H200 NVL": {"bfloat16": 835, "tf32": 417, "float32": 60},
    "B200": {"bfloat16": 2250, "tf32": 1125, "float32": 75},
    "H200": {"bfloat16": 989, "tf32": 494, "float32": 67},
    "H100": {"bfloat16": 989, "tf32": 494, "float32": 67},
    "A100": {"bfloat16": 312, "tf32": 156, "float32": 19.5},
    "L40S": {"bfloat16": 362, "tf32": 183, "float32": 91.6},
    "A40": {"bfloat16": 149.7, "tf32": 74.8, "float32": 37.4},
    "A30": {"bfloat16": 165, "tf32": 82, "float32": 10.3},
    "A10": {"bfloat16": 125, "tf32": 62.5, "float32": 31.2},
    "L4": {"bfloat16": 121, "tf32": 60, "float32": 30.3},
    "V100 PCIE": {"float16": 112, "float32": 14},
    "V100": {"float16": 125, "float32": 15.7},
    "T4": {"float16": 65, "float32": 8.1},
}
# What a precision is computed in where a device does not have it.
INSTEAD = {"float16": "bfloat16", "tf32": "float32"}


def peak_flops(device: str, precision: str) -> float | None:
    """Operations a second that a GPU can do at most; None for one that is not in ``PEAKS``.

    Args:
        device: its name, as ``torch.cuda.get_device_name`` says.
        precision: of the factors: bfloat16, float16, tf32 or float32.
    """
    words = device.replace("-", " ").split()
    if "MIG" in words:  # a slice of a GPU has its name
        return None
    for name, peaks in PEAKS.items():
        if set(name.split()) <= set(words):
            peak = peaks.get(precision, peaks.get(INSTEAD.get(precision, "")))
            return peak and peak * 1e12
    return None


def multiplied_parameters(decoder: nn.Module) -> list[nn.Parameter]:
    """The matrices that every token is multiplied with.

    Embeddings are looked up, not multiplied, except where they are the output layer too.
    """
    tables = {id(part) for part in decoder.modules() if isinstance(part, nn.Embedding)}
    matrices = {
        id(weight): weight
        for part in decoder.modules()
        if id(part) not in tables
        for weight in part.parameters(recurse=False)
        if weight.dim() > 1
    }
    return list(matrices.values())


def attention_width(decoder: nn.Module) -> int:
    """The width of the heads of all attention layers together; 0 for a recurrent decoder."""
    layers = getattr(decoder, "blocks", getattr(decoder, "layers", ()))
    attend = [x for x in layers if hasattr(x, "attention") or hasattr(x, "self_attn")]
    return len(attend) * decoder.embed_tokens.embedding_dim


def flops_per_token(decoder: nn.Module, length: float) -> float:
    """Operations of an update for each token of texts of a length, forward and backward.

    6 N + 12 L Q T: N multiplied parameters, L layers whose heads are Q wide together, T tokens.
    One that stays as it is (LoRA) has no gradient and counts 4 times.
    """
    products = sum(
        (6 if weight.requires_grad else 4) * weight.numel()
        for weight in multiplied_parameters(decoder)
    )
    return products + 12 * attention_width(decoder) * length
