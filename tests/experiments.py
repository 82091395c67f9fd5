"""Experiments' folders as the engine leaves them, written from small figures."""

import json
from pathlib import Path

import numpy as np

from fairseq_genext.evaluation.image_quality import HELD_OUT, ImageMetrics, read_real
from fairseq_genext.evaluation.metrics.text_metrics import TextMetrics

PINNED = Path(__file__).parent / "unit" / "evaluation" / "pinned"
TEXTS = {"kind": "sentences", "folder": "data"}


def pinned(name: str) -> tuple[dict, dict]:
    """Inputs and figures of a report before the reports became one."""
    read = json.loads((PINNED / f"{name}.json").read_text())
    return read["inputs"], read["figures"]


def write_json(path: Path, content) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))


def write_lines(path: Path, lines: list[str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{line}\n" for line in lines))


def change_json(path: Path, change) -> None:
    """Rewrites a file after ``change(content)``."""
    content = json.loads(path.read_text())
    change(content)
    write_json(path, content)


def write_experiment(
    folder: Path, systems: dict, points: dict, settings: dict, costs: dict, **entries
) -> None:
    """Writes experiment.json, trained/ and measured/.

    Args:
        folder: where.
        systems: as in experiment.json.
        points: by system and seed.
        settings: of every measured file.
        costs: by system and seed; a system without is not trained if it is a baseline.
        entries: further ones of experiment.json.
    """
    write_json(
        folder / "experiment.json", {"title": "A <small> report", **entries, "systems": systems}
    )
    for name, by_seed in points.items():
        for seed, measured in by_seed.items():
            file = name if seed is None else f"{name}.{seed}"
            write_json(folder / f"measured/{file}.json", {"settings": settings, "points": measured})
    for name, system in systems.items():
        for seed in system["seeds"]:
            if system["family"] != "baseline":
                write_json(
                    folder / f"trained/{name}.{seed}.json", costs.get(name, {}).get(seed, {})
                )


def words(lines: list[str]) -> list[list[str]]:
    return [line.split() for line in lines]


def quickstart(folder: Path) -> dict:
    """Free text of two systems and a translation by one; returns what it was pinned to."""
    inputs, figures = pinned("report")
    texts = inputs["texts"]
    for name, file in (("test", "held_out"), ("train", "train"), ("valid", "held_out")):
        write_lines(folder / f"data/{name}.txt", texts[f"{file}.txt"])
    write_lines(folder / "pairs/test.old", texts["source.txt"])
    write_lines(folder / "pairs/test.new", texts["target.txt"])
    write_lines(folder / "models/good.log", inputs["log"])
    metrics = TextMetrics(words(texts["held_out.txt"]), words(texts["train.txt"]))
    points: dict = {}
    for name in ("held_out", "good", "bad"):
        write_lines(folder / f"samples/{name}.txt", texts[f"{name}.txt"])
        point = {"temperature": None if name == "held_out" else 1.0, "top_p": 1.0}
        point |= {"samples": f"samples/{name}.txt"} | metrics.measure(words(texts[f"{name}.txt"]))
        points[name] = {None if name == "held_out" else 1: [point]}
    points["good"][1][0]["perplexity"] = inputs["perplexity"]
    write_lines(folder / "samples/same.txt", texts["same.txt"])
    points["s2s"] = {1: [{"decoding": "greedy", "translations": "samples/same.txt"}]}
    text = {"data": "text", "seeds": [1], "family": "likelihood"}
    systems = {
        "good": text | {"label": "good one"},
        "bad": text | {"label": "bad one"},
        "s2s": text | {"data": "pairs", "note": "perfect"},
    }
    data = {"text": TEXTS, "pairs": TEXTS | {"kind": "pairs", "folder": "pairs"}}
    data["pairs"] |= {"source": "old", "target": "new"}
    costs = {"good": {1: {"parameters": 12345, "log": "models/good.log"}}}
    write_experiment(
        folder, systems, points, {"num_references": 3, "encoder": metrics.encoder.name}, costs,
        data=data, command="bash recipes/some.sh", notes=["The last <word>."],
        report=["quality", "translation", "costs", "samples", "training"],
    )  # fmt: skip
    return figures


def comparison(folder: Path, seeds=(1, 2, 3)) -> dict:
    """Likelihood models and GANs over seeds and temperatures; returns what it was pinned to."""
    inputs, figures = pinned("comparison")
    for name, lines in inputs["texts"].items():
        write_lines(folder / "data" / name, lines)
    write_lines(folder / "models/gan.log", inputs["log"])
    metrics = TextMetrics(*(words(inputs["texts"][f"{name}.txt"]) for name in ("test", "train")))
    held_out = inputs["texts"]["valid.txt"][:2]
    write_lines(folder / "samples/held_out.txt", held_out)
    points: dict = {"held_out": {None: [{"temperature": None, "samples": "samples/held_out.txt"}]}}
    points["held_out"][None][0] |= metrics.measure(words(held_out))
    systems: dict = {}
    costs: dict = {}
    for entry in inputs["manifest"]["systems"]:
        name = entry["name"]
        systems[name] = {key: entry[key] for key in ("family", "start")}
        systems[name] |= {"data": "text", "seeds": list(seeds)}
        points[name], costs[name] = {}, {}
        for seed in seeds:
            points[name][seed] = [
                point | {"samples": f"samples/{seed}/{point['samples']}"}
                for point in inputs["sweeps"][str(seed)]["systems"][name]
            ]
            for point in points[name][seed]:
                write_lines(folder / point["samples"], inputs["samples"])
            perplexity = inputs["perplexity_good"][seed - 1] if name == "good" else 50 + seed
            points[name][seed][1]["perplexity"] = perplexity
            # What was pinned had the start's seconds in the GAN's.
            spent = 100 * seed if entry["start"] is None else 0
            costs[name][seed] = {"seconds": spent, "parameters": 12345}
            if entry["start"] is not None:
                costs[name][seed]["log"] = "models/gan.log"
    write_experiment(
        folder, systems, points, {"num_references": 3, "encoder": metrics.encoder.name}, costs,
        data={"text": TEXTS}, report=["quality", "curves", "gains", "costs", "samples", "training"],
    )  # fmt: skip
    return figures


def oracle(folder: Path) -> dict:
    """Two seeds of a likelihood model and GANs; returns what it was pinned to."""
    inputs, figures = pinned("oracle_report")
    points: dict = {}
    for seed, plane in inputs["planes"].items():
        for name, measured in plane["systems"].items():
            points.setdefault(name, {})[int(seed)] = measured
    systems = {
        entry["name"]: {key: entry[key] for key in ("start", "curve", "published") if key in entry}
        | {"data": "oracle", "seeds": [1, 2]}
        | {"family": "gan" if "start" in entry else "likelihood"}
        for entry in inputs["manifest"]["systems"]
    }
    gan = {"updates": 10, "seconds": 4}
    costs: dict = {"mle": {seed: {"updates": 20, "seconds": 6} for seed in (1, 2)}}
    costs["gan"] = {1: gan | {"checkpoint_updates": 20}, 2: gan | {"checkpoint_updates": 30}}
    write_experiment(
        folder, systems, points, inputs["planes"]["1"]["settings"], costs,
        data={"oracle": {"kind": "oracle", "folder": "oracle"}}, report=["oracle"],
    )  # fmt: skip
    return figures


def translation(folder: Path) -> dict:
    """A baseline, a better system of two seeds, one as good; returns what it was pinned to."""
    inputs, figures = pinned("translation_report")
    write_lines(folder / "data/test.old", inputs["texts"]["source.txt"])
    write_lines(folder / "data/test.new", inputs["texts"]["target.txt"])
    write_lines(folder / "models/poor.log", inputs["log"])
    systems: dict = {}
    points: dict = {}
    costs: dict = {}
    for entry in inputs["manifest"]["tables"][0]["systems"]:
        name = entry["name"].replace(" ", "_")
        systems[name] = {"label": entry["name"], "data": "pairs", "family": "likelihood"}
        systems[name] |= {"table": "Systems", "baseline": "poor", "note": entry.get("note")}
        systems[name]["seeds"] = [run["seed"] for run in entry["runs"]]
        for run in entry["runs"]:
            file = run["translations"][0]["hypotheses"]
            write_lines(folder / f"translations/{file}", inputs["texts"][file])
            point = {"decoding": "greedy", "translations": f"translations/{file}"}
            points.setdefault(name, {})[run["seed"]] = [point]
            cost = {key: run[key] for key in ("updates", "seconds") if key in run}
            cost |= {"parameters": entry.get("parameters")}
            cost |= {"log": "models/poor.log"} if "log" in run else {}
            costs.setdefault(name, {})[run["seed"]] = cost
    data = {"kind": "pairs", "folder": "data", "source": "old", "target": "new"}
    write_experiment(
        folder, systems, points, {}, costs, data={"pairs": data}, report=["translation"],
        tables={"Systems": "one table"},
    )  # fmt: skip
    return figures


def images(folder: Path) -> dict:
    """Two checkpoints of an image GAN; returns what it was pinned to."""
    inputs, figures = pinned("image_report")
    (folder / "real").mkdir(parents=True)

    def pixels(rows: list[list[int]]) -> np.ndarray:
        return np.array(rows, np.uint8).reshape(-1, inputs["height"], inputs["width"])

    for split, real in inputs["real"].items():
        np.savez(
            folder / f"real/{split}.npz", images=pixels(real["images"]), labels=real["labels"],
            source=inputs["source"],
        )  # fmt: skip
    write_lines(folder / "models/gan.log", inputs["log"])
    train, valid = read_real(folder / "real")
    metrics = ImageMetrics(train, valid)
    measured = []
    for entry in inputs["manifest"]["checkpoints"]:
        made = pixels(inputs["samples"][entry["samples"]])
        np.save(folder / entry["samples"], made)
        point = {"updates": entry["updates"], "images": entry["samples"]}
        measured.append(point | metrics.measure(made, f"{entry['updates']:,} updates"))
    settings = {
        "features": metrics.features, "classifier_accuracy": metrics.accuracy,
        "number_real": len(train.pixels), "real": "real", "source": train.source,
        "explanation": metrics.explanation(),
    }  # fmt: skip
    real = metrics.measure(valid.pixels, HELD_OUT)
    write_experiment(
        folder, {"gan": {"data": "digits", "family": "gan", "seeds": [1]}},
        {"gan": {1: measured}, "held_out_images": {None: [real]}},
        settings, {"gan": {1: {"parameters": 1234, "log": "models/gan.log"}}},
        data={"digits": {"kind": "images", "folder": "real"}},
        report=["images", "costs", "training"],
    )  # fmt: skip
    return figures
