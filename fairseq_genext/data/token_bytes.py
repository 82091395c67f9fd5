"""How many bytes of text a token stands for, read off a dictionary: losses in bits per byte.

Two kinds of dictionaries say so: sentencepieces, in which U+2581 is a blank (``<0x0A>`` is one
byte), and single characters. An end of sentence is a line's end, one byte. Words of other kinds do
not: whatever cut or numbered them, the text cannot be known from them.
"""

import re

import torch
from fairseq.data import Dictionary
from torch import Tensor

from fairseq_genext.modules.words_only import made_up_words

BLANK = "\u2581"
BYTE = re.compile(r"<0x[0-9A-Fa-f]{2}>")
LINES_READ = 1000  # which tell whether sentencepiece has put a blank in front of every line


class TokenBytes:
    """The bytes of texts of one dictionary.

    Args:
        dictionary: of pieces or characters.
        blank_in_front: whether lines begin with a blank that the text does not have, as
            sentencepiece's do.
    """

    def __init__(self, dictionary: Dictionary, blank_in_front: bool) -> None:
        self.pad, self.eos, self.unk = dictionary.pad(), dictionary.eos(), dictionary.unk()
        words = [dictionary[i] for i in range(len(dictionary))]
        sizes = [1 if BYTE.fullmatch(x) else len(x.replace(BLANK, " ").encode()) for x in words]
        self.sizes = torch.tensor(sizes)  # (vocabulary,)
        self.sizes[: dictionary.nspecial] = 0
        self.sizes[self.eos] = 1
        opening = [blank_in_front and word.startswith(BLANK) for word in words]
        self.opening = torch.tensor(opening).long()

    def count(self, previous: Tensor, target: Tensor) -> Tensor:
        """The bytes of all targets, NaN if one is unknown.

        Args:
            previous: ``(batch, time)``, the token before each target.
            target: ``(batch, time)``; padding counts nothing.

        Returns:
            ``()``, float64.
        """
        if self.sizes.device != target.device:
            self.sizes, self.opening = (x.to(target.device) for x in (self.sizes, self.opening))
        # A blank in front of a line is not in the text.
        sizes = self.sizes[target] - self.opening[target] * previous.eq(self.eos)
        nothing = target.new_tensor(torch.nan, dtype=torch.float64)
        return torch.where(target.eq(self.unk).any(), nothing, sizes.sum().double())


def token_bytes(dictionary: Dictionary, dataset) -> TokenBytes | None:
    """The bytes of a language model's texts, None where its dictionary does not tell them.

    Args:
        dictionary: of the texts.
        dataset: items with ``source`` and ``target``, read to see how lines begin.
    """
    filler = {dictionary[index] for index in made_up_words(dictionary)}
    words = [x for x in dictionary.symbols[dictionary.nspecial :] if x not in filler]
    if not any(BLANK in word for word in words) and any(len(word) > 1 for word in words):
        return None
    begins = [
        token
        for item in map(dataset.__getitem__, range(min(len(dataset), LINES_READ)))
        for token in item["target"][item["source"].eq(dictionary.eos())].tolist()
        if token != dictionary.eos()
    ]
    in_front = all(dictionary[token].startswith(BLANK) for token in begins)
    return TokenBytes(dictionary, blank_in_front=bool(begins) and in_front)
