"""Reads what an experiment has left in its folder into one tidy table.

Of the folder it reads ``experiment.json`` (what is compared), ``trained/NAME.SEED.json`` (what a
training cost), ``measured/NAME.SEED.json`` (figures, a point for each temperature, decoding or
checkpoint), ``measured/held_out.json`` and ``held_out_images.json`` (real data measured alike) and
``benchmarks/*.tsv`` (Snakemake's time and memory of every step). Paths in them are relative to the
folder.
"""

import statistics
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path

import pandas as pd

from fairseq_genext.data.pieces import normalizer
from fairseq_genext.errors import UsageError
from fairseq_genext.evaluation.seeds import deviation, spread
from fairseq_genext.evaluation.tables import DECIMALS
from fairseq_genext.files import read_json, read_points

FAMILIES = {"likelihood": "likelihood-trained model", "gan": "GAN", "baseline": "baseline"}
HELD_OUT = "held_out"
HELD_OUT_IMAGES = "held_out_images"
HELD_OUT_LABELS = {HELD_OUT: "held-out text", HELD_OUT_IMAGES: "held-out real images"}
CONDITIONS = ("temperature", "top_p", "decoding", "updates")
FILES = ("samples", "translations", "images", "answers")
# What every point of a kind of data has.
NEEDED = {
    "sentences": ("samples", "num_samples", "bleu_3", "self_bleu_3"),
    "pairs": ("decoding", "translations"),
    "oracle": ("temperature", "oracle_nll", "test_nll", "self_bleu_2", "duplicates"),
    "images": ("updates", "images", "frechet"),
    "questions": ("answers", "exact_match", "f1", "by_task", "by_facts"),
}
# A start's training is part of what a system has cost.
ADDED = ("updates", "seconds", "processor_seconds", "tokens_seen")
# Names that mean one thing in a file, and several in a table of all files.
COST_NAMES = {"tokens_per_second": "training_tokens_per_second"}
POINT_NAMES = {"tokens_per_second": "sampling_tokens_per_second", "seconds": "sampling_seconds"}


@dataclass(frozen=True)
class System:
    """A compared system; the attributes are the entries of ``experiment.json``.

    Attributes:
        name: its key.
        data: name of the data that it is trained on.
        family: a key of ``FAMILIES``.
        seeds: one training a seed.
        label: its name in the report.
        start: the system whose weights it started from, or whose samples it chooses among.
        note: what to know when reading its row.
        table: title of the table that it stands in (translation).
        baseline: the system that the paired tests compare it with (translation).
        curve: likelihood models whose temperatures it has to beat (oracle).
        published: NLL_oracle of its paper (oracle).
    """

    name: str
    data: str
    family: str
    seeds: list[int]
    label: str
    start: str | None = None
    note: str | None = None
    table: str | None = None
    baseline: str | None = None
    curve: tuple[str, ...] = ()
    published: float | None = None


class Results:
    """The figures of an experiment.

    Attributes:
        experiment: the entries of ``experiment.json``.
        systems: by name, in the order of the report.
        points: by system and seed, the measured points; file names are whole paths.
        logs: the training log by system and seed, where there was a training.
        flags: of fairseq-train, by system and seed, where there was a training.
        settings: by system and seed, what the points were measured with.
        table: a row a figure with ``system``, ``family``, ``seed``, ``temperature``, ``top_p``,
            ``decoding``, ``updates`` (missing where it is no condition of the figure), ``figure``,
            ``value`` and ``ci``, half the width of its 95 % interval. The costs of a training are
            figures without conditions; those of its start are added.

    Args:
        folder: of the experiment.

    Raises:
        UsageError: a file is missing or odd, or two cannot be compared.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = folder / "experiment.json"
        self.experiment = read_json(self.path, title=str, data=dict, systems=dict, report=list)
        self.systems = {
            name: self._system(name, entry) for name, entry in self.experiment["systems"].items()
        }
        self.points: dict[str, dict[int | None, list[dict]]] = {}
        self.settings: dict[str, dict[int | None, dict]] = {}
        self.logs: dict[str, dict[int, Path]] = {name: {} for name in self.systems}
        self.flags: dict[str, dict[int, str]] = {name: {} for name in self.systems}
        rows: list[dict] = []
        for name, system in self.systems.items():
            for seed in system.seeds:
                costs = self._costs(system, seed)
                if costs.get("log"):
                    self.logs[name][seed] = folder / costs["log"]
                if costs.get("flags"):
                    self.flags[name][seed] = costs["flags"]
                rows += _tidy(costs, {"system": name, "family": system.family, "seed": seed})
                if (kind := self.kind(system)) in NEEDED:  # of characters there are no samples
                    rows += self._measured(name, system.family, seed, NEEDED[kind])
        for name in HELD_OUT_LABELS:
            if self._file(name, None).exists():
                rows += self._measured(name, "held-out", None)
        columns = ["system", "family", "seed", *CONDITIONS, "figure", "value", "ci"]
        self.table = pd.DataFrame(rows, columns=columns).astype({"seed": "Int64"})
        self._plain: dict[tuple[str, str], dict[int | None, tuple]] = defaultdict(dict)
        for row in filter(_is_plain, rows):
            self._plain[row["system"], row["figure"]][row["seed"]] = row["value"], row["ci"]
        self._check_texts()

    def _system(self, name: str, entry: dict) -> System:
        if not isinstance(entry, dict):
            raise UsageError(f"{self.path}: system {name} is no mapping")
        known = {field.name for field in fields(System)}
        given = {key: value for key, value in entry.items() if key in known and value is not None}
        if "resampled" in entry:
            given["start"] = entry["resampled"]
        try:
            return System(**{"name": name, "label": name, **given})
        except TypeError as error:
            raise UsageError(f"{self.path}: system {name}: {error}") from None

    def _file(self, name: str, seed: int | None) -> Path:
        file = f"{name}.json" if seed is None else f"{name}.{seed}.json"
        return self.folder / "measured" / file

    def _costs(self, system: System, seed: int) -> dict:
        path = self.folder / "trained" / f"{system.name}.{seed}.json"
        if not self.trained(system) or (system.family == "baseline" and not path.exists()):
            return {}
        costs = {COST_NAMES.get(name, name): value for name, value in read_json(path).items()}
        if system.start is not None:
            before = self._costs(self.systems[system.start], seed)
            for name in ADDED:
                whole = costs.get(name) is not None and before.get(name) is not None
                costs[name] = costs[name] + before[name] if whole else None
        return costs

    def _measured(
        self, name: str, family: str, seed: int | None, needed: tuple[str, ...] = ()
    ) -> list[dict]:
        path = self._file(name, seed)
        settings = read_json(path, settings=dict)["settings"]
        points, rows = [], []
        for entry in read_points(path, *needed):
            point = {POINT_NAMES.get(key, key): value for key, value in entry.items()}
            point |= {key: self.folder / point[key] for key in FILES if key in point}
            points.append(point)
            where = {"system": name, "family": family, "seed": seed}
            where |= {key: point.get(key) for key in CONDITIONS}
            shares = {f"share_{label}": share for label, share in point.get("shares", {}).items()}
            rows += _tidy(point | shares, where)
        self.points.setdefault(name, {})[seed] = points
        self.settings.setdefault(name, {})[seed] = settings
        return rows

    def _check_texts(self) -> None:
        # Self-BLEU grows with the number of samples, BLEU with that of references.
        seen: dict = {}
        texts = [name for name, system in self.systems.items() if self.kind(system) == "sentences"]
        for name in [*texts, HELD_OUT]:
            for seed, points in self.points.get(name, {}).items():
                path, settings = self._file(name, seed), self.settings[name][seed]
                if self.at_temperature_1(name, seed) is None:
                    raise UsageError(f"{path}: {name} was not sampled at temperature 1")
                found = [(settings.get("num_references"), "references")]
                found += [(settings.get(key), f"as {key}") for key in ("encoder", "tokenize")]
                if name != HELD_OUT:  # which a small corpus has less of
                    found += [(point["num_samples"], "samples a point") for point in points]
                for value, what in found:
                    first, file = seen.setdefault(what, (value, path))
                    if value != first:
                        raise UsageError(f"{path} has {value} {what}, and {file} has {first}")

    def trained(self, system: System) -> bool:
        """Whether the experiment trains it; what an earlier one of its name has left counts not."""
        return (
            not {"untrained", "resampled", "unigram", "samples"}
            & self.experiment["systems"][system.name].keys()
        )

    def kind(self, system: System) -> str:
        """Kind of a system's data: sentences, pairs, oracle, images, questions or characters."""
        return self.experiment["data"][system.data]["kind"]

    def of_kind(self, kind: str, section: str) -> list[System]:
        """The systems on data of a kind, for a section that shows them.

        Raises:
            UsageError: there is none.
        """
        found = [system for system in self.systems.values() if self.kind(system) == kind]
        if not found:
            raise UsageError(f"{self.path}: section {section} needs a system on data of {kind}")
        return found

    def text_file(self, system: System, name: str) -> Path:
        """A text of a system's data, such as ``train.txt``."""
        return self.folder / self.experiment["data"][system.data]["folder"] / name

    def normalizer(self, system: System) -> Callable[[str], str]:
        """What real text must go through to be compared with a system's output."""
        model = self.text_file(system, "pieces.model")
        return normalizer(model) if model.exists() else str

    def label(self, name: str) -> str:
        """A system's name in the report."""
        return HELD_OUT_LABELS.get(name) or self.systems[name].label

    def at_temperature_1(self, name: str, seed: int | None) -> dict | None:
        """The point that stands for a system: temperature 1, no top-p; None without one."""
        return next(filter(_is_plain, self.points.get(name, {}).get(seed, [])), None)

    def held_out_point(self) -> dict | None:
        """That of held-out text; None where it has fewer lines than systems have samples.

        Self-BLEU grows with their number, so it would stand too far left among the systems.
        """
        point = self.at_temperature_1(HELD_OUT, None)
        texts = [name for name, system in self.systems.items() if self.kind(system) == "sentences"]
        number = max((self.first_point(name)["num_samples"] for name in texts), default=0)
        return point if point is None or point["num_samples"] >= number else None

    def first_point(self, name: str) -> dict:
        """The point that stands for a system, of its first seed."""
        return self.at_temperature_1(name, next(iter(self.points[name])))

    def values(self, name: str, figure: str) -> dict[int | None, float]:
        """A figure by seed: a cost of the training, or of the samples at temperature 1."""
        return {seed: value for seed, (value, _) in self._plain.get((name, figure), {}).items()}

    def mean(self, name: str, figure: str) -> float | None:
        """Mean over the seeds; None without the figure."""
        values = self.values(name, figure)
        return statistics.fmean(values.values()) if values else None

    def interval(self, name: str, figure: str) -> float | None:
        """Half the width of the 95 % interval over samples, of a system with one seed."""
        found = list(self._plain.get((name, figure), {}).values())
        return found[0][1] if len(found) == 1 and pd.notna(found[0][1]) else None

    def error(self, name: str, figure: str) -> float | None:
        """Deviation over seeds, or for one seed the interval over samples."""
        spread_over_seeds = deviation(list(self.values(name, figure).values()))
        return self.interval(name, figure) if spread_over_seeds is None else spread_over_seeds

    def text(self, name: str, figure: str) -> str | None:
        """Mean ± deviation over seeds, or ± 95 % interval for one seed; None without the figure."""
        values, decimals = list(self.values(name, figure).values()), DECIMALS.get(figure, 3)
        return spread(values, decimals, interval=self.interval(name, figure)) if values else None

    def summary(self, name: str, figures) -> dict[str, dict]:
        """``mean``, ``deviation``, ``ci`` and ``values`` (by seed) of every figure there is."""
        return {
            figure: {
                "mean": self.mean(name, figure),
                "deviation": deviation(list(values.values())),
                "ci": self.interval(name, figure),
                "values": values,
            }
            for figure in figures
            if (values := self.values(name, figure))
        }


def _tidy(figures: dict, where: dict) -> list[dict]:
    return [
        {**where, "figure": name, "value": float(value), "ci": figures.get(f"{name}_ci")}
        for name, value in figures.items()
        if isinstance(value, int | float) and name not in where and not name.endswith("_ci")
    ]


def _is_plain(row: dict) -> bool:
    """Whether a figure stands for its system: a cost, or of samples at temperature 1."""
    alone = row.get("decoding") is None and row.get("updates") is None
    return alone and all(row.get(name) in (None, 1) for name in ("temperature", "top_p"))
