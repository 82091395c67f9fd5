"""Converts a GPT-2 of Hugging Face's to a fairseq checkpoint, and a gpt_doc back.

    python -m fairseq_genext.weights.huggingface from GPT2 FOLDER
    python -m fairseq_genext.weights.huggingface encode FOLDER TEXT …
    python -m fairseq_genext.weights.huggingface to CHECKPOINT GPT2 [--data FOLDER]

GPT2 is a folder that `transformers` loads: config.json, model.safetensors (or its shards), and
vocab.json with merges.txt, or tokenizer.json. FOLDER gets

    model.pt                  the checkpoint, which from_pretrained and every command load
    dict.txt                  GPT-2's ids as words, without that of its end of text
    encoder.json, vocab.bpe   its byte-pair encoding, for ``--bpe gpt2``
    config.json, …            what `to` gives back as it was

GPT-2's end of text <|endoftext|>, which also begins a text, is fairseq's </s>. It has no <s>, <pad>
and <unk>: the checkpoint has ``--words-only``, which gives them the probability 0.

`encode` writes TEXT.ids, the lines of a text as ids, which fairseq-preprocess reads.

A gpt_doc with another dictionary has no tokenizer there: its ids are the entries of dict.txt,
which is written with it and read by `from`.
"""

import argparse
import json
import logging
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from fairseq import checkpoint_utils, tasks
from fairseq.data import Dictionary
from fairseq.data.encoders.gpt2_bpe import GPT2BPE, GPT2BPEConfig
from fairseq.dataclass.configs import FairseqConfig
from omegaconf import OmegaConf
from torch import Tensor

from fairseq_genext.errors import UsageError, flag, reason, some
from fairseq_genext.files import read_json, read_lines, write_lines, write_whole
from fairseq_genext.models.gpt_doc import GPTDocConfig
from fairseq_genext.patches.checkpoints import architecture
from fairseq_genext.tasks.unconditional_generation import UnconditionalGenerationConfig
from fairseq_genext.weights import checkpoint
from fairseq_genext.weights.gpt2 import from_huggingface, names, to_huggingface

logger = logging.getLogger(__name__)

FORMAT = "%(asctime)s | %(levelname)s | %(name)s | %(message)s"  # fairseq's

# Entries of config.json, and the values that gpt_doc has; the first is the default.
SAME = {
    "activation_function": ("gelu_new", "gelu_pytorch_tanh"),  # two names of one function
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
DROPOUTS = ("resid_pdrop", "embd_pdrop", "attn_pdrop")
# Flags of gpt_doc that GPT-2 has too, or that change no logit.
TAKEN = {
    "_name",
    *(name for name, _ in SIZES.values()), "decoder_ffn_embed_dim", "dropout", "words_only",
    "untie_embeddings", "checkpoint_activations", "compile",
}  # fmt: skip
KEPT = (
    "config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json",
    "special_tokens_map.json", "added_tokens.json",
)  # fmt: skip
END = "<|endoftext|>"


def _safetensors():
    """The package ``safetensors.torch``, which is optional."""
    try:
        import safetensors.torch
    except ImportError:
        raise UsageError(
            "Hugging Face's weights need the package safetensors: pip install safetensors"
        ) from None
    return safetensors.torch


@contextmanager
def _whole_folder(path: str) -> Iterator[Path]:
    """A folder to fill, which gets its name once that is done.

    Raises:
        UsageError: there is something of that name, or it cannot be written.
    """
    target = Path(path).absolute()
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise UsageError(f"{path} exists already: name a new folder")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{target.name}.", dir=target.parent) as part:
            filled = Path(part) / target.name
            filled.mkdir()
            yield filled
            os.replace(filled, target)
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror or error}") from None


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
        if config.get(name, known[0]) not in known:
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
            held |= _safetensors().load_file(file)
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


def read_tokenizer(folder: Path, entries: int) -> tuple[dict[str, int], list[str]]:
    """Tokens with their ids, and merges, of GPT-2's byte-pair encoding.

    Args:
        folder: of vocab.json and merges.txt, or of tokenizer.json.
        entries: rows of the embeddings.

    Raises:
        UsageError: there is none, or another kind of tokenizer.
    """
    added = {}
    path = folder / "vocab.json"
    if path.exists() and (folder / "merges.txt").exists():
        vocabulary, merges = read_json(path), read_lines(folder / "merges.txt", at_least=0)
        if merges and merges[0].startswith("#version"):
            del merges[0]
        if (folder / "added_tokens.json").exists():
            added = read_json(folder / "added_tokens.json")
    elif (folder / "tokenizer.json").exists():
        path = folder / "tokenizer.json"
        described = read_json(path, model=dict)
        model, cut = described["model"], described.get("pre_tokenizer") or {}
        if model.get("type") != "BPE" or cut.get("type") != "ByteLevel":
            raise UsageError(
                f"{path} is of another kind ({model.get('type')}, {cut.get('type')}); GPT-2's "
                "byte-pair encoding (BPE, ByteLevel) alone is converted"
            )
        if cut.get("add_prefix_space"):
            logger.warning(f"{path} puts a blank before a text, and fairseq does not: put it there")
        try:
            vocabulary = dict(model["vocab"])
            merges = [pair if isinstance(pair, str) else " ".join(pair) for pair in model["merges"]]
            added = {token["content"]: token["id"] for token in described.get("added_tokens", [])}
        except (KeyError, TypeError, ValueError) as error:
            raise UsageError(f"{path} is not as tokenizers writes it: {reason(error)}") from None
    else:
        other = sorted(file.name for file in folder.glob("*.model"))
        raise UsageError(
            f"{folder} has no vocab.json with merges.txt and no tokenizer.json"
            + f"; {some(other)} is no tokenizer of GPT-2's" * bool(other)
        )
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
    return vocabulary, merges


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


def gpt2_rows(dictionary: Dictionary) -> Tensor | None:
    """Rows of GPT-2's embeddings by entry, -1 without; None if the words are not GPT-2's ids."""
    words = dictionary.symbols[dictionary.nspecial :]
    known = {str(number): number for number in range(len(words) + 1)}
    absent = known.keys() - words
    if len(absent) != 1 or len(set(words)) != len(words):
        return None
    rows = torch.full((len(dictionary),), -1)
    rows[dictionary.nspecial :] = torch.tensor([known[word] for word in words], dtype=torch.long)
    rows[dictionary.eos()] = known[absent.pop()]
    return rows


def convert_from(source: str, output: str) -> None:
    """Writes the fairseq folder ``output`` of a Hugging Face folder.

    Raises:
        UsageError: the model is no GPT-2 or has a part that gpt_doc lacks, a file is missing or
            damaged, or ``output`` exists.
    """
    folder = Path(source)
    config = read_config(folder)
    weights = read_weights(folder, config)
    own_words = (folder / "dict.txt").exists()
    if not own_words:
        vocabulary, merges = read_tokenizer(folder, config["vocab_size"])
        end = end_of_text(config, vocabulary, folder)
    with _whole_folder(output) as part:
        target = Path(output).absolute()
        for name in KEPT:
            if (folder / name).exists():
                shutil.copyfile(folder / name, part / name)
        encoding = None
        if own_words:
            shutil.copyfile(folder / "dict.txt", part / "dict.txt")
        else:
            words = (str(number) for number in range(config["vocab_size"]) if number != end)
            write_lines(part / "dict.txt", (f"{word} 1" for word in words))
            # fairseq reads the first in the locale's encoding, so it is ASCII.
            write_whole(part / "encoder.json", json.dumps(vocabulary))
            write_lines(part / "vocab.bpe", ["#version: 0.2", *merges])
            encoding = gpt2_encoding(target)
        sizes = {size: config[name] for name, (size, _) in SIZES.items()}
        untied = {"untie_embeddings": True} if "lm_head.weight" in weights else {}
        model_settings = GPTDocConfig(
            _name="gpt_doc",
            decoder_ffn_embed_dim=config.get("n_inner") or 0,
            dropout=config["resid_pdrop"],
            words_only=not own_words,
            **sizes,
            **untied,
        )
        task_settings = UnconditionalGenerationConfig(
            _name="unconditional_generation",
            data=str(part),
            tokens_per_sample=config["n_positions"],
        )
        cfg = OmegaConf.structured(FairseqConfig)
        cfg.model, cfg.task = map(OmegaConf.structured, (model_settings, task_settings))
        if encoding is not None:
            cfg.bpe = OmegaConf.structured(encoding)
        task = tasks.setup_task(cfg.task)
        rows = gpt2_rows(task.source_dictionary)
        model = task.build_model(cfg.model)
        state = from_huggingface(weights, None if own_words else rows)
        try:
            model.load_state_dict(state)
        except ValueError as error:
            raise UsageError(f"{folder}: the weights do not fit config.json: {error}") from None
        cfg.task.data = str(target)
        checkpoint.write(
            part / "model.pt",
            {
                "args": None,
                "cfg": cfg,
                "model": state,
                "criterion": None,
                "optimizer_history": [
                    {
                        "criterion_name": "",
                        "optimizer_name": "",
                        "lr_scheduler_state": {},
                        "num_updates": 0,
                    }
                ],
                "task_state": task.state_dict(),
                "extra_state": {
                    "train_iterator": {"epoch": 1, "iterations_in_epoch": 0},
                    "previous_training_time": 0,
                },
            },
        )
    print(f"{output}/model.pt is written", end="")
    if encoding is not None:
        print(
            f"; its text: --bpe gpt2 --gpt2-encoder-json {output}/encoder.json --gpt2-vocab-bpe "
            f"{output}/vocab.bpe",
            end="",
        )
    print()


def require_gpt2(path: str, model) -> None:
    """Raises UsageError unless a gpt_doc's flags are those of a GPT-2."""
    for name, default in vars(GPTDocConfig()).items():
        value = model.get(name, default)
        if name not in TAKEN and value != default:
            raise UsageError(f"{path} has {flag(name)} {value}, which GPT-2 has not")


def convert_to(path: str, output: str, data: str | None = None) -> None:
    """Writes the Hugging Face folder ``output`` of a gpt_doc.

    Args:
        path: the checkpoint.
        output: the folder.
        data: folder of dict.txt and, where there are, encoder.json and vocab.bpe; by default that
            of the checkpoint if it has a dict.txt, else the one that it was trained on.

    Raises:
        UsageError: the checkpoint is none of a gpt_doc that GPT-2 can be, a file is missing, or
            ``output`` exists.
    """
    safetensors = _safetensors()
    state = checkpoint.read(path)
    if (held := architecture(state["cfg"])) != "gpt_doc":
        raise UsageError(f"{path} holds {held}; gpt_doc alone is converted")
    model = state["cfg"].model
    require_gpt2(path, model)
    if data is None:
        near = Path(path).parent
        data = str(near) if (near / "dict.txt").exists() else state["cfg"].task.data
    folder = Path(data)
    if not (folder / "dict.txt").exists():
        raise UsageError(f"{folder}/dict.txt does not exist: name its folder by --data")
    state["cfg"].task.data = data
    _, _, task = checkpoint_utils.load_model_ensemble_and_task([path], state=state)
    rows = gpt2_rows(task.source_dictionary)
    weights = to_huggingface(state["model"], rows)
    tied = torch.equal(weights["lm_head.weight"], weights["transformer.wte.weight"])
    if tied and not model.get("untie_embeddings", False):
        del weights["lm_head.weight"]
    end = int(rows[task.source_dictionary.eos()]) if rows is not None else 2
    config = read_json(folder / "config.json") if (folder / "config.json").exists() else {}
    ffn = model.decoder_ffn_embed_dim or 4 * model.decoder_embed_dim
    config.pop("dtype", None)  # a newer name of torch_dtype
    if config.get("resid_pdrop") != model.dropout:
        config |= dict.fromkeys(DROPOUTS, model.dropout)
    config = {
        **{name: values[0] for name, values in SAME.items()},
        "bos_token_id": end,
        **config,
        **{name: model[size] for name, (size, _) in SIZES.items()},
        "architectures": ["GPT2LMHeadModel"],
        "eos_token_id": end,
        "model_type": "gpt2",
        "n_inner": None if ffn == 4 * model.decoder_embed_dim else ffn,
        "tie_word_embeddings": "lm_head.weight" not in weights,
        "torch_dtype": str(weights["transformer.wte.weight"].dtype).removeprefix("torch."),
        "vocab_size": len(weights["transformer.wte.weight"]),
    }
    with _whole_folder(output) as part:
        for name in KEPT:
            if (folder / name).exists():
                shutil.copyfile(folder / name, part / name)
        write_whole(part / "config.json", json.dumps(config, indent=2) + "\n")
        if not (part / "generation_config.json").exists():
            ends = {"bos_token_id": config["bos_token_id"], "eos_token_id": end}
            write_whole(part / "generation_config.json", json.dumps(ends, indent=2) + "\n")
        weights = {name: weight.contiguous() for name, weight in weights.items()}
        try:
            safetensors.save_file(weights, part / "model.safetensors", metadata={"format": "pt"})
        except Exception as error:  # safetensors has its own, without a common base
            raise UsageError(f"{output} cannot be written: {reason(error)}") from None
        shutil.copymode(part / "config.json", part / "model.safetensors")
        if rows is None:
            shutil.copyfile(folder / "dict.txt", part / "dict.txt")
            why = f"the words of {folder}/dict.txt are not GPT-2's ids"
        elif not (folder / "encoder.json").exists() or not (folder / "vocab.bpe").exists():
            why = f"{folder} has no encoder.json and vocab.bpe: name the folder that has by --data"
        else:
            why = None
            write_tokenizer(folder, part, end)
        if why is not None:
            logger.warning(f"{output} has no tokenizer: {why}")


def gpt2_encoding(folder: Path) -> GPT2BPEConfig:
    """Flags of ``--bpe gpt2`` with the files of a folder."""
    return GPT2BPEConfig(
        _name="gpt2",
        gpt2_encoder_json=str(folder / "encoder.json"),
        gpt2_vocab_bpe=str(folder / "vocab.bpe"),
    )


def write_tokenizer(folder: Path, part: Path, end: int) -> None:
    """Writes Hugging Face's names of encoder.json and vocab.bpe.

    Args:
        folder: has the two.
        part: to write to.
        end: id of the end of text.
    """
    vocabulary = read_json(folder / "encoder.json")
    shutil.copyfile(folder / "vocab.bpe", part / "merges.txt")
    write_whole(part / "vocab.json", json.dumps(vocabulary, ensure_ascii=False))
    if not (part / "tokenizer_config.json").exists():
        token = next((token for token, number in vocabulary.items() if number == end), END)
        settings = {
            "tokenizer_class": "GPT2Tokenizer",
            **dict.fromkeys(("bos_token", "eos_token", "unk_token"), token),
        }
        write_whole(part / "tokenizer_config.json", json.dumps(settings, indent=2) + "\n")


def encode(folder: str, texts: list[str]) -> None:
    """Writes TEXT.ids of each text: its lines as GPT-2's ids, separated by blanks.

    Raises:
        UsageError: a file is missing, or the encoding lacks a byte of a text.
    """
    encoder = GPT2BPE(gpt2_encoding(Path(folder)))
    for text in texts:
        write_lines(f"{text}.ids", map(encoder.encode, read_lines(text)))


def main() -> None:
    """The command line."""
    logging.basicConfig(format=FORMAT)
    parser = argparse.ArgumentParser(
        prog="python -m fairseq_genext.weights.huggingface",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", required=True)
    taking = commands.add_parser("from", help="Hugging Face's folder to a fairseq folder")
    taking.add_argument("source", metavar="GPT2")
    taking.add_argument("output", metavar="FOLDER")
    giving = commands.add_parser("to", help="a checkpoint to a folder that transformers loads")
    giving.add_argument("checkpoint", metavar="CHECKPOINT")
    giving.add_argument("output", metavar="GPT2")
    giving.add_argument(
        "--data",
        metavar="FOLDER",
        help="of dict.txt, encoder.json and vocab.bpe (default: the checkpoint's, or the data "
        "folder that it was trained on)",
    )
    encoding = commands.add_parser("encode", help="texts to ids, for fairseq-preprocess")
    encoding.add_argument("folder", metavar="FOLDER")
    encoding.add_argument("texts", metavar="TEXT", nargs="+")
    args = parser.parse_args()
    if args.command == "from":
        convert_from(args.source, args.output)
    elif args.command == "to":
        convert_to(args.checkpoint, args.output, args.data)
    else:
        encode(args.folder, args.texts)


if __name__ == "__main__":
    main()
