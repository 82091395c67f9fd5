"""Generated questions, answered once more from their text alone."""

import sys
from collections import Counter, defaultdict
from itertools import islice
from types import SimpleNamespace

import pytest

from fairseq_genext.data import questions
from fairseq_genext.data.questions import generate, read_questions
from fairseq_genext.errors import UsageError

NUMBER = 800


def facts_and_answer(context, question):
    """Which sentences are needed, and what they say, by reading the story backwards."""
    sentences = [sentence.split() for sentence in context.removesuffix(".").split(". ")]
    words = question.removesuffix("?").split()

    def place(who, before):
        for number in reversed(range(before)):
            person, verb, *_, last = sentences[number]
            if person == who and verb == "went":
                return {number}, last
        return None

    def place_of(name):
        for number in reversed(range(len(sentences))):
            person, verb, *_, last = sentences[number]
            if name == last and verb in ("took", "dropped"):
                # Who holds it carries it along; who dropped it left it where he was.
                needed, where = place(person, len(sentences) if verb == "took" else number)
                return needed | {number}, where
        return place(name, len(sentences))

    if words[0] == "how":
        person = words[4]
        needed = {n for n, one in enumerate(sentences) if one[0] == person and one[1] != "went"}
        verbs = Counter(sentences[n][1] for n in needed)
        return needed, ["none", "one", "two", "three", "four"][verbs["took"] - verbs["dropped"]]
    if words[0] == "where":
        return place_of(words[-1])
    needed, where = place_of(words[words.index("in") - 1])
    return needed, "yes" if where == words[-1] else "no"


def test_answers_and_facts():
    made = list(islice(generate(3, list(questions.TASKS)), NUMBER))
    for one in made:
        needed, answer = facts_and_answer(one.context, one.question)
        assert (answer, len(needed)) == (one.answer, one.facts), one
    assert len({one.context for one in made}) == NUMBER
    facts, answers = defaultdict(Counter), defaultdict(Counter)
    for one in made:
        facts[one.task][one.facts] += 1
        answers[one.task][one.answer] += 1
    assert {task: sum(counts.values()) for task, counts in facts.items()} == dict.fromkeys(
        questions.TASKS, NUMBER // 4
    )
    assert set(facts["where_is"]) == {1} and set(facts["two_hops"]) == {2}
    assert set(facts["yes_no"]) == {1, 2} and min(answers["yes_no"].values()) > 70
    assert set(facts["counting"]) == {1, 2, 3, 4} and min(facts["counting"].values()) > 30
    assert set(answers["two_hops"]) == set(questions.PLACES)


def test_no_story_is_told_twice():
    """Though every fifth has two sentences alone."""
    told = [one.context for one in islice(generate(1, ["where_is"]), 3000)]
    assert len(set(told)) == len(told)


def command(monkeypatch, *argv):
    monkeypatch.setattr(sys, "argv", ["questions", *map(str, argv)])
    questions.main()


def test_files_repeat_with_the_seed_and_share_no_story(tmp_path, monkeypatch):
    texts = {}
    for name, seed in (("first", 5), ("again", 5), ("other", 6)):
        flags = ("--seed", seed, "--train", 40, "--held-out", 10)
        command(monkeypatch, tmp_path / name, *flags)
        texts[name] = [(tmp_path / name / f"{s}.tsv").read_text() for s in questions.SPLITS]
    assert texts["first"] == texts["again"] != texts["other"]
    splits = [read_questions(tmp_path / "first" / f"{s}.tsv") for s in questions.SPLITS]
    assert list(map(len, splits)) == [40, 10, 10]
    assert len({one.context for split in splits for one in split}) == 60


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("a story\ta question", "line 2 has 2 columns: write context, question and answer"),
        ("a\tb\tc\td\t1\tf", "line 2 has 6 columns"),
        ("a story\t \tan answer", "line 2 has no question"),
        ("a story\ta question\t", "line 2 has no answer"),
        ("a <sep> story\ta question\tan answer", "line 2 has <sep>"),
        ("a\tb\tc\td\tmany", "line 2: many is no number of facts"),
    ],
)
def test_lines_that_are_no_questions(tmp_path, line, says):
    (tmp_path / "train.tsv").write_text(f"\tonly asked\tyes\n{line}\n")
    with pytest.raises(UsageError, match=says):
        read_questions(tmp_path / "train.tsv")


def test_reasoning_gym(tmp_path, monkeypatch):
    """The package itself is not needed: one that repeats itself stands for it."""

    def create_dataset(name, seed, size):
        if name != "legs":
            raise ValueError(f"Dataset '{name}' not registered")
        return [
            {"question": f"How many\nlegs have {n // 2} cats?", "answer": 4} for n in range(size)
        ]

    monkeypatch.setitem(
        sys.modules, "reasoning_gym", SimpleNamespace(create_dataset=create_dataset)
    )
    flags = ("--train", 6, "--held-out", 2, "--reasoning-gym")
    command(monkeypatch, tmp_path, *flags, "legs")
    (first, *_, last) = read_questions(tmp_path / "train.tsv")
    assert (first.prompt, first.answer) == ("How many legs have 0 cats?", "4")
    assert (last.prompt, last.task) == ("How many legs have 5 cats?", "legs")
    with pytest.raises(UsageError, match="--reasoning-gym: Dataset 'arms' not registered"):
        command(monkeypatch, tmp_path, *flags, "arms")
    monkeypatch.setitem(sys.modules, "reasoning_gym", None)
    with pytest.raises(UsageError, match="pip install reasoning-gym"):
        command(monkeypatch, tmp_path, *flags, "legs")
