"""Reads an experiment file: what is compared, on which data, with which flags, and what is
reported.

``recipes/README.md`` explains the keys. Text may hold Jinja expressions, ``{{ updates // 8 }}``,
over the file's options, its groups of flags and a system's own values. What a training alone can
know (``start``, the checkpoint it starts from; ``data``, what its data folder says of itself;
``flops``, the counted operations of an update) is filled in by ``train.py``.
"""

import argparse
import contextlib
import json
import math
import re
import shlex
from pathlib import Path

import jinja2
import jinja2.sandbox
import yaml_file
from jinja2.meta import find_undeclared_variables
from limits import bounded
from schema import FILE, KINDS, OPTION, RENDERED, SAMPLE, SCORE, SYSTEM, check

from fairseq_genext.data.images import ALIASES, IMAGE_FILES
from fairseq_genext.errors import UsageError, flag
from fairseq_genext.files import file_name, read_lines

CORPORA = {
    "sentences": "clauses", "pairs": "kjv-bbe", "oracle": "oracle", "images": "digits",
    "questions": "stories", "characters": "clauses",
}  # fmt: skip
# Where a system's output comes from.
SOURCES = ("train", "untrained", "resampled", "unigram", "samples")
LIKE = ("start", "untrained", "resampled")  # name a system whose checkpoint is needed
# Those that there are for data of a kind, and the data that a section is about.
KIND_SOURCES = {
    "sentences": SOURCES, "pairs": ("train", "samples"), "oracle": ("train", "resampled"),
    "images": ("train",), "questions": ("train",), "characters": ("train",),
}  # fmt: skip
SECTION_KINDS = {
    "quality": "sentences", "curves": "sentences", "gains": "sentences", "samples": "sentences",
    "residual": "sentences",
    "oracle": "oracle", "translation": "pairs", "images": "images",
    "question_answering": "questions",
}  # fmt: skip
# Multi30k's names, and the plain ones.
PAIR_SPLITS = (("train",), ("val", "valid"), ("test_2016_flickr", "test"))
# Flags of fairseq-train that a recipe gives itself, or that keep a stopped training from going on.
OWN = (
    "--save-dir", "--user-dir", "--seed", "--log-file", "--log-format", "--no-save",
    "--restore-file", "--no-last-checkpoints",
)  # fmt: skip
# As evaluation.sample names them.
GIVEN_POINT = re.compile(r"(?:t(?!0\.00)(\d+\.\d\d)|p(?!0\.00)(0\.\d\d))\.txt")
LIKE_A_POINT = re.compile(r"[tp][-+.\d].*\.txt", re.IGNORECASE)
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")
REAL = ("held_out", "held_out_images")  # real data, which is measured like a system
KNOWN_LATER = ("start", "data", "flops")  # names in `train` that no other value may have
ALWAYS = ("seeds", "seed", "systems", "output", "jobs", "train_only", "help")  # options of all

LONGEST = 100_000  # characters of a text with expressions
ENVIRONMENT = jinja2.sandbox.SandboxedEnvironment(undefined=jinja2.StrictUndefined)
ENVIRONMENT.globals = {"range": ENVIRONMENT.globals["range"]}  # of at most 100,000 numbers


class Later(dict):
    """Stands for numbers that are not known yet, so that a template can be checked without them.

    Args:
        names: those that there will be.
    """

    def __init__(self, *names: str) -> None:
        super().__init__(dict.fromkeys(names, 10**9))
        self.asked = False

    def __getitem__(self, name: str) -> int:
        self.asked = True
        return super().__getitem__(name)


def data_later(kind: str) -> Later:
    """What a training will know of data of a kind."""
    if kind == "images":
        return Later("number", "height", "width")
    data = Later(*(["pieces"] if kind != "oracle" else []))
    data["lines"] = Later("train", "valid", "test")
    return data


def render(value, names: dict, where: str):
    """Fills in the expressions of a text, or of all texts in a list or mapping.

    A text that is one expression alone keeps the expression's type.

    Raises:
        UsageError: an expression is wrong, or has an unknown name.
    """
    if isinstance(value, dict):
        return {key: render(part, names, f"{where}.{key}") for key, part in value.items()}
    if isinstance(value, list):
        return [render(part, names, f"{where}, number {n}") for n, part in enumerate(value, 1)]
    try:
        for _ in range(8):  # a group of flags may name others
            if not isinstance(value, str) or "{{" not in value:
                return value
            if len(value) > LONGEST:
                raise ValueError(f"it comes to more than {LONGEST:,} characters")
            text = value.strip()
            if text.startswith("{{") and text.find("}}") == len(text) - 2:
                value = ENVIRONMENT.compile_expression(text[2:-2], False)(**names)
                if isinstance(value, jinja2.Undefined):
                    raise jinja2.UndefinedError(f"{text[2:-2].strip()!r} is undefined")
                json.dumps(value)  # a function or the like is no value
            elif "{%" in value:
                raise jinja2.TemplateError("expressions may be {{ … }} alone, not {% … %}")
            else:
                value = ENVIRONMENT.from_string(value).render(names)
    except MemoryError:
        raise
    except Exception as error:  # an expression may raise anything
        raise UsageError(f"{where}: {' '.join(str(error).split())}") from None
    raise UsageError(f"{where}: its names never come to an end")


def check_names(names, where: str, taken: tuple[str, ...] = ()) -> None:
    """Raises UsageError unless expressions can use all the names, and none is taken."""
    for name in names:
        if not str(name).isidentifier():
            raise UsageError(f"{where}.{name}: a name has letters, digits and _ only")
        if name in taken:
            raise UsageError(f"{where}.{name}: the name is taken; choose another")


def read_yaml(path: Path) -> dict:
    """The entries of an experiment file as they stand, with the defaults of those left out.

    Raises:
        UsageError: it is missing, is no YAML, or has wrong keys.
    """
    entries = check(FILE, yaml_file.load(path), str(path))
    unique(entries["report"], f"{path}: report")
    unique(entries["seeds"], f"{path}: seeds")
    check_names(entries["options"], f"{path}: options", ALWAYS + KNOWN_LATER)
    check_names(entries["flags"], f"{path}: flags", (*KNOWN_LATER, *entries["options"]))
    for name, option in entries["options"].items():
        entries["options"][name] = check(OPTION, option, f"{path}: options.{name}")
    return entries


class OneLine(argparse.ArgumentParser):
    """A parser whose errors are one line."""

    def error(self, message: str):
        raise UsageError(f"{message}; see --help")


def positive(text, where: str, least: int = 1) -> int:
    """The whole number that ``text`` writes.

    Raises:
        UsageError: it is none, or less than ``least``.
    """
    if not str(text).isdecimal() or len(str(text)) > 9 or int(text) < least:
        raise UsageError(f"{where}: {text!s:.60} is not a positive whole number of up to 9 digits")
    return int(text)


def number(text, where: str) -> float:
    """The number that ``text`` writes; raises UsageError if it is none."""
    with contextlib.suppress(ValueError):
        if math.isfinite(float(text)):
            return float(text)
    raise UsageError(f"{where}: {text!s:.60} is no number")


def unique(items: list, where: str) -> list:
    """``items``; raises UsageError if there is none, or one stands there twice."""
    if not items:
        raise UsageError(f"{where} is empty")
    for item in items:
        if items.count(item) > 1:
            raise UsageError(f"{where} has {item} twice")
    return items


def read_seeds(items: list, where: str) -> list[int]:
    """The seeds of a run or a system; raises UsageError as ``positive`` and ``unique``."""
    return unique([positive(item, where) for item in items], where)


def spelled(name: str) -> str:
    """How the command line spells an option."""
    return name if name.isupper() else flag(name)


def build_parser(entries: dict, path: Path) -> argparse.ArgumentParser:
    """The command line of an experiment: its own options and those of all experiments."""
    parser = OneLine(
        prog=f"bash recipes/compare.sh {path.stem}",
        description=f"{entries['title']}. {entries['about']}",
        epilog="Run again, it does only what something changed for; stopped, it goes on. What "
        "stands behind -- goes to snakemake. To start over, delete the output folder. "
        "--use-active takes the active environment in place of .venv, and points it here.",
        allow_abbrev=False,
    )
    for name, option in entries["options"].items():
        default, choices = option["default"], option["choices"]
        text = option["help"].strip() + (f" (default: {default})" if default else "")
        text = text.replace("%", "%%")  # which argparse would read as a format
        own = {"nargs": "?"} if name.isupper() else {"dest": name}
        own["metavar"] = "|".join(choices) or None
        parser.add_argument(spelled(name), default=default, help=text, **own)
    seeds = " ".join(map(str, entries["seeds"]))
    parser.add_argument(
        "--seeds", "--seed", default=seeds, metavar='"N …"',
        help=f"a run of every system for each (default: {seeds})",
    )  # fmt: skip
    names = ", ".join(entries["systems"])
    parser.add_argument("--systems", metavar='"NAME …"', help=f"some of {names}")
    parser.add_argument("--output", type=Path, metavar="FOLDER", help=f"default: runs/{path.stem}")
    parser.add_argument("--jobs", metavar="N", help="steps side by side (default: every core)")
    parser.add_argument("--train-only", action="store_true", help="stop after the trainings")
    return parser


def read_options(entries: dict, args: argparse.Namespace) -> dict:
    """The values of an experiment's options by name, with those that a named choice stands for.

    Raises:
        UsageError: a path or a choice does not exist, or a number is none.
    """
    values: dict = {}
    for name, option in entries["options"].items():
        where, value, choices = spelled(name), getattr(args, name), option["choices"]
        if option["path"]:
            if value and not Path(str(value)).exists():
                raise UsageError(f"{value} does not exist: {where} must name a file or folder")
            value = value and str(Path(str(value)).resolve())
        elif choices:
            choice = "N" if "N" in choices and str(value).isdecimal() else value
            if choice not in choices or value == "N":
                known = ", ".join(choices)
                raise UsageError(f"{where} {value} does not exist; choose one of {known}")
            counted = {"N": positive(value, where)} if choice == "N" else {}
            values |= render(choices[choice], values | counted, f"options.{name}.{choice}")
        elif isinstance(option["default"], int):
            value = positive(value, where, least=min(1, option["default"]))
        elif isinstance(option["default"], float):
            value = number(value, where)
        values[name] = render(value, values, f"options.{name}")
    return values


def read_data(entries: dict, values: dict, path: Path) -> dict[str, dict]:
    """Every data set of the file, with its folder below the output.

    Raises:
        UsageError: a key or corpus is unknown, or a file of the user's folder is missing.
    """
    data: dict[str, dict] = {}
    for name, given in entries["data"].items():
        where = f"{path}: data.{name}"
        if not NAME.fullmatch(str(name)):
            raise UsageError(f"{where}: a name has letters, digits, - and _ only")
        given = render(given, values, where)
        kind = str(given.get("kind")) if isinstance(given, dict) else None
        if kind not in KINDS:
            raise UsageError(f"{where} needs a kind, one of {', '.join(KINDS)}")
        if kind in [other["kind"] for other in data.values()]:
            raise UsageError(f"{where}: there is other data of kind {kind}; an experiment has one")
        given = check(KINDS[kind], given, where)
        folder = given.pop("folder", None)
        if given.get("weights"):
            weights = path.parent / given["weights"]
            if not weights.is_file():
                raise UsageError(f"{where}: {weights} is not a file")
            given["weights"] = str(weights.resolve())
            given["files"] = [given["weights"]]
        if folder:
            if kind == "oracle":
                raise UsageError(f"{where}: data of kind oracle has no folder")
            given.pop("corpus", None)
            given["from"] = str((path.parent / folder).resolve())
            given["files"] = user_files(Path(given["from"]), given, where)
        elif given.get("corpus") != CORPORA[kind]:
            raise UsageError(f"{where} needs a folder or a corpus, one of {CORPORA[kind]}")
        data[name] = {**given, "folder": f"data/{name}"}
    return data


def user_files(folder: Path, given: dict, where: str) -> list[str]:
    """The files that data of a kind are read from.

    Raises:
        UsageError: the folder or one of its files is missing, or a text is empty.
    """
    if not folder.is_dir():
        raise UsageError(f"{where}: {folder} is not a folder")
    optional, wanted = [], []
    if given["kind"] == "sentences":
        optional, wanted = ["valid.txt"], [["train.txt"], ["test.txt"]]
    elif given["kind"] == "characters":
        wanted = [["input.txt"]]
    elif given["kind"] == "questions":
        wanted = [[f"{split}.tsv"] for split in ("train", "valid", "test")]
    elif given["kind"] == "pairs":
        wanted = [
            [f"{name}.{language}{packed}" for name in names for packed in ("", ".gz")]
            for language in (given["source"], given["target"])
            for names in PAIR_SPLITS
        ]
    else:
        wanted = [
            [pattern.format(name) for name in names for pattern in IMAGE_FILES]
            for names in (("train",), ALIASES["valid"])
        ]
        optional = sorted(path.name for path in folder.iterdir())
    found = [[name for name in names if (folder / name).is_file()] for names in wanted]
    for names, there in zip(wanted, found, strict=True):
        if not there:
            raise UsageError(f"{where}: {folder} has no {' or '.join(names)}")
    extra = [name for name in optional if (folder / name).is_file()]
    files = [folder / name for name in (*(there[0] for there in found), *extra)]
    if empty := [file for file in files if file.stat().st_size == 0]:
        raise UsageError(f"{where}: {empty[0]} is empty")
    return list(map(str, dict.fromkeys(files)))


def read_systems(entries: dict, values: dict, data: dict, path: Path) -> dict[str, dict]:
    """Every system of the file that its ``only`` does not leave out, with defaults filled in.

    Raises:
        UsageError: a key, start, data set or choice is unknown, or keys do not go together.
    """
    systems: dict[str, dict] = {}
    for name, given in entries["systems"].items():
        where = f"{path}: systems.{name}"
        if not NAME.fullmatch(str(name)):
            raise UsageError(f"{where}: a name has letters, digits, - and _ only")
        if name in REAL:
            raise UsageError(f"{where}: real data has this name; choose another")
        if isinstance(given, dict):
            if not render(given.get("only", True), values, f"{where}.only"):
                continue
            later = {"train", "set"}  # for train.py
            given = {
                key: part if key in later else render(part, values, f"{where}.{key}")
                for key, part in given.items()
            }
        system = check(SYSTEM, given, where)
        check_names(system["set"], f"{where}.set", KNOWN_LATER)
        if sum(key in system for key in SOURCES) != 1:
            raise UsageError(f"{where} needs one of {', '.join(SOURCES)}")
        family = "likelihood" if "train" in system else "baseline"
        system = {"data": next(iter(data)), "label": name, "family": family} | system
        for key, sources in (
            ("candidates", {"resampled"}),
            ("weight", {"resampled"}),
            ("partition_samples", {"train"}),
            ("temperatures", {"train", "untrained", "resampled"}),
        ):
            if key in system and sources.isdisjoint(system):
                raise UsageError(f"{where}: {key} goes with {' or '.join(sorted(sources))}")
        if "resampled" in system and "candidates" not in system:
            raise UsageError(f"{where}: resampled needs candidates, their number")
        if "samples" in system:
            system["samples"] = str((path.parent / system["samples"]).resolve())
        if system["data"] not in data:
            raise UsageError(f"{where}: there is no data {system['data']!r}")
        kind = data[system["data"]]["kind"]
        if not any(key in system for key in KIND_SOURCES[kind]):
            known = " or ".join(KIND_SOURCES[kind])
            raise UsageError(f"{where}: a system on data of kind {kind} needs {known}")
        if "samples" in system:
            system["points"] = given_points(Path(system["samples"]), kind == "sentences", where)
        if "temperatures" in system and kind != "sentences":
            raise UsageError(f"{where}: temperatures goes with data of kind sentences")
        if ("form" in system) != (kind == "questions"):
            raise UsageError(f"{where}: form goes with data of kind questions, and is needed there")
        systems[name] = system
    for name in systems:
        check_others(systems, name, f"{path}: systems.{name}")
    return systems


def given_points(source: Path, free_text: bool, where: str) -> list[dict]:
    """Files of samples or translations made elsewhere, and the temperature and top-p of each.

    Args:
        source: a file at temperature 1, or a folder with ``t0.80.txt``, ``p0.90.txt`` and so on.
        free_text: whether a folder will do.
        where: for errors.

    Raises:
        UsageError: there is no such file, none at temperature 1, or a name that says neither.
    """
    if source.is_file():
        return [{"samples": str(source), "temperature": 1.0, "top_p": 1.0}]
    if not (free_text and source.is_dir()):
        raise UsageError(f"{where}: {source} is not a file")
    named = {path: GIVEN_POINT.fullmatch(path.name) for path in sorted(source.iterdir())}
    for path, found in named.items():
        if not found and LIKE_A_POINT.fullmatch(path.name):
            raise UsageError(
                f"{where}: {path} names no temperature above 0 with two decimals, such as "
                "t0.80.txt, nor top-p, p0.90.txt: give it such a name, or take it out of the folder"
            )
    points = [
        {"samples": str(path), "temperature": float(found[1] or 1), "top_p": float(found[2] or 1)}
        for path, found in named.items()
        if found
    ]
    if not any(point["temperature"] == point["top_p"] == 1 for point in points):
        raise UsageError(
            f"{where}: {source} has no t1.00.txt, samples at temperature 1; other points are files "
            "such as t0.80.txt (temperature) or p0.90.txt (top-p)"
        )
    return points


def check_others(systems: dict, name: str, where: str) -> None:
    """Raises UsageError unless the systems that a system names exist and go together with it."""
    system = systems[name]
    others = {key: system[key] for key in (*LIKE, "baseline") if key in system}
    for key, other in [*others.items(), *(("curve", one) for one in system.get("curve", []))]:
        if other not in systems:
            raise UsageError(f"{where}: {key} {other!r} is no system")
        if key in LIKE and "train" not in systems[other]:
            raise UsageError(f"{where}: {other} is not trained")
        if systems[other]["data"] != system["data"]:
            raise UsageError(f"{where}: {key} {other!r} is a system on other data")
    if "baseline" in others:
        base = systems[others["baseline"]]
        if base.get("table") != system.get("table"):
            raise UsageError(f"{where}: baseline {others['baseline']!r} stands in another table")
        if base.get("baseline", others["baseline"]) != others["baseline"]:
            raise UsageError(f"{where}: baseline {others['baseline']!r} has a baseline itself")
    if name in ancestors(systems, name):
        raise UsageError(f"{where} starts from itself")
    for other, twin in systems.items():
        alike = all(twin.get(key) == system.get(key) for key in ("data", "table", "label"))
        if alike and other != name:
            raise UsageError(f"{where}: {other} has the label {system['label']!r} too")


def like(system: dict) -> str | None:
    """The system whose checkpoint a system needs, if it does."""
    return next((system[key] for key in LIKE if key in system), None)


def ancestors(systems: dict, name: str) -> list[str]:
    """What a system needs: its start, that one's start and so on, or the system it is like."""
    found: list[str] = []
    while True:
        system = systems[name]
        name = like(system)
        if name is None or name in found:
            return found
        found.append(name)


def choose(systems: dict, wanted: str | None, declared: dict[str, dict]) -> dict[str, dict]:
    """The systems of a run, in the file's order, with what they start from.

    Args:
        systems: as ``read_systems`` returns them.
        wanted: names, by blanks; None for those of the file.
        declared: the file's entries, with those that their ``only`` leaves out.

    Raises:
        UsageError: a wanted system does not exist or is named twice, or none is left.
    """
    names = [name for name, system in systems.items() if system["include"] == "default"]
    if wanted is not None:
        names = unique(wanted.split(), "--systems")
        for name in names:
            if name in declared and name not in systems:
                only = jinja2.Environment().parse(str(declared[name]["only"]))
                needs = " and ".join(map(flag, sorted(find_undeclared_variables(only))))
                raise UsageError(f"system {name} needs another value of {needs}: see --help")
            if name not in systems:
                raise UsageError(f"there is no system {name}; choose among {', '.join(systems)}")
    needed = {name for name, system in systems.items() if system["include"] == "always"}
    needed.update(*([name, *ancestors(systems, name)] for name in names))
    if not needed:
        raise UsageError("there is nothing to compare: no system is left")
    chosen = {name: system for name, system in systems.items() if name in needed}
    for system in chosen.values():  # no comparison with what is left out
        if system.get("baseline") not in chosen:
            system.pop("baseline", None)
        if "curve" in system:
            system["curve"] = [other for other in system["curve"] if other in chosen]
    return chosen


def choose_sections(sections: list[str], systems: dict, chosen: dict, data: dict, path: Path):
    """The sections of the report that the chosen systems fill.

    Raises:
        UsageError: no system of the file fills a section, or no section is left.
    """

    def filled(section: str, some: dict) -> bool:
        return section != "residual" or any("partition_samples" in one for one in some.values())

    all_kinds, kinds = (
        {data[system["data"]]["kind"] for system in some.values()} for some in (systems, chosen)
    )
    for section in sections:
        kind = SECTION_KINDS.get(section)
        if kind and kind not in all_kinds:
            raise UsageError(f"{path}: report: {section} needs a system on data of kind {kind}")
        if not filled(section, systems):
            raise UsageError(f"{path}: report: {section} needs a system with partition_samples")
    left = [
        one for one in sections if SECTION_KINDS.get(one) in {None, *kinds} and filled(one, chosen)
    ]
    return unique(left, f"{path}: report, for the chosen systems,")


def flags_of(experiment: dict, name: str, where: str, **known) -> list[str]:
    """The arguments of fairseq-train for a system.

    Args:
        experiment: as ``read`` gives it.
        name: the system.
        where: for errors.
        known: ``start``, ``data`` and ``flops``.
    """
    system = experiment["systems"][name]
    names = {**experiment["flags"], **experiment["options"], **known}
    for key, value in system["set"].items():
        names[key] = render(value, names, f"{where}.set.{key}")
    text = render(system["train"], names, f"{where}.train")
    try:
        return shlex.split(str(text))
    except ValueError as error:
        raise UsageError(f"{where}.train: {error}") from None


def check_trainings(experiment: dict, path: Path) -> None:
    """Renders the flags of every system once, and finds out which need counted operations."""
    for name, system in experiment["systems"].items():
        if "train" not in system:
            continue
        where = f"{path}: systems.{name}"
        flops = Later("likelihood", "discriminator", "generator")
        known = {"data": data_later(experiment["data"][system["data"]]["kind"]), "flops": flops}
        flags = flags_of(experiment, name, where, start="start.pt", **known)
        parts = {part for flag in flags for part in flag.split("=", 1)}
        for own in OWN:
            if own in parts:
                raise UsageError(f"{where}.train: {own} is given by the recipe; leave it out")
        if ("start" in system) != ("start.pt" in parts):
            raise UsageError(f"{where}: start and {{{{ start }}}} in train go together")
        system |= {"flags": shlex.join(flags), "counted": flops.asked}


def check_points(points: dict, where: str) -> None:
    """Raises UsageError unless temperatures have 1, and no point has the file name of another."""
    if "temperatures" in points and 1.0 not in points["temperatures"]:
        raise UsageError(f"{where}.temperatures must have 1.0, where systems are compared")
    for key in {"temperatures", "top_p"} & points.keys():
        if len({f"{value:.2f}" for value in points[key]}) < len(points[key]):
            raise UsageError(f"{where}.{key} has two that are the same to two decimals")


def check_given(systems: dict, data: dict, number: int, path: Path) -> None:
    """Raises UsageError unless sentences made elsewhere are as many as the samples of a system."""
    for name, system in systems.items():
        sentences = data[system["data"]]["kind"] == "sentences"
        for point in system.get("points", []) if sentences else []:
            lines = len(read_lines(point["samples"]))
            if lines != number:
                raise UsageError(
                    f"{path}: systems.{name}: {point['samples']} has {lines} lines, and "
                    f"sample.number is {number}; figures of different numbers cannot be compared"
                )


def check_decodings(decodings: dict[str, str], needed: bool, where: str) -> None:
    """Raises UsageError unless decodings have flags, and names that files can have."""
    if needed and not decodings:
        raise UsageError(f"{where} is empty, and there are systems on data of kind pairs")
    files = [file_name(name) for name in decodings]
    for name, flags in decodings.items():
        if "=" in name or files.count(file_name(name)) > 1:
            raise UsageError(f"{where}: {name!r} has a = or is too like the name of another")
        try:
            shlex.split(flags)
        except ValueError as error:
            raise UsageError(f"{where}.{name}: {error}") from None


def read(path: Path, argv: list[str]) -> tuple[dict, argparse.Namespace]:
    """The experiment of a file and a command line, checked as a whole before anything runs.

    Returns:
        The experiment, ready for JSON, and the arguments that are not its own: ``output``,
        ``jobs``, ``train_only``.

    Raises:
        UsageError: the file or an argument is wrong; the line names the place.
    """
    try:
        with bounded(str(path)):
            return _read(path, argv)
    except (OSError, ValueError) as error:  # of a path that no system can have
        raise UsageError(f"{path}: {error}") from None


def _read(path: Path, argv: list[str]) -> tuple[dict, argparse.Namespace]:
    entries = read_yaml(path)
    args = build_parser(entries, path).parse_args(argv)
    options = read_options(entries, args)
    seeds = read_seeds(args.seeds.split(), "--seeds")
    if args.jobs is not None:
        positive(args.jobs, "--jobs")
    data = read_data(entries, options, path)
    all_systems = read_systems(entries, options, data, path)
    systems = choose(all_systems, args.systems, entries["systems"])
    entries["report"] = choose_sections(entries["report"], all_systems, systems, data, path)
    used = {system["data"] for system in systems.values()}
    data = {name: given for name, given in data.items() if name in used}
    for name, system in systems.items():
        # Samples made elsewhere are there once: copies would look like seeds that all agree.
        own = system.get("seeds", "first" if "samples" in system else seeds)
        own = seeds[:1] if own == "first" else own
        system["seeds"] = read_seeds(own, f"{path}: systems.{name}: seeds")
    for name, system in systems.items():
        other = like(system)
        for seed in system["seeds"] if other else []:
            if seed not in systems[other]["seeds"]:
                raise UsageError(f"{path}: systems.{name}: seeds: {other} has no seed {seed}")
    names = options | {"seeds": seeds}
    for key in ("title", "notes", "translate", "tables", "sample", "language_model_score"):
        entries[key] = render(entries.get(key), names, f"{path}: {key}")
    entries |= check(RENDERED, {key: entries[key] for key in RENDERED.model_fields}, str(path))
    sample = check(SAMPLE, entries["sample"], f"{path}: sample")
    own = [(f"systems.{name}", system) for name, system in systems.items()]
    for where, points in [("sample", sample), *own]:
        check_points(points, f"{path}: {where}")
    check_given(systems, data, sample["number"], path)
    on_pairs = any(data[system["data"]]["kind"] == "pairs" for system in systems.values())
    check_decodings(entries["translate"], on_pairs, f"{path}: translate")
    score, where = entries["language_model_score"], f"{path}: language_model_score"
    experiment = entries | {
        "name": path.stem,
        "options": options,
        "seeds": seeds,
        "data": data,
        "systems": systems,
        "sample": sample,
        "language_model_score": None if score is None else check(SCORE, score, where),
    }
    check_trainings(experiment, path)
    try:
        text = json.dumps(experiment, ensure_ascii=False, allow_nan=False)
        text.encode()
    except (TypeError, ValueError) as error:  # bytes, sets, infinity; half of a character
        raise UsageError(f"{path} has a value that is no text, number or list: {error}") from None
    return json.loads(text), args
