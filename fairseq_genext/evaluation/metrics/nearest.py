"""The training sentence most like a sample, so that a reader sees how much of it is copied."""

from collections.abc import Sequence

from sklearn.feature_extraction.text import TfidfVectorizer


class NearestSentences:
    """Finds the nearest of many sentences.

    Nearness is the cosine of TF-IDF vectors of words and pairs of neighbouring words, 0 (no word in
    common) to 1 (the same words and pairs as often, hence but for odd cases the same sentence).

    Args:
        sentences: where to look, tokens separated by blanks.
    """

    def __init__(self, sentences: Sequence[str]) -> None:
        self.sentences = sentences
        self.vectorizer = TfidfVectorizer(
            tokenizer=str.split, token_pattern=None, lowercase=False, ngram_range=(1, 2)
        )
        self.vectors = self.vectorizer.fit_transform(sentences)

    def find(self, texts: Sequence[str]) -> list[tuple[float, str]]:
        """Similarity and nearest sentence of each text; the first of several as near."""
        found = []
        for text in texts:
            # One by one: the product of many texts with a large corpus does not fit in memory.
            similar = (self.vectors @ self.vectorizer.transform([text]).T).toarray()[:, 0]
            best = int(similar.argmax())
            found.append((min(1.0, float(similar[best])), self.sentences[best]))
        return found
