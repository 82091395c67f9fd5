"""Bytes of tokens against those of the files that they were cut from."""

import pytest
import torch
from fairseq.data import Dictionary, MonolingualDataset, TokenBlockDataset

from fairseq_genext.data import pieces
from fairseq_genext.data.token_bytes import token_bytes

TEXT = ["the king saw a stone", "", " she  gave bread", "größer als 日本", "end"]


def dataset(words, lines, break_mode, block):
    ids = [words.encode_line(line, line_tokenizer=str.split).long() for line in lines]
    blocks = TokenBlockDataset(
        ids, [len(x) for x in ids], block, words.pad(), words.eos(), break_mode,
        include_targets=True,
    )  # fmt: skip
    return MonolingualDataset(blocks, blocks.sizes, words, targets=["future"])


def dictionary_of(lines):
    words = Dictionary()
    for line in lines:
        for word in line.split():
            words.add_symbol(word)
    return words


def pieces_of(text, folder):
    (folder / "text").write_text("".join(f"{line}\n" for line in text))
    pieces.train(str(folder / "p"), [str(folder / "text")], 28)
    return [" ".join(x) for x in pieces.load(folder / "p.model").encode(text, out_type=str)]


def characters_of(text, folder):
    return [" ".join(line.replace(" ", "\u2581")) for line in text]


@pytest.mark.parametrize(("break_mode", "block"), [("eos", None), ("none", 7)])
@pytest.mark.parametrize("cut", [pieces_of, characters_of])
def test_bytes_of_the_file(tmp_path, cut, break_mode, block):
    text = TEXT * 4
    lines = cut(text, tmp_path)
    words = dictionary_of(lines)
    words.pad_to_multiple_(8)
    items = dataset(words, lines, break_mode, block)
    counter = token_bytes(words, items)
    batch = items.collater([items[i] for i in range(len(items))])
    counted = counter.count(batch["net_input"]["src_tokens"], batch["target"])
    assert counted == len("".join(f"{line}\n" for line in text).encode())


def test_a_blank_that_is_in_the_text_counts():
    """All lines of these characters but one begin with a blank."""
    lines = [*["\u2581 a"] * 20, "a"]
    words = dictionary_of(lines)
    items = dataset(words, lines, "eos", None)
    batch = items.collater([items[0]])
    assert token_bytes(words, items).count(batch["net_input"]["src_tokens"], batch["target"]) == 3


def test_one_byte_by_its_number():
    words = dictionary_of(["\u2581a <0xE6> <sep>"])
    target = words.encode_line("\u2581a <0xE6> <sep>", line_tokenizer=str.split).long()[None]
    previous = target.roll(1)
    items = [{"source": previous[0], "target": target[0]}]
    assert token_bytes(words, items).count(previous, target) == 1 + 1 + len("<sep>") + 1


def test_an_unknown_word_has_no_bytes():
    words = dictionary_of(["\u2581a b"])
    target = torch.tensor([[words.unk(), words.eos()]])
    items = [{"source": target[0].roll(1), "target": target[0]}]
    assert token_bytes(words, items).count(target.roll(1), target).isnan()


@pytest.mark.parametrize("word", ["king", "15496", "k@@"])
def test_other_words_do_not_say(word):
    words = dictionary_of([f"a {word}"])
    assert token_bytes(words, dataset(words, [f"a {word}"], "eos", None)) is None
