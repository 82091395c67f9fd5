"""The keys of an experiment file, their types and defaults; ``recipes/README.md`` explains them."""

from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    Field,
    StrictBool,
    StrictFloat,
    StrictInt,
    StrictStr,
    ValidationError,
    create_model,
)

from fairseq_genext.data.pieces import NORMALIZATIONS
from fairseq_genext.errors import UsageError
from fairseq_genext.evaluation import tokenizers
from fairseq_genext.evaluation.sections import NAMES


class Mapping(BaseModel, extra="forbid", coerce_numbers_to_str=True, allow_inf_nan=False):
    """A mapping of the file with known keys only."""


def mapping(base: type[Mapping] = Mapping, /, **keys) -> type[Mapping]:
    """A mapping with these keys: a type, or a type and a default."""
    return create_model("Keys", __base__=base, **keys)


# A text is no number, even where it looks like one, nor is true.
WHOLE = Annotated[int, Field(strict=True, gt=0, lt=10**9)]
ANY_WHOLE = Annotated[int, Field(strict=True, ge=0, lt=10**9)]
NUMBER = Annotated[float, Field(strict=True)]
TEXT = (str | None, None)
NAMED = (dict[str, Any], {})  # read by itself later
FULL = Annotated[dict[str, Any], Field(min_length=1)]

FILE = mapping(
    title=str, about=(str, ""), notes=(list[str], []), options=NAMED, data=FULL,
    seeds=(list[WHOLE], [1]), flags=(dict[str, str], {}), systems=FULL, sample=NAMED,
    translate=(dict[str, str], {}), language_model_score=(dict[str, Any] | None, None),
    tables=(dict[str, str], {}),
    report=list[Literal[tuple(name for name in NAMES if name != "speed")]],  # that is bench.sh's
    tokenize=(Literal[tokenizers.NAMES] | None, None),
)  # fmt: skip
RENDERED = mapping(  # once its expressions are filled in
    title=str, notes=list[str], translate=dict[str, str], tables=dict[str, str],
)  # fmt: skip
OPTION = mapping(
    default=StrictInt | StrictFloat | StrictStr, help=str,
    choices=(dict[str, dict[str, Any]], {}), path=(StrictBool, False),
)  # fmt: skip
IMAGES = mapping(kind=str, corpus=TEXT, folder=TEXT)
SENTENCES = mapping(
    IMAGES, vocabulary=WHOLE, verses=(ANY_WHOLE | None, None),
    normalization=(Literal[NORMALIZATIONS], "identity"),
)  # fmt: skip
KINDS = {
    "sentences": SENTENCES,
    "pairs": mapping(SENTENCES, source=str, target=str, max_words=(ANY_WHOLE | None, None)),
    "oracle": mapping(IMAGES, flags=TEXT, weights=TEXT),
    "images": IMAGES,
    "characters": IMAGES,
    "questions": mapping(IMAGES, vocabulary=WHOLE, flags=TEXT),
}
TEMPERATURES = list[Annotated[NUMBER, Field(gt=0, lt=1000)]]
SYSTEM = mapping(
    train=TEXT, untrained=TEXT, resampled=TEXT, unigram=(Literal[True] | None, None), samples=TEXT,
    candidates=(WHOLE | None, None),
    weight=(Annotated[NUMBER, Field(gt=0, allow_inf_nan=False)] | None, None),
    partition_samples=(Annotated[WHOLE, Field(ge=2)] | None, None),
    start=TEXT, set=NAMED, data=TEXT, label=TEXT, note=TEXT, table=TEXT, baseline=TEXT,
    family=(Literal["likelihood", "gan", "baseline"] | None, None),
    include=(Literal["default", "named", "always"], "default"), only=(Any, True),
    checkpoint=(Literal["best", "last"], "best"), temperatures=(TEMPERATURES | None, None),
    form=(Literal["lines", "pairs", "text"] | None, None),
    seeds=(list[WHOLE] | Literal["first"] | None, None),
    curve=(list[str] | None, None), published=(NUMBER | None, None),
)  # fmt: skip
SAMPLE = mapping(
    number=(Annotated[WHOLE, Field(ge=2)], 1000), max_length=(WHOLE, 40), batch_size=(WHOLE, 250),
    temperatures=(TEMPERATURES, [1.0]),
    top_p=(list[Annotated[NUMBER, Field(gt=0, lt=1)]], []),
)  # fmt: skip
SCORE = mapping(updates=(WHOLE, 200), points=(Literal["plain", "all"], "plain"))


def check(keys: type[Mapping], entries: Any, where: str) -> dict:
    """A part of the file with its defaults; what has no value is left out.

    Raises:
        UsageError: it is no mapping, a key is unknown or missing, or a value has a wrong type.
    """
    if not isinstance(entries, dict):
        raise UsageError(f"{where} must be a mapping; see recipes/README.md")
    given = {key: value for key, value in entries.items() if value is not None}
    try:
        return keys.model_validate(given).model_dump(exclude_none=True)
    except ValidationError as error:
        wrong = error.errors()[0]
    place = ".".join(map(str, wrong["loc"]))
    if wrong["type"] == "missing":
        raise UsageError(f"{where} has no {place}; see recipes/README.md")
    if wrong["type"] == "extra_forbidden":
        known = ", ".join(sorted(keys.model_fields))
        raise UsageError(f"{where} has an unknown key {place!r}; known: {known}")
    raise UsageError(f"{where}: {place}: {wrong['msg']}, not {wrong['input']!r:.60}")
