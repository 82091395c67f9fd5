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

from fairseq_genext.errors import UsageError, flag, reason
from fairseq_genext.evaluation import command
from fairseq_genext.files import read_json, read_lines, write_lines, write_whole
from fairseq_genext.models.gpt_doc import GPTDocConfig
from fairseq_genext.patches.checkpoints import architecture
from fairseq_genext.patches.gpt2_bpe import ADDED
from fairseq_genext.tasks.unconditional_generation import UnconditionalGenerationConfig
from fairseq_genext.weights import checkpoint
from fairseq_genext.weights.adapters import without_adapters
from fairseq_genext.weights.gpt2 import from_huggingface, to_huggingface
from fairseq_genext.weights.gpt2_folder import (
    ACTIVATIONS,
    END,
    SAME,
    SIZES,
    end_of_text,
    read_config,
    read_tokenizer,
    read_weights,
    safetensors_package,
)

logger = logging.getLogger(__name__)

DROPOUTS = ("resid_pdrop", "embd_pdrop", "attn_pdrop")
# Flags of gpt_doc that GPT-2 has too, or that change no logit.
TAKEN = {
    "_name",
    *(name for name, _ in SIZES.values()), "decoder_ffn_embed_dim", "dropout", "words_only",
    "untie_embeddings", "checkpoint_activations", "compile",
    "lora_alpha",
}  # fmt: skip
KEPT = (
    "config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json",
    "special_tokens_map.json", ADDED,
)  # fmt: skip


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
        vocabulary, merges, added = read_tokenizer(folder, config["vocab_size"])
        end = end_of_text(config, vocabulary, folder)
    with _whole_folder(output) as part:
        target = Path(output).absolute()
        for name in KEPT:
            if name != ADDED and (folder / name).exists():
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
            # The end of a text is no part of one: <|endoftext|> in it is cut as other words.
            if added := {token: number for token, number in added.items() if number != end}:
                write_whole(part / ADDED, json.dumps(added))
            encoding = gpt2_encoding(target)
        sizes = {size: config[name] for name, (size, _) in SIZES.items()}
        untied = {"untie_embeddings": True} if "lm_head.weight" in weights else {}
        model_settings = GPTDocConfig(
            _name="gpt_doc",
            decoder_ffn_embed_dim=config.get("n_inner") or 0,
            dropout=config["resid_pdrop"],
            activation_fn=ACTIVATIONS[config["activation_function"]],
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
        known = value == default or (name == "activation_fn" and value in ACTIVATIONS.values())
        if name not in TAKEN and not known:
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
    safetensors = safetensors_package()
    state = checkpoint.read(path)
    if (held := architecture(state["cfg"])) != "gpt_doc":
        raise UsageError(f"{path} holds {held}; gpt_doc alone is converted")
    state = without_adapters(state)
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
    if rows is None and model.get("words_only", False):
        raise UsageError(f"{path} has --words-only, and {data}/dict.txt not GPT-2's ids")
    weights = to_huggingface(state["model"], rows)
    tied = torch.equal(weights["lm_head.weight"], weights["transformer.wte.weight"])
    if tied and not model.get("untie_embeddings", False):
        del weights["lm_head.weight"]
    end = int(rows[task.source_dictionary.eos()]) if rows is not None else 2
    config = read_json(folder / "config.json") if (folder / "config.json").exists() else {}
    ffn = model.decoder_ffn_embed_dim or 4 * model.decoder_embed_dim
    config.pop("dtype", None)  # a newer name of torch_dtype
    if ACTIVATIONS.get(config.get("activation_function")) != model.activation_fn:
        names = [name for name, ours in ACTIVATIONS.items() if ours == model.activation_fn]
        config["activation_function"] = names[0]
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
    parser = command.parser("python -m fairseq_genext.weights.huggingface", __doc__)
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
