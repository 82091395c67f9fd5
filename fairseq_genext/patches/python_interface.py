"""fairseq's Python interface: what it cannot do with a model is said in one line."""

import inspect
import os
from argparse import Namespace
from contextlib import contextmanager
from numbers import Integral, Real

from fairseq import hub_utils
from fairseq.hub_utils import GeneratorHubInterface
from fairseq.models import FairseqEncoderDecoderModel

from fairseq_genext.errors import UsageError, some
from fairseq_genext.patches.generation_flags import check_generation
from fairseq_genext.patches.patch import patch

KINDS = {bool: Integral, int: Integral, float: Real, str: str}


@patch(GeneratorHubInterface, "binarize")
def read_text(binarize, self, sentence: str):
    """Words of a model of images end in an ``AttributeError``.

    Raises:
        UsageError: the model has no words.
    """
    if self.src_dict is None:
        raise UsageError(
            f"{type(self.models[0]).__name__} reads no text: it draws by models[0].generator.draw"
        )
    return binarize(self, sentence)


@patch(GeneratorHubInterface, "score")
def score_without_source(score, self, *args, **kwargs):
    """Scores of a translation model end in a ``TypeError``; of others, nothing is sampled.

    Raises:
        UsageError: the model reads a source.
    """
    if any(isinstance(model, FairseqEncoderDecoderModel) for model in self.models):
        raise UsageError(
            "score is for language models; fairseq-generate --score-reference scores translations"
        )
    with flags_of(self.task, **getattr(self.task, "GENERATION", {})):
        return score(self, *args, **kwargs)


@patch(GeneratorHubInterface, "generate")
def require_known_flags(generate, self, *args, **kwargs):
    """A flag that does not exist, as one that is spelt otherwise, changes nothing in fairseq.

    Nor does it check values, which end in a traceback or, as --sampling-topp 2, change nothing; of
    no texts, which end in one as well, there are no hypotheses. A task's flags of generation are
    those that it lists as ``GENERATION``.

    Raises:
        UsageError: in its place.
    """
    of_task = kwargs.keys() & getattr(self.task, "GENERATION", ())
    flags = {**self.cfg.generation, **getattr(self.task, "GENERATION", {})}
    signature = inspect.signature(generate)
    if unknown := sorted(kwargs.keys() - flags.keys() - set(signature.parameters)):
        raise UsageError(f"generation has no flag {some(unknown)}: see fairseq-generate --help")
    given = {**signature.bind(self, *args, **kwargs).arguments, **kwargs}
    for name in given.keys() & flags.keys():
        kind = type(flags[name])
        if not is_a(given[name], kind):
            raise UsageError(f"{name} is {given[name]!r}; it must be of type {kind.__name__}")
    flags |= {name: value for name, value in given.items() if name in flags}
    check_generation(Namespace(**flags | {"nbest": flags["beam"]}))  # all are given back
    if isinstance(given["tokenized_sentences"], list) and not given["tokenized_sentences"]:
        return []
    with flags_of(self.task, **{name: kwargs.pop(name) for name in of_task}):
        return generate(self, *args, **kwargs)


def is_a(value, kind: type) -> bool:
    """Whether a value may stand for one of a type on the command line; numpy's numbers may."""
    if isinstance(value, bool) and kind in (int, float):
        return False
    return isinstance(value, KINDS.get(kind, object))


@contextmanager
def flags_of(task, **values):
    """Gives a task's flags other values meanwhile."""
    before = {name: getattr(task.args, name) for name in values}
    try:
        for name, value in values.items():
            setattr(task.args, name, value)
        yield
    finally:
        for name, value in before.items():
            setattr(task.args, name, value)


@patch(hub_utils, "from_pretrained")
def find_gpt2_encoding(load, model_name_or_path: str, *args, **kwargs):
    """fairseq finds the files of other encodings that lie by a model, so that it can be moved."""
    for name, file in {"gpt2_encoder_json": "encoder.json", "gpt2_vocab_bpe": "vocab.bpe"}.items():
        path = os.path.join(model_name_or_path, file)
        if os.path.exists(path):
            kwargs.setdefault(name, path)
    return load(model_name_or_path, *args, **kwargs)
