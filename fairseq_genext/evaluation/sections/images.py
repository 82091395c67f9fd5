"""How an image generator learned: grids of samples, and their quality at every checkpoint."""

from pathlib import Path

from fairseq_genext.data.images import read_split
from fairseq_genext.errors import UsageError
from fairseq_genext.evaluation.image_grid import write_grid
from fairseq_genext.evaluation.image_quality import LEAST_SHARE, read_samples, table
from fairseq_genext.evaluation.plots import picture
from fairseq_genext.evaluation.results import HELD_OUT_IMAGES, Results
from fairseq_genext.evaluation.sections import page


def findings(rows: list[dict], held_out: dict) -> list[str]:
    """The last checkpoint against real images, whether classes are left out, the best distance."""
    last = rows[-1]
    best = min(rows, key=lambda row: row["frechet"])
    said = [
        f"After {last['updates']:,} updates: Fréchet distance {last['frechet']:.2f} "
        f"(held-out real images {held_out['frechet']:.2f})."
    ]
    if "verdict" in last:
        said.append(f"{last['verdict'][0].upper()}{last['verdict'][1:]}.")
    if best is not last:
        said.append(
            f"The best distance, {best['frechet']:.2f}, was reached after {best['updates']:,}."
        )
    return said


def draw(rows: list[dict], held_out: dict, path: Path) -> None:
    """Quality over training: Fréchet distance, and the share of every class.

    Args:
        rows: one a checkpoint with ``updates``, ``frechet`` and, with labels, ``shares``.
        held_out: the same figures of held-out real images.
        path: PNG to write.
    """
    panels = 2 if "shares" in held_out else 1
    size = {"figsize": (5 * panels, 4), "squeeze": False}
    with picture(path, 1, panels, **size) as (_, grid):
        distance, *rest = grid[0]
        updates = [row["updates"] for row in rows]
        distances = [row["frechet"] for row in rows]
        distance.plot(updates, distances, "o-", label="samples", markersize=4)
        distance.axhline(
            held_out["frechet"], color="black", linestyle="--", linewidth=1, label="held-out real"
        )
        distance.set(xlabel="updates", ylabel="Fréchet distance", yscale="log")
        distance.legend(fontsize=8)
        for axes in rest:
            for label in held_out["shares"]:
                shares = [row["shares"][label] for row in rows]
                axes.plot(updates, shares, "o-", label=label, markersize=3)
            axes.axhline(LEAST_SHARE, color="black", linestyle=":", linewidth=1)
            axes.set(xlabel="updates", ylabel="share of the class")
            axes.legend(fontsize=7, ncols=2, title="class", title_fontsize=7)
        for axes in (distance, *rest):
            axes.grid(alpha=0.3)


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
        by_seed = {
            seed: sorted(points, key=lambda point: point["updates"])
            for seed, points in results.points[system.name].items()
        }
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
        rows = [
            point | {"name": f"{point['updates']:,} updates{told}"}
            for seed, points in by_seed.items()
            for told in [f", seed {seed}" if len(by_seed) > 1 else ""]
            for point in points
        ]
        real_row = held_out | {"name": results.label(HELD_OUT_IMAGES)}
        about = system.label if len(systems) > 1 else ""
        said += [(about, line) for line in findings(first, held_out)]
        blocks += [page.Heading(about)] * bool(about) + [
            page.Pictures(grids),
            page.Table(table([real_row, *rows]), words=True),
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
    return page.Section(
        "Images over training", [explanation, *blocks, *page.notes(systems)], figures, said
    )


def _without_file(point: dict) -> dict:
    return {name: value for name, value in point.items() if name != "images"}
