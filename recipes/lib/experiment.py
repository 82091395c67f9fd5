"""Reads an experiment file: what is compared, on which data, with which flags, and what is
reported.

``recipes/README.md`` explains the keys. Text may hold Jinja expressions, ``{{ updates // 8 }}``,
over the file's options, its groups of flags and a system's own values. What a training alone can
know (``start``, the checkpoint it starts from; ``data``, what its data folder says of itself;
``flops``, the counted operations of an update) is filled in by ``train.py``.
"""

import argparse
import json
import re
import shlex
from pathlib import Path

import jinja2
import jinja2.sandbox
import yaml

from fairseq_genext.errors import UsageError
from fairseq_genext.evaluation.sections import SECTIONS

KINDS = {  # of data, and its keys other than kind, corpus and folder
    "sentences": {"vocabulary", "verses"},
    "pairs": {"vocabulary", "verses", "max_words", "source", "target"},
    "oracle": {"flags", "weights"},
    "images": set(),
}
NEEDED = {"vocabulary", "source", "target"}  # where a kind has them
CORPORA = {"clauses": "sentences", "kjv-bbe": "pairs", "oracle": "oracle", "digits": "images"}
TOP = {
    "title", "about", "notes", "options", "data", "seeds", "flags", "systems", "sample",
    "translate", "language_model_score", "tables", "report",
}  # fmt: skip
SYSTEM = {
    "train", "untrained", "unigram", "samples", "start", "set", "data", "family", "label", "note",
    "include", "only", "seeds", "checkpoint", "table", "baseline", "curve", "published",
}  # fmt: skip
SOURCES = ("train", "untrained", "unigram", "samples")  # where a system's output comes from
SAMPLE = {
    "number": 1000, "temperatures": [1.0], "top_p": [], "max_length": 40, "batch_size": 250,
}  # fmt: skip
SCORE = {"updates": 200}
INCLUDE = ("default", "named", "always")
OPTION = {"default", "help", "choices", "path"}
# Flags of fairseq-train that a recipe gives itself.
OWN = ("--save-dir", "--user-dir", "--seed", "--log-file", "--log-format", "--no-save")
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")

ENVIRONMENT = jinja2.sandbox.SandboxedEnvironment(undefined=jinja2.StrictUndefined)


class UniqueKeys(yaml.SafeLoader):
    """Refuses a key that stands twice in a mapping, of which YAML would keep the last."""

    def construct_mapping(self, node, deep=False):
        own = [key.value for key, _ in node.value if key.tag != "tag:yaml.org,2002:merge"]
        for key in own:
            if own.count(key) > 1:
                line = node.start_mark.line + 1
                raise yaml.YAMLError(f"{key!r} stands twice in the mapping from line {line}")
        return super().construct_mapping(node, deep)


class Anything:
    """Stands for a number that is not known yet, so that a template can be checked without it."""

    def __init__(self) -> None:
        self.asked = False

    def __getattr__(self, name: str) -> int:
        if name.startswith("__"):
            raise AttributeError(name)
        self.asked = True
        return 10**9


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
            text = value.strip()
            if text.startswith("{{") and text.find("}}") == len(text) - 2:
                value = ENVIRONMENT.compile_expression(text[2:-2], False)(**names)
                if isinstance(value, jinja2.Undefined):
                    raise jinja2.UndefinedError(f"{text[2:-2].strip()!r} is undefined")
            else:
                value = ENVIRONMENT.from_string(value).render(names)
    except (jinja2.TemplateError, ArithmeticError, TypeError, ValueError) as error:
        raise UsageError(f"{where}: {error}") from None
    raise UsageError(f"{where}: its names never come to an end")


def check_keys(mapping, known, where: str) -> None:
    """Raises UsageError unless ``mapping`` is one, with known keys only."""
    if not isinstance(mapping, dict):
        raise UsageError(f"{where} must be a mapping; see recipes/README.md")
    for key in mapping:
        if key not in known:
            raise UsageError(
                f"{where} has an unknown key {key!r}; known: {', '.join(sorted(known))}"
            )


def read_yaml(path: Path) -> dict:
    """The entries of an experiment file as they stand.

    Raises:
        UsageError: it is missing, is no YAML mapping, or has an unknown key.
    """
    try:
        entries = yaml.load(path.read_text(encoding="utf-8"), UniqueKeys)
    except OSError:
        raise UsageError(f"{path} does not exist or cannot be read") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} is no valid YAML: {' '.join(str(error).split())}") from None
    check_keys(entries, TOP, str(path))
    for key in ("title", "data", "systems", "report"):
        if not entries.get(key):
            raise UsageError(f"{path} has no {key}; see recipes/README.md")
    for name, option in (entries.get("options") or {}).items():
        check_keys(option, OPTION, f"{path}: options.{name}")
        if "default" not in option or "help" not in option:
            raise UsageError(f"{path}: options.{name} needs a default and a help")
    return entries


class OneLine(argparse.ArgumentParser):
    """A parser whose errors are one line."""

    def error(self, message: str):
        raise UsageError(f"{message}; see --help")


def build_parser(entries: dict, path: Path) -> argparse.ArgumentParser:
    """The command line of an experiment: its own options and those of all experiments."""
    names = ", ".join(entries["systems"])
    parser = OneLine(
        prog=f"bash recipes/compare.sh {path.stem}",
        description=f"{entries['title']}. {entries.get('about', '')}",
        epilog="Run again, it does only what something changed for; stopped, it goes on. What "
        "stands behind -- goes to snakemake. To start over, delete the output folder.",
        allow_abbrev=False,
    )
    for name, option in (entries.get("options") or {}).items():
        default, choices = option["default"], option.get("choices")
        text = option["help"].strip() + (f" (default: {default})" if default else "")
        if name.isupper():
            parser.add_argument(name, nargs="?", default="", help=text)
        else:
            metavar = "|".join(map(str, choices)) if choices else None
            flag = "--" + name.replace("_", "-")
            parser.add_argument(flag, dest=name, default=default, metavar=metavar, help=text)
    seeds = " ".join(map(str, entries.get("seeds", [1])))
    parser.add_argument(
        "--seeds", "--seed", default=seeds, metavar='"N …"',
        help=f"a run of every system for each (default: {seeds})",
    )  # fmt: skip
    parser.add_argument("--systems", metavar='"NAME …"', help=f"some of {names}")
    parser.add_argument("--output", type=Path, metavar="FOLDER", help=f"default: runs/{path.stem}")
    parser.add_argument("--jobs", metavar="N", help="steps side by side (default: every core)")
    parser.add_argument("--train-only", action="store_true", help="stop after the trainings")
    return parser


def positive(text, where: str, least: int = 1) -> int:
    """The whole number that ``text`` writes.

    Raises:
        UsageError: it is none, or less than ``least``.
    """
    if not str(text).isdecimal() or int(text) < least:
        raise UsageError(f"{where}: {text} is not a positive whole number")
    return int(text)


def read_options(entries: dict, args: argparse.Namespace) -> dict:
    """The values of an experiment's options by name, with those that a named choice stands for."""
    values: dict = {}
    for name, option in (entries.get("options") or {}).items():
        where = name if name.isupper() else "--" + name.replace("_", "-")
        value, choices = getattr(args, name), option.get("choices")
        if option.get("path"):
            if value and not Path(value).exists():
                raise UsageError(f"{value} does not exist: {where} must name a file or folder")
            value = str(Path(value).resolve()) if value else ""
        elif choices and value in choices and value != "N":
            values |= render(choices[value], values, f"options.{name}.{value}")
        elif choices and "N" in choices and str(value).isdecimal():
            number = {"N": positive(value, where)}
            values |= render(choices["N"], values | number, f"options.{name}.N")
        elif choices:
            raise UsageError(f"{where} {value} does not exist; choose one of {', '.join(choices)}")
        elif isinstance(option["default"], int):
            value = positive(value, where, least=min(1, option["default"]))
        values[name] = render(value, values, f"options.{name}")
    return values


def read_data(entries: dict, values: dict, path: Path) -> dict[str, dict]:
    """Every data set of the file, with its folder below the output.

    Raises:
        UsageError: a key or corpus is unknown, or a file of the user's folder is missing.
    """
    data = {}
    for name, given in entries["data"].items():
        where = f"{path}: data.{name}"
        given = render(given, values, where)
        kind = given.get("kind") if isinstance(given, dict) else None
        if kind not in KINDS:
            raise UsageError(f"{where} needs a kind, one of {', '.join(KINDS)}")
        check_keys(given, {"kind", "corpus", "folder"} | KINDS[kind], where)
        for key in NEEDED & KINDS[kind]:
            if not given.get(key):
                raise UsageError(f"{where} has no {key}")
        corpus, folder = given.get("corpus"), given.pop("folder", None)
        if folder:
            given.pop("corpus", None)
            given["from"] = str((path.parent / folder).resolve())
            given["files"] = user_files(Path(given["from"]), given, where)
        elif CORPORA.get(str(corpus)) != kind:
            known = [corpus for corpus, of in CORPORA.items() if of == kind]
            raise UsageError(f"{where} needs a folder or a corpus, one of {', '.join(known)}")
        if kind in [other["kind"] for other in data.values()]:
            raise UsageError(f"{where}: there is other data of kind {kind}; an experiment has one")
        data[name] = {**given, "folder": f"data/{name}"}
    return data


def user_files(folder: Path, given: dict, where: str) -> list[str]:
    """The files that data of a kind are read from.

    Raises:
        UsageError: the folder or one of its files is missing.
    """
    if not folder.is_dir():
        raise UsageError(f"{where}: {folder} is not a folder")
    if given["kind"] == "sentences":
        wanted = [[f"{split}.txt"] for split in ("train", "test")]
        optional = ["valid.txt"]
    elif given["kind"] == "pairs":
        wanted = [
            [f"{name}.{language}{packed}" for name in names for packed in ("", ".gz")]
            for language in (given["source"], given["target"])
            for names in PAIR_SPLITS.values()
        ]
        optional = []
    else:
        return [str(path) for path in sorted(folder.iterdir()) if path.is_file()]
    found = [str(folder / name) for name in optional if (folder / name).is_file()]
    for names in wanted:
        path = next((folder / name for name in names if (folder / name).is_file()), None)
        if path is None:
            raise UsageError(f"{where}: {folder} has no {' or '.join(names)}")
        found.append(str(path))
    return found


# Multi30k's names, and the plain ones.
PAIR_SPLITS = {"train": ["train"], "valid": ["val", "valid"], "test": ["test_2016_flickr", "test"]}


def read_systems(entries: dict, values: dict, data: dict, path: Path) -> dict[str, dict]:
    """Every system of the file that its ``only`` does not leave out, with defaults filled in.

    Raises:
        UsageError: a key, start, data set or choice is unknown, or keys do not go together.
    """
    systems = {}
    for name, given in entries["systems"].items():
        where = f"{path}: systems.{name}"
        if not NAME.fullmatch(str(name)):
            raise UsageError(f"{where}: a name has letters, digits, - and _ only")
        check_keys(given, SYSTEM, where)
        if not render(given.get("only", True), values, f"{where}.only"):
            continue
        kept = {key: given[key] for key in ("train", "set") if key in given}  # for train.py
        system = render({k: v for k, v in given.items() if k not in kept}, values, where) | kept
        if sum(key in system for key in SOURCES) != 1:
            raise UsageError(f"{where} needs one of {', '.join(SOURCES)}")
        system = {
            "data": next(iter(data)), "label": name, "start": None, "note": None,
            "include": "default", "checkpoint": "best", "set": {},
            "family": "likelihood" if "train" in system else "baseline",
        } | system  # fmt: skip
        if "samples" in system:
            system["samples"] = str((path.parent / system["samples"]).resolve())
            if not Path(system["samples"]).is_file():
                raise UsageError(f"{where}: {system['samples']} is not a file")
        if system["data"] not in data:
            raise UsageError(f"{where}: there is no data {system['data']!r}")
        for key, known in (("include", INCLUDE), ("checkpoint", ("best", "last"))):
            if system[key] not in known:
                raise UsageError(f"{where}: {key} is one of {', '.join(known)}")
        systems[name] = system
    for name, system in systems.items():
        for key in ("start", "untrained", "baseline"):
            other = system.get(key)
            if other is not None and other not in systems:
                raise UsageError(f"{path}: systems.{name}: {key} {other!r} is no system")
        for key in ("start", "untrained"):
            other = systems.get(system.get(key))
            if other and "train" not in other:
                raise UsageError(f"{path}: systems.{name}: {system[key]} is not trained")
        if name in ancestors(systems, name):
            raise UsageError(f"{path}: systems.{name} starts from itself")
    return systems


def ancestors(systems: dict, name: str) -> list[str]:
    """What a system needs: its start, that one's start and so on, or the system it is like."""
    found: list[str] = []
    while True:
        system = systems[name]
        name = system.get("start") or system.get("untrained")
        if name is None or name in found:
            return found
        found.append(name)


def choose(systems: dict, wanted: str | None) -> dict[str, dict]:
    """The systems of a run, in the file's order, with what they start from.

    Raises:
        UsageError: a wanted system does not exist or is named twice, or none is left.
    """
    names = [name for name, system in systems.items() if system["include"] == "default"]
    if wanted is not None:
        names = wanted.split()
        if not names:
            raise UsageError("--systems is empty; see --help")
        for name in names:
            if name not in systems:
                raise UsageError(f"there is no system {name}; choose among {', '.join(systems)}")
            if names.count(name) > 1:
                raise UsageError(f"--systems has {name} twice; see --help")
    needed = {name for name, system in systems.items() if system["include"] == "always"}
    for name in names:
        needed |= {name, *ancestors(systems, name)}
    if not needed:
        raise UsageError("there is nothing to compare: no system is left")
    return {name: system for name, system in systems.items() if name in needed}


def read_seeds(text: str) -> list[int]:
    """The seeds of a run.

    Raises:
        UsageError: there is none, one is no positive whole number, or one stands there twice.
    """
    seeds = [positive(seed, "--seeds") for seed in str(text).split()]
    if not seeds:
        raise UsageError("--seeds is empty; see --help")
    for seed in seeds:
        if seeds.count(seed) > 1:
            raise UsageError(f"--seeds has {seed} twice; see --help")
    return seeds


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
        flops = Anything()
        flags = flags_of(experiment, name, where, start="start.pt", data=Anything(), flops=flops)
        for own in OWN:
            if own in flags:
                raise UsageError(f"{where}.train: {own} is given by the recipe; leave it out")
        if (system["start"] is None) == ("start.pt" in flags):
            raise UsageError(f"{where}: start and {{{{ start }}}} in train go together")
        system |= {
            "flags": shlex.join(flags),
            "counted": flops.asked,
            "counting_flags": shlex.join(flags),
        }


def check_report(experiment: dict, path: Path) -> None:
    """Raises UsageError unless sections and settings are known and something can fill them."""
    if not isinstance(experiment["report"], list):
        raise UsageError(f"{path}: report must be a list of sections")
    for section in experiment["report"]:
        if section not in SECTIONS:
            known = ", ".join(SECTIONS)
            raise UsageError(f"{path}: report has an unknown section {section!r}; known: {known}")
        if experiment["report"].count(section) > 1:
            raise UsageError(f"{path}: report has the section {section} twice")
    where = f"{path}: sample"
    sample = experiment["sample"]
    positive(sample["number"], f"{where}.number", least=2)
    if 1.0 not in sample["temperatures"]:
        raise UsageError(f"{where}.temperatures must have 1.0, at which systems are compared")
    if not all(isinstance(t, int | float) and t > 0 for t in sample["temperatures"]):
        raise UsageError(f"{where}.temperatures must be numbers greater than 0")
    if not all(isinstance(p, int | float) and 0 < p < 1 for p in sample["top_p"]):
        raise UsageError(f"{where}.top_p must be numbers between 0 and 1")


def read(path: Path, argv: list[str]) -> tuple[dict, argparse.Namespace]:
    """The experiment of a file and a command line, checked as a whole before anything runs.

    Returns:
        The experiment, ready for JSON, and the arguments that are not its own: ``output``,
        ``jobs``, ``train_only``.

    Raises:
        UsageError: the file or an argument is wrong; the line names the place.
    """
    entries = read_yaml(path)
    args = build_parser(entries, path).parse_args(argv)
    options = read_options(entries, args)
    seeds = read_seeds(args.seeds)
    data = read_data(entries, options, path)
    systems = choose(read_systems(entries, options, data, path), args.systems)
    for name, system in systems.items():
        own = system.get("seeds", seeds)
        system["seeds"] = seeds[:1] if own == "first" else own
        if not isinstance(system["seeds"], list):
            raise UsageError(f"{path}: systems.{name}: seeds is a list or `first`")
        system["seeds"] = read_seeds(" ".join(map(str, system["seeds"])))
    experiment = {
        "name": path.stem,
        "title": render(entries["title"], options, f"{path}: title"),
        "notes": render(entries.get("notes", []), options | {"seeds": seeds}, f"{path}: notes"),
        "options": options,
        "flags": entries.get("flags") or {},
        "seeds": seeds,
        "data": data,
        "systems": systems,
        "translate": render(entries.get("translate") or {}, options, f"{path}: translate"),
        "tables": render(entries.get("tables") or {}, options, f"{path}: tables"),
        "report": entries["report"],
    }
    for key, defaults in (("sample", SAMPLE), ("language_model_score", SCORE)):
        given = render(entries.get(key) or {}, options, f"{path}: {key}")
        check_keys(given, defaults, f"{path}: {key}")
        experiment[key] = defaults | given if given or key == "sample" else None
    check_report(experiment, path)
    check_trainings(experiment, path)
    return json.loads(json.dumps(experiment)), args
