"""How an image generator learned: grids of samples, and their quality at every checkpoint."""

from pathlib import Path

import pandas as pd

from fairseq_genext.data.images import read_split
from fairseq_genext.errors import UsageError
from fairseq_genext.evaluation.image_grid import write_grid
from fairseq_genext.evaluation.image_quality import LEAST_SHARE, read_samples, table
from fairseq_genext.evaluation.plots import picture
from fairseq_genext.evaluation.results import HELD_OUT_IMAGES, Results
from fairseq_genext.evaluation.sections import page
from fairseq_genext.evaluation.seeds import spread
from fairseq_genext.evaluation.tables import columns, format_table


def findings(rows: list[dict], held_out: dict) -> list[str]:
    """The last checkpoint against real images, whether classes are left out, the best distance."""
    last = rows[-1]
    best = min(rows, key=lambda row: row["frechet"])
    distance = f"{last['frechet']:.2f} (held-out real images {held_out['frechet']:.2f})"
    said = [f"After {last['updates']:,} updates: Fréchet distance {distance}."]
    if "verdict" in last:
        said.append(f"{last['verdict'][0].upper()}{last['verdict'][1:]}.")
    if best is not last:
        told = f"The best distance, {best['frechet']:.2f}, was reached after"
        said.append(f"{told} {best['updates']:,}.")
    return said


def compare(points: dict[str, dict[int, list[dict]]]) -> pd.DataFrame:
    """The systems at the end of training, and at their best: means ± deviation over seeds.

    Args:
        points: of each system by its label, of each seed, a row a checkpoint.
    """
    rows = []
    for label, by_seed in points.items():
        last = [checkpoints[-1] for checkpoints in by_seed.values()]
        best = [min(row["frechet"] for row in checkpoints) for checkpoints in by_seed.values()]
        rows.append(
            {
                "system": label,
                "seeds": len(by_seed),
                "updates": last[0]["updates"],
                "frechet": spread([row["frechet"] for row in last], 1),
                "best": spread(best, 1),
            }
        )
        if "smallest_share" in last[0]:
            share = spread([100 * row["smallest_share"] for row in last], 1)
            rows[-1]["smallest_share"] = f"{share} %"
    headings = columns("system", "seeds", "updates", "frechet", "smallest_share")
    return format_table(rows, headings | {"best": "lowest of its checkpoints ↓"}, seeds=0)


def draw(rows: list[dict], held_out: dict, path: Path) -> None:
    """Quality over training: Fréchet distance, and the share of every class.

    Args:
        rows: one a checkpoint with ``updates``, ``frechet`` and, with labels, ``shares``.
        held_out: the same figures of held-out real images.
        path: PNG to write.
    """
    table = pd.DataFrame(rows).set_index("updates")
    shares = pd.DataFrame([row.get("shares", {}) for row in rows], table.index)
    panels = 2 if len(shares.columns) else 1
    size = {"figsize": (5 * panels, 4), "squeeze": False}
    with picture(path, 1, panels, **size) as (_, grid):
        distance, *rest = grid[0]
        table["frechet"].plot(ax=distance, style="o-", label="samples", markersize=4)
        real = {"color": "black", "linestyle": "--", "label": "held-out real"}
        distance.axhline(held_out["frechet"], linewidth=1, **real)
        distance.set(ylabel="Fréchet distance", yscale="log")
        distance.legend()
        for axes in rest:
            shares.plot(ax=axes, style="o-", markersize=3)
            axes.axhline(LEAST_SHARE, color="black", linestyle=":", linewidth=1)
            axes.set(ylabel="share of the class")
            axes.legend(fontsize=7, ncols=2, title="class", title_fontsize=7)


def build(results: Results, folder: Path) -> page.Section:
    """The section; grids and curves are those of the first seed."""
    systems = results.of_kind("images", "images")
    if HELD_OUT_IMAGES not in results.points:
        raise UsageError(f"{results.folder}/measured/{HELD_OUT_IMAGES}.json does not exist")
    held_out = results.points[HELD_OUT_IMAGES][None][0]
    settings = results.settings[systems[0].name][systems[0].seeds[0]]
    real = read_split(results.folder / settings["real"], "train")
    write_grid(real.pixels, folder / "grid_real.png")
    blocks, figures, said = [], {}, []
    for number, system in enumerate(systems, start=1):
        by_seed = results.points[system.name]
        first = by_seed[system.seeds[0]]
        grids = {}
        for point in first:
            name = f"grid_{number}_{point['updates']:06d}.png"
            write_grid(read_samples(point["images"]), folder / name)
            grids[name] = f"{system.label} after {point['updates']:,} updates"
        grids["grid_real.png"] = "real images"
        draw(first, held_out, folder / f"images_{number}.png")
        caption = "Quality over training"
        if "shares" in held_out:
            caption += f"; dotted: {LEAST_SHARE:.0%} of the samples"
        rows = [held_out]
        for seed, points in by_seed.items():
            told = f", seed {seed}" if len(by_seed) > 1 else ""
            rows += [point | {"name": point["name"] + told} for point in points]
        about = system.label if len(systems) > 1 else ""
        said += [(about, line) for line in findings(first, held_out)]
        blocks += [page.Heading(about)] * bool(about) + [
            page.Pictures(grids),
            page.Table(table(rows), words=True),
            page.Pictures({f"images_{number}.png": caption}),
        ]
        figures[system.name] = {
            seed: [_without_file(point) for point in points] for seed, points in by_seed.items()
        }
    source = f": {settings['source']}" if settings.get("source") else ""
    explanation = page.Paragraph(
        f"{settings['number_real']:,} training images{source}. The first 100 samples of each "
        f"checkpoint, not chosen, from the same noise. {settings['explanation']}"
    )
    figures = {"settings": settings, "held_out": _without_file(held_out), "systems": figures}
    compared = {system.label: results.points[system.name] for system in systems}
    several = len(systems) > 1 or len(systems[0].seeds) > 1
    together = [page.Table(compare(compared))] * several
    blocks = [explanation, *together, *blocks, *page.notes(systems)]
    return page.Section("Images over training", blocks, figures, said)


def _without_file(point: dict) -> dict:
    return {name: value for name, value in point.items() if name != "images"}
