"""``--bpe gpt2``: its files and what it cannot write or read are said in one line."""

import os

from fairseq.data.encoders.gpt2_bpe import DEFAULT_ENCODER_JSON, DEFAULT_VOCAB_BPE, GPT2BPE

from fairseq_genext.errors import UsageError, flag
from fairseq_genext.patches.patch import patch

DEFAULTS = {"gpt2_encoder_json": DEFAULT_ENCODER_JSON, "gpt2_vocab_bpe": DEFAULT_VOCAB_BPE}


@patch(GPT2BPE, "__init__")
def read_encoding(init, self, cfg) -> None:
    """A missing file is taken for an address on the network, and ends in a traceback.

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


@patch(GPT2BPE, "encode")
def encode_known_bytes(encode, self, text: str) -> str:
    """An encoding of one's own may lack some of the 256 bytes, which ends in a ``KeyError``.

    Raises:
        UsageError: a text has one of them.
    """
    try:
        return encode(self, text)
    except KeyError as error:
        raise UsageError(
            f"--gpt2-encoder-json has no token {error} to write the text {text[:40]!r} with"
        ) from None


@patch(GPT2BPE, "decode")
def decode_around_ends(decode, self, ids: str) -> str:
    """What is no id, such as ``</s>`` within a document, ends in a traceback; it stays as it is."""
    parts, words = [], ids.split()
    while words:
        number = next((i for i, word in enumerate(words) if not word.isdigit()), len(words))
        known = [word for word in words[:number] if int(word) in self.bpe.decoder]
        parts += [decode(self, " ".join(known)), *words[number : number + 1]]
        words = words[number + 1 :]
    return "".join(parts)
