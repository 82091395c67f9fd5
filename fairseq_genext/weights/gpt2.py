"""Weights of `gpt_doc` from and to Hugging Face's GPT-2, with equal logits.

Both sides are state dicts; neither function needs the `transformers` package. Hugging Face stores
its projections as (input, output), torch as (output, input), so those are transposed.

The two vocabularies number their words differently. ``rows[i]`` is the row of the Hugging Face
embedding that belongs to entry i of the fairseq dictionary, and -1 where it has none; without
``rows`` the order is the same.
"""

import torch
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
EMBEDDINGS = {
    "decoder.embed_tokens.weight": "transformer.wte.weight",
    "decoder.output_projection.weight": "lm_head.weight",
}


def names(num_layers: int):
    """Yields (our name, their name, transposed) for all but the word embeddings."""
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

    An entry that Hugging Face lacks gets the mean of all rows. Its logit is then the mean of the
    others, so that it is never the likeliest (Jensen's inequality) and seldom likely at all.

    Args:
        state: names as in ``GPT2LMHeadModel.state_dict()``. Without ``lm_head.weight`` the output
            embeddings are those of the input.
        rows: ``(fairseq dictionary,)``, see the top of this file.
    """
    converted = {
        ours: state[theirs].transpose(0, -1).contiguous() if transposed else state[theirs]
        for ours, theirs, transposed in names(_num_layers(state, "transformer.h."))
    }
    tied = state["transformer.wte.weight"]
    for ours, theirs in EMBEDDINGS.items():
        embeddings = state.get(theirs, tied)
        if rows is not None:
            mean = embeddings.double().mean(dim=0, keepdim=True).to(embeddings.dtype)
            embeddings = torch.cat([embeddings, mean])[rows]
        converted[ours] = embeddings
    return converted


def to_huggingface(state: dict[str, Tensor], rows: Tensor | None = None) -> dict[str, Tensor]:
    """State dict of a ``GPTDoc`` to one of ``GPT2LMHeadModel``.

    Args:
        state: names as in ``GPTDoc.state_dict()``.
        rows: ``(fairseq dictionary,)``, see the top of this file.

    Raises:
        ValueError: some Hugging Face row would stay empty, or would be two.
    """
    converted = {
        theirs: state[ours].t().contiguous() if transposed else state[ours]
        for ours, theirs, transposed in names(_num_layers(state, "decoder.blocks."))
    }
    for ours, theirs in EMBEDDINGS.items():
        embeddings = state[ours]
        if rows is not None:
            held = rows.ge(0).nonzero().squeeze(1)
            order = held[rows[held].argsort()]
            if not rows[order].equal(torch.arange(len(held))):
                raise ValueError("rows must name every row of the Hugging Face vocabulary once")
            embeddings = embeddings[order]
        converted[theirs] = embeddings
    return converted
