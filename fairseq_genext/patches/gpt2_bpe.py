"""``--bpe gpt2``: its files and what it cannot write or read are said in one line."""

import os
import re
from pathlib import Path

from fairseq.data.encoders.gpt2_bpe import DEFAULT_ENCODER_JSON, DEFAULT_VOCAB_BPE, GPT2BPE

from fairseq_genext.errors import UsageError, flag
from fairseq_genext.files import read_json
from fairseq_genext.patches.patch import patch

DEFAULTS = {"gpt2_encoder_json": DEFAULT_ENCODER_JSON, "gpt2_vocab_bpe": DEFAULT_VOCAB_BPE}
ADDED = "added_tokens.json"  # Hugging Face's name, which lies by encoder.json


@patch(GPT2BPE, "__init__")
def read_encoding(init, self, cfg) -> None:
    """A missing file is taken for an address on the network, and ends in a traceback.

    Tokens that a model has gained, such as <|user|>, are found in a text before any bytes are
    merged, as `transformers` does.

    Raises:
        UsageError: a file is missing or of another kind.
    """
    paths = {name: getattr(cfg, name) for name in DEFAULTS}
    for name, path in paths.items():
        if path != DEFAULTS[name] and not os.path.isfile(path):
            raise UsageError(f"{flag(name)} {path} does not exist")
    told = " and ".join(f"{flag(name)} {path}" for name, path in paths.items())
    try:
        init(self, cfg)
    except OSError as error:
        raise UsageError(f"{told} cannot be read: {error}") from None
    except (ValueError, AttributeError):
        raise UsageError(f"{told} are not GPT-2's encoder.json and vocab.bpe") from None
    path = Path(paths["gpt2_encoder_json"]).parent / ADDED
    added = read_json(path) if path.is_file() else {}
    self.added = {token: str(number) for token, number in added.items()}
    longest_first = sorted(self.added, key=len, reverse=True)
    self.at_added = re.compile(f"({'|'.join(map(re.escape, longest_first))})")


@patch(GPT2BPE, "encode")
def encode_known_bytes(encode, self, text: str) -> str:
    """An encoding of one's own may lack some of the 256 bytes, which ends in a ``KeyError``.

    Raises:
        UsageError: a text has one of them.
    """
    parts = self.at_added.split(text) if self.added else [text]
    try:
        ids = [self.added.get(part) or encode(self, part) for part in parts]
    except KeyError as error:
        raise UsageError(
            f"--gpt2-encoder-json has no token {error} to write the text {text[:40]!r} with"
        ) from None
    return " ".join(filter(None, ids))


@patch(GPT2BPE, "decode")
def decode_around_ends(decode, self, ids: str) -> str:
    """What is no id, such as ``</s>`` within a document, ends in a traceback; it stays as it is.
    Added tokens are text, and no bytes.
    """
    parts, words = [], ids.split()
    whole = {number: token for token, number in self.added.items()}

    def is_text(word: str) -> bool:
        return word in whole or not word.isdigit()

    while words:
        number = next((i for i, word in enumerate(words) if is_text(word)), len(words))
        known = [word for word in words[:number] if int(word) in self.bpe.decoder]
        parts.append(decode(self, " ".join(known)))
        parts += [whole.get(word, word) for word in words[number : number + 1]]
        words = words[number + 1 :]
    return "".join(parts)
