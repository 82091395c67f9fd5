"""Reads a folder of a GPT-2 as Hugging Face's `transformers` writes it."""

import logging
from pathlib import Path

from torch import Tensor

from fairseq_genext.errors import UsageError, reason, some
from fairseq_genext.files import read_json, read_lines
from fairseq_genext.patches.gpt2_bpe import ADDED
from fairseq_genext.weights.gpt2 import names

logger = logging.getLogger(__name__)

# activation_function in config.json, and what --activation-fn of gpt_doc calls it. Of several names
# of one function `to` writes the first.
ACTIVATIONS = {
    "gelu_new": "gelu", "gelu_pytorch_tanh": "gelu", "gelu_fast": "gelu", "gelu_accurate": "gelu",
    "gelu": "gelu_exact", "gelu_python": "gelu_exact", "relu2": "relu2",
}  # fmt: skip
# Entries of config.json, and the values that gpt_doc has; the first is the default.
SAME = {
    "activation_function": tuple(ACTIVATIONS),
    "layer_norm_epsilon": (1e-5,),
    "scale_attn_weights": (True,),
    "scale_attn_by_inverse_layer_idx": (False,),
    "add_cross_attention": (False,),
}
# Sizes in config.json, the flag of gpt_doc and Hugging Face's default.
SIZES = {
    "n_layer": ("decoder_layers", 12),
    "n_embd": ("decoder_embed_dim", 768),
    "n_head": ("decoder_attention_heads", 12),
    "n_positions": ("max_target_positions", 1024),
}
END = "<|endoftext|>"


def safetensors_package():
    """The package ``safetensors.torch``, which is optional."""
    try:
        import safetensors.torch
    except ImportError:
        raise UsageError(
            "Hugging Face's weights need the package safetensors: pip install safetensors"
        ) from None
    return safetensors.torch


def read_config(folder: Path) -> dict:
    """config.json of a GPT-2 that gpt_doc can be, with the sizes that it leaves to defaults.

    Raises:
        UsageError: it is missing or another model's, or has a part that gpt_doc lacks.
    """
    path = folder / "config.json"
    config = read_json(path)
    if config.get("model_type") != "gpt2":
        raise UsageError(
            f"{path} is of a model of type {config.get('model_type')!r}; gpt2 alone is converted"
        )
    for name, known in SAME.items():
        if config.setdefault(name, known[0]) not in known:
            raise UsageError(
                f"{path}: {name} is {config[name]!r}; gpt_doc has {' or '.join(map(repr, known))}"
            )
    sizes = {name: default for name, (_, default) in SIZES.items()} | {"vocab_size": 50257}
    for name, default in sizes.items():
        size = config.setdefault(name, default)
        if not isinstance(size, int) or size <= 0:
            raise UsageError(f"{path}: {name} is {size!r}; it must be a positive number")
    if not isinstance(config.setdefault("resid_pdrop", 0.1), (int, float)):
        raise UsageError(f"{path}: resid_pdrop is {config['resid_pdrop']!r}; it must be a number")
    if config.get("n_inner") is not None and not isinstance(config["n_inner"], int):
        raise UsageError(f"{path}: n_inner is {config['n_inner']!r}; it must be a number")
    return config


def read_weights(folder: Path, config: dict) -> dict[str, Tensor]:
    """Weights of model.safetensors or its shards, named as in a ``GPT2LMHeadModel``.

    Raises:
        UsageError: a file is missing or damaged, or the weights are not those of config.json.
    """
    index, single = folder / "model.safetensors.index.json", folder / "model.safetensors"
    if not single.exists() and not index.exists():
        raise UsageError(
            f"{folder} has no model.safetensors: save the model with transformers' save_pretrained"
        )
    files = [single]
    if not single.exists():
        shards = read_json(index, weight_map=dict)["weight_map"]
        files = sorted({folder / str(name) for name in shards.values()})
    held: dict[str, Tensor] = {}
    for file in files:
        if not file.is_file():
            raise UsageError(f"{file} does not exist")
        try:
            held |= safetensors_package().load_file(file)
        except Exception as error:  # safetensors has its own, without a common base
            raise UsageError(f"{file} is damaged or no safetensors file: {reason(error)}") from None
    # OpenAI's own files have no prefix, and the causal mask among the weights.
    held = {
        name if name.startswith(("transformer.", "lm_head.")) else f"transformer.{name}": tensor
        for name, tensor in held.items()
        if not name.endswith((".attn.bias", ".attn.masked_bias"))
    }
    output = held.pop("lm_head.weight", None)
    if not config.get("tie_word_embeddings", True):
        if output is None:
            raise UsageError(
                f"{folder}: lm_head.weight is missing, and the embeddings are not tied"
            )
        held["lm_head.weight"] = output
    wanted = {theirs for _, theirs, _ in names(config["n_layer"])} | {"transformer.wte.weight"}
    told = []
    if lacks := sorted(wanted - held.keys()):
        told.append(f"lack {some(lacks)}")
    if extra := sorted(held.keys() - wanted - {"lm_head.weight"}):
        told.append(f"have {some(extra)}")
    if told:
        raise UsageError(f"the weights in {folder} are not GPT-2's: they {' and '.join(told)}")
    for name in {"transformer.wte.weight", "lm_head.weight"} & held.keys():
        if held[name].shape != (shape := (config["vocab_size"], config["n_embd"])):
            raise UsageError(
                f"{folder}: {name} is of shape {tuple(held[name].shape)}; config.json says {shape}"
            )
    if ruined := [name for name, x in held.items() if not x.float().isfinite().all()]:
        raise UsageError(f"weights in {folder} are no finite numbers: {some(ruined)}")
    return held


def require_byte_level(path: Path, described: dict) -> None:
    """Warns of a tokenizer.json that puts a blank before a text.

    Raises:
        UsageError: it cuts text otherwise than GPT-2's encoding.
    """
    model, cut = described["model"], described.get("pre_tokenizer") or {}
    if model.get("type") != "BPE" or cut.get("type") != "ByteLevel":
        raise UsageError(
            f"{path} is of another kind ({model.get('type')}, {cut.get('type')}); GPT-2's "
            "byte-pair encoding (BPE, ByteLevel) alone is converted"
        )
    others = {
        "normalizer": described.get("normalizer"),
        "use_regex": not cut.get("use_regex", True),
        **{name: model.get(name) for name in ("ignore_merges", "dropout", "end_of_word_suffix")},
    }
    if differ := [name for name, value in others.items() if value]:
        raise UsageError(f"{path} has another {some(differ)} than GPT-2's byte-pair encoding")
    if cut.get("add_prefix_space"):
        logger.warning(f"{path} puts a blank before a text, and fairseq does not: put it there")


def read_tokenizer(folder: Path, entries: int) -> tuple[dict[str, int], list[str], dict[str, int]]:
    """Tokens with their ids, merges, and those tokens that are found before any byte is merged.

    Args:
        folder: of vocab.json and merges.txt, or of tokenizer.json.
        entries: rows of the embeddings.

    Raises:
        UsageError: there is none, or another kind of tokenizer.
    """
    path, described = folder / "tokenizer.json", {}
    if path.exists():
        described = read_json(path, model=dict)
        require_byte_level(path, described)
    try:
        added = {token["content"]: token["id"] for token in described.get("added_tokens", [])}
        if (folder / "vocab.json").exists() and (folder / "merges.txt").exists():
            path = folder / "vocab.json"
            vocabulary, merges = read_json(path), read_lines(folder / "merges.txt", at_least=0)
            if merges and merges[0].startswith("#version"):
                del merges[0]
        elif described:
            vocabulary = dict(described["model"]["vocab"])
            merges = [
                pair if isinstance(pair, str) else " ".join(pair)
                for pair in described["model"]["merges"]
            ]
        else:
            other = sorted(file.name for file in folder.glob("*.model"))
            raise UsageError(
                f"{folder} has no vocab.json with merges.txt and no tokenizer.json"
                + f"; {some(other)} is no tokenizer of GPT-2's" * bool(other)
            )
    except (KeyError, TypeError, ValueError) as error:
        raise UsageError(f"{path} is not as tokenizers writes it: {reason(error)}") from None
    if (folder / ADDED).exists():
        added |= read_json(folder / ADDED)
    beyond = [t for t, number in added.items() if isinstance(number, int) and number >= entries]
    if beyond:
        logger.warning(f"{folder} has no weights for its added tokens {some(beyond)}: left out")
    added = {token: number for token, number in added.items() if token not in beyond}
    vocabulary = {**vocabulary, **added}
    ids = set()
    for token, number in vocabulary.items():
        if not isinstance(number, int) or not 0 <= number < entries or number in ids:
            raise UsageError(
                f"{path}: {token!r} has the id {number!r}; each must be another, from 0 to "
                f"{entries - 1}, as config.json has {entries} words"
            )
        ids.add(number)
    merges = [pair for pair in merges if pair]
    for pair in merges:
        parts = pair.split(" ")
        if len(parts) != 2 or "".join(parts) not in vocabulary:
            raise UsageError(f"{path}: {pair!r} is no merge of two tokens to a third")
    return vocabulary, merges, added


def end_of_text(config: dict, vocabulary: dict[str, int], folder: Path) -> int:
    """The id of the token that ends a text.

    Raises:
        UsageError: there is none.
    """
    end = config.get("eos_token_id", 50256)
    if isinstance(end, int) and 0 <= end < config["vocab_size"]:
        begin = config.get("bos_token_id", end)
        if begin != end and isinstance(begin, int) and 0 <= begin < config["vocab_size"]:
            logger.warning(
                f"{folder}/config.json: texts begin with the id {begin} and end with {end}; in "
                f"fairseq they begin with {end} too"
            )
        return end
    if END in vocabulary:
        return vocabulary[END]
    raise UsageError(
        f"{folder}/config.json: eos_token_id is {end!r}; it must be one id of its "
        f"{config['vocab_size']} words"
    )
