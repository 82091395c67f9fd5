"""The systems of a comparison: what sweeps, scores and the manifest say of every seed."""

import json
import statistics
from dataclasses import dataclass
from pathlib import Path

from fairseq_genext.errors import UsageError
from fairseq_genext.evaluation.reporting.manifest import Manifest, check_systems, require
from fairseq_genext.files import read_lines

FAMILIES = {"likelihood": "likelihood-trained model", "gan": "GAN", "baseline": "baseline"}
COSTS = (
    "parameters", "generator_parameters", "updates", "seconds", "tokens_seen", "peak_memory_mib",
)  # fmt: skip
SCORES = ("lm_score", "reverse_lm_score", "frechet", "mauve")


@dataclass
class Run:
    """One seed of a system.

    Attributes:
        figures: at temperature 1 by name, with what the training cost.
        curve: the sweep's points, each a mapping with ``temperature`` and ``top_p``.
        samples: file of the samples at temperature 1.
        log: the training's log, or None.
    """

    figures: dict[str, float]
    curve: list[dict]
    samples: Path
    log: Path | None


@dataclass
class System:
    """A system and its runs by seed.

    Attributes:
        name: as in the sweeps.
        family: a key of ``FAMILIES``.
        start: name of the likelihood-trained system that it started from, or None.
        note: what to know when reading its row.
        runs: at least one, by seed.
    """

    name: str
    family: str
    start: str | None
    note: str | None
    runs: dict[str, Run]

    def values(self, figure: str) -> list[float]:
        """The figure of every seed that has it."""
        found = (run.figures.get(figure) for run in self.runs.values())
        return [value for value in found if value is not None]

    def mean(self, figure: str) -> float:
        """Mean over the seeds."""
        return statistics.fmean(self.values(figure))

    @property
    def first(self) -> Run:
        """The run of the first seed."""
        return next(iter(self.runs.values()))


def read_manifest(path: Path) -> Manifest:
    """The manifest; see ``comparison``.

    Raises:
        UsageError: it is missing, is no YAML mapping, or lacks or confuses an entry.
    """
    manifest = Manifest(path, "title", "references", "train", "sweeps", "systems")
    if not isinstance(manifest.entries["sweeps"], dict) or not manifest.entries["sweeps"]:
        raise UsageError(f"{path}: sweeps must map seeds to sweep.json files; see --help")
    systems = manifest.entries["systems"]
    check_systems(systems, f"{path}: systems", "name", "family", "runs")
    names = [system["name"] for system in systems]
    for system in systems:
        where = f"{path}: {system['name']}"
        if system["family"] not in FAMILIES:
            raise UsageError(f"{where}: family must be one of {', '.join(FAMILIES)}")
        if not isinstance(system["runs"], list) or not system["runs"]:
            raise UsageError(f"{where} has no runs; it needs one a seed")
        for run in system["runs"]:
            require(run, f"{where}: a run", "seed")
        seeds = [run["seed"] for run in system["runs"]]
        if repeated := {seed for seed in seeds if seeds.count(seed) > 1}:
            raise UsageError(f"{where} has two runs of seed {repeated.pop()}")
        if system.get("start") is not None and system["start"] not in names:
            raise UsageError(f"{where}: its start {system['start']!r} is no system here")
    for number, image in enumerate(manifest.entries.get("images") or [], start=1):
        require(image, f"{path}: images, number {number}", "caption", "file")
    return manifest


def read_systems(manifest: Manifest) -> list[System]:
    """Every system with its runs.

    Raises:
        UsageError: a sweep lacks a system or its temperature 1, sweeps differ in their number of
            samples or references, or scores differ in their encoder.
    """
    sweeps = {str(seed): name for seed, name in manifest.entries["sweeps"].items()}
    swept = {seed: _read_json(manifest.folder / name, "systems") for seed, name in sweeps.items()}
    scored = read_scores(manifest)
    encoder = encoder_name(manifest)
    systems = []
    for entry in manifest.entries["systems"]:
        runs = {}
        for given in entry["runs"]:
            seed = str(given["seed"])
            where = f"{manifest.path}: {entry['name']}, seed {seed}"
            if seed not in swept:
                raise UsageError(f"{where}: sweeps has no such seed")
            path = manifest.folder / sweeps[seed]
            figures = {name: given[name] for name in COSTS if given.get(name) is not None}
            if given.get("perplexity") is not None:
                figures["perplexity"] = manifest.perplexity(given["perplexity"])
            curve = swept[seed]["systems"].get(entry["name"])
            if not curve:
                raise UsageError(f"{path} has no system called {entry['name']!r}")
            plain = next((p for p in curve if (p["temperature"], p["top_p"]) == (1, 1)), None)
            if plain is None:
                raise UsageError(f"{path}: {entry['name']} was not sampled at temperature 1")
            # The sweep's seconds are those of sampling; its rate says that better.
            dropped = {"samples", "seconds", "temperature", "top_p"}
            if scored and encoder != _encoder(swept[seed]):
                dropped.add("frechet")
            figures |= {name: value for name, value in plain.items() if name not in dropped}
            figures |= scores_of(scored.get(seed), entry["name"])
            log = manifest.folder / given["log"] if given.get("log") else None
            runs[seed] = Run(figures, curve, path.parent / plain["samples"], log)
        systems.append(
            System(entry["name"], entry["family"], entry.get("start"), entry.get("note"), runs)
        )
    _check_alike(manifest, systems, swept)
    return systems


def _check_alike(manifest: Manifest, systems: list[System], swept: dict[str, dict]) -> None:
    # Self-BLEU grows with the number of samples, BLEU with that of references.
    curves = [run.curve for system in systems for run in system.runs.values()]
    numbers = {point["num_samples"] for curve in curves for point in curve}
    if len(numbers) > 1:
        told = " and ".join(map(str, sorted(numbers)))
        raise UsageError(f"{manifest.path}: sweeps have {told} samples a point; take one number")
    references = len(manifest.lines(manifest.entries["references"]))
    for seed, sweep in swept.items():
        measured = sweep.get("settings", {}).get("num_references", references)
        if measured != references:
            raise UsageError(
                f"{manifest.path}: the sweep of seed {seed} was measured against {measured} "
                f"references, and {manifest.entries['references']} has {references}"
            )


def read_scores(manifest: Manifest) -> dict[str, dict]:
    """The output of ``genext-evaluate --json`` by seed, where there is one.

    Raises:
        UsageError: a file is missing or no such output, or two differ in their encoder.
    """
    entries = manifest.entries.get("scores") or {}
    scored = {
        str(seed): _read_json(manifest.folder / name, "figures") for seed, name in entries.items()
    }
    if len({_encoder(scores) for scores in scored.values()}) > 1:
        raise UsageError(f"{manifest.path}: scores were measured with different encoders")
    return scored


def scores_of(scored: dict | None, *names: str) -> dict[str, float]:
    """What ``genext-evaluate --json`` says of samples that need more than the texts.

    A column belongs to a system if it, its file without ending, or its folder has the system's
    name: ``gpt_doc.txt`` as well as ``sweeps/1/gpt_doc/t1.00.txt``.
    """
    for column, figures in (scored or {"figures": {}})["figures"].items():
        path = Path(column)
        if {column, path.stem, path.parent.name} & set(names):
            return {name: figures[name] for name in SCORES if figures.get(name) is not None}
    return {}


def encoder_name(manifest: Manifest) -> str | None:
    """The encoder of the Fréchet distances and MAUVE: of the scores, else of the sweeps."""
    sweeps = manifest.entries["sweeps"].values()
    written = [*read_scores(manifest).values()]
    written += [_read_json(manifest.folder / name) for name in sweeps]
    return next(filter(None, map(_encoder, written)), None)


def _encoder(written: dict) -> str | None:
    return written.get("settings", {}).get("encoder")


def _read_json(path: Path, *needed: str) -> dict:
    try:
        entries = json.loads("\n".join(read_lines(path)))
    except json.JSONDecodeError as error:
        raise UsageError(f"{path} is not valid JSON: {error}") from None
    for name in needed:
        if not isinstance(entries, dict) or name not in entries:
            raise UsageError(f"{path} has no entry {name!r}")
    return entries
