"""SQuAD's figures by hand."""

import pytest

from fairseq_genext.data.questions import Question
from fairseq_genext.errors import UsageError
from fairseq_genext.evaluation.answer import score
from fairseq_genext.evaluation.metrics.question_answering import exact_match, f1


@pytest.mark.parametrize(
    ("answer", "right", "exact", "overlap"),
    [
        ("The garden.", "garden", 1, 1),
        ("in a garden", "garden", 0, 2 / 3),  # precision 1/2, recall 1
        ("the the theatre", "theatre", 1, 1),
        ("red red blue", "red green", 0, 2 / 5),  # a word counts as often as both have it
        ("", "garden", 0, 0),
        ("the", "an", 1, 1),
        ("o'neil", "ONeil", 1, 1),
    ],
)
def test_exact_match_and_f1(answer, right, exact, overlap):
    assert exact_match(answer, right) == exact
    assert f1(answer, right) == pytest.approx(overlap)


def test_scores_by_task_and_facts():
    asked = [
        Question("", "?", "garden", "where", 1),
        Question("", "?", "big garden", "where", 2),
        Question("", "?", "yes", "yes_no", 2),
        Question("", "?", "no"),
    ]
    found = score(["garden", "garden", "no", "no"], asked)
    assert (found["exact_match"], found["f1"]) == (0.5, pytest.approx((1 + 2 / 3 + 0 + 1) / 4))
    assert found["by_task"]["where"] == {
        "exact_match": 0.5, "f1": pytest.approx(5 / 6), "questions": 2,
    }  # fmt: skip
    assert {name: one["exact_match"] for name, one in found["by_facts"].items()} == {
        "1": 1.0, "2": 0.0,
    }  # fmt: skip
    assert set(found["by_task"]) == {"where", "yes_no"} and 0 < found["exact_match_ci"] <= 0.5
    with pytest.raises(UsageError, match="3 answers for 4 questions"):
        score(["a", "b", "c"], asked)
