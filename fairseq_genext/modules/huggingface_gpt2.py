"""Weights of `gpt_doc` from and to Hugging Face's GPT-2, with equal logits.

Both sides are state dicts; neither function needs the `transformers` package. Hugging Face stores
its projections as (input, output), torch as (output, input), so those are transposed.

The two vocabularies number their words differently. ``rows[i]`` is the row of the Hugging Face
embedding that belongs to entry i of the fairseq dictionary; None keeps the order.
"""

from torch import Tensor

# Parameter of one of our blocks -> (parameter of a Hugging Face block, transposed).
BLOCK = {
    "attention_norm": ("ln_1", False),
    "attention.qkv_proj": ("attn.c_attn", True),
    "attention.out_proj": ("attn.c_proj", True),
    "mlp_norm": ("ln_2", False),
    "mlp.0": ("mlp.c_fc", True),
    "mlp.2": ("mlp.c_proj", True),
}


def _names(num_layers: int):
    """Yields (our name, their name, transposed) for all but the token embeddings."""
    yield "decoder.embed_positions.weight", "transformer.wpe.weight", False
    for part in ("weight", "bias"):
        yield f"decoder.layer_norm.{part}", f"transformer.ln_f.{part}", False
        for layer in range(num_layers):
            for ours, (theirs, transposed) in BLOCK.items():
                yield (
                    f"decoder.blocks.{layer}.{ours}.{part}",
                    f"transformer.h.{layer}.{theirs}.{part}",
                    transposed and part == "weight",
                )


def _num_layers(state: dict[str, Tensor], prefix: str) -> int:
    layers = {int(name[len(prefix) :].split(".")[0]) for name in state if name.startswith(prefix)}
    return len(layers)


def from_huggingface(state: dict[str, Tensor], rows: Tensor | None = None) -> dict[str, Tensor]:
    """State dict of a ``GPT2LMHeadModel`` to one of ``GPTDoc``.

    Args:
        state: names as in ``GPT2LMHeadModel.state_dict()``.
        rows: ``(fairseq dictionary,)``, see the top of this file.
    """
    converted = {
        ours: state[theirs].t().contiguous() if transposed else state[theirs]
        for ours, theirs, transposed in _names(_num_layers(state, "transformer.h."))
    }
    embeddings = state["transformer.wte.weight"]
    embeddings = embeddings if rows is None else embeddings[rows]
    converted["decoder.embed_tokens.weight"] = embeddings
    converted["decoder.output_projection.weight"] = embeddings
    return converted


def to_huggingface(state: dict[str, Tensor], rows: Tensor | None = None) -> dict[str, Tensor]:
    """State dict of a ``GPTDoc`` to one of ``GPT2LMHeadModel``.

    Args:
        state: names as in ``GPTDoc.state_dict()``.
        rows: ``(fairseq dictionary,)``, a permutation, see the top of this file.

    Raises:
        ValueError: ``rows`` is not a permutation, so some Hugging Face row would stay empty.
    """
    converted = {
        theirs: state[ours].t().contiguous() if transposed else state[ours]
        for ours, theirs, transposed in _names(_num_layers(state, "decoder.blocks."))
    }
    embeddings = state["decoder.embed_tokens.weight"]
    if rows is not None:
        order = rows.argsort()
        if not rows[order].equal(order.sort().values):
            raise ValueError("rows must name every row of the Hugging Face vocabulary once")
        embeddings = embeddings[order]
    converted["transformer.wte.weight"] = embeddings
    converted["lm_head.weight"] = embeddings
    return converted
