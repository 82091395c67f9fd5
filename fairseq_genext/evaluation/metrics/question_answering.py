"""Exact match and F1 of answers, as SQuAD has them (Rajpurkar et al. 2016,
https://arxiv.org/abs/1606.05250; its official script for the normalisation).

Both are 0 to 1, higher is better. Neither sees a right answer in other words, and F1 not the order
of words.
"""

import re
import string
from collections import Counter

ARTICLES = re.compile(r"\b(a|an|the)\b")
NO_PUNCTUATION = str.maketrans("", "", string.punctuation)


def normalise(answer: str) -> str:
    """An answer in lower case, without ASCII punctuation, articles and needless blanks."""
    return " ".join(ARTICLES.sub(" ", answer.lower().translate(NO_PUNCTUATION)).split())


def exact_match(answer: str, right: str) -> float:
    """1 where the two are the same once normalised, else 0."""
    return float(normalise(answer) == normalise(right))


def f1(answer: str, right: str) -> float:
    """Harmonic mean of precision and recall of the answer's words, each as often as it occurs.

    Where one side has no words, 1 if the other has none either, else 0.
    """
    given, expected = normalise(answer).split(), normalise(right).split()
    if not given or not expected:
        return float(given == expected)
    common = sum((Counter(given) & Counter(expected)).values())
    # 2PR / (P + R), with P = common / given and R = common / expected.
    return 2 * common / (len(given) + len(expected))
