"""What recipes/bench.sh has measured: speed side by side, growth, memory, parts of an update."""

from pathlib import Path
from statistics import median

import pandas as pd

from fairseq_genext.errors import UsageError
from fairseq_genext.evaluation.plots import picture
from fairseq_genext.evaluation.results import Results
from fairseq_genext.evaluation.sections import page
from fairseq_genext.evaluation.tables import format_table
from fairseq_genext.files import read_json
from fairseq_genext.utilisation import peak_flops

PARTS = ("data", "forward", "backward", "clipping", "optimizer", "logging")
TRAINS = ("train", "nanogpt_train", "textgan")
PRODUCT = "matrix product, "
EXPLANATION = (
    "Model-flop utilisation is 6 operations a multiplied parameter and token and those of "
    "attention, by the device's peak: of a GPU what its data sheet says, of a CPU what a product "
    "of two large matrices in the same precision reached in turns with the others. Peak memory of "
    "a process on a CPU is its largest resident set, libraries included, on a GPU that of tensors."
)


def figures_of(record: dict, kind: str) -> dict:
    """Medians and ranges of one kind of work: ``ms`` an update, ``rate`` of units a second."""
    clock, updates = record["clock"], record["work"][kind]
    costs = [round_[kind] for round_ in record["rounds"]]
    ms = [cost[clock] / updates * 1000 for cost in costs]
    rates = [cost["units"] / cost[clock] for cost in costs]
    return {
        "ms": median(ms),
        "ms_values": ms,
        "rate": median(rates),
        "rate_values": rates,
        "peak_memory_mib": max(cost["peak_mib"] for cost in costs),
        "start_processor_seconds": record["setup"]["processor"],
    }


def add_ratios(rows: list[dict]) -> None:
    """How many times as fast as each side the first one of its shape is; the utilisation too."""
    first: dict[tuple, dict] = {}
    for row in rows:
        of = (row["shape"], row["kind"])
        ours = first.setdefault(of, row)
        # Where an update is not the same work, units are; a GAN's turns have no units to compare.
        row["times"] = ours["rate"] / row["rate"] if row["rate"] else row["pass"] / ours["pass"]


def rows_of(records: list[dict]) -> tuple[list[dict], list[str]]:
    """A row for every shape, kind of work and side, and what is missing, in lines."""
    products = {
        (r["shape"], r["side"].removeprefix(PRODUCT)): figures_of(r, "update")["rate"] * 1e6
        for r in records
        if r["side"].startswith(PRODUCT) and "rounds" in r
    }
    rows, missing = [], []
    for record in records:
        if "missing" in record:
            missing.append((record["side"], f"left out: {record['missing']}"))
        elif not record["side"].startswith(PRODUCT):
            for kind in record["work"]:
                row = figures_of(record, kind)
                row |= {key: record[key] for key in ("shape", "side", "values")} | {"kind": kind}
                row["pass"] = row["ms"] * record["work"][kind]
                row["trains"] = record["spec"]["run"] in TRAINS
                precision = record["spec"]["precision"]
                peak = products.get((record["shape"], precision))
                peak = peak or peak_flops(record["setup"]["device"], precision)
                if peak and "flops" in record:
                    row["utilisation"] = record["flops"] * row["rate"] / peak
                rows.append(row)
    add_ratios(rows)
    return rows, list(dict.fromkeys(missing))


def spread(values: list[float], decimals: int) -> str:
    """From the least to the greatest."""
    return f"{min(values):,.{decimals}f} … {max(values):,.{decimals}f}"


def main_table(rows: list[dict], unit: str) -> pd.DataFrame:
    """Speed of every shape and side."""
    ours = rows[0]["side"]
    of_what = "an update" if rows[0]["trains"] else "a batch"
    turns = any(row["kind"] != "update" for row in rows)
    alone = all(row["side"] == ours for row in rows)
    shown = [
        {
            "shape": row["shape"],
            "kind": row["kind"] if turns else None,
            "side": row["side"],
            "ms": row["pass"] if turns else row["ms"],
            "ms_range": None if turns else spread(row["ms_values"], 1),
            "rate": row["rate"] or None if not turns else None,
            "range": spread(row["rate_values"], 0) if row["rate"] and not turns else None,
            "times": None if alone else row["times"],
            "utilisation": f"{row['utilisation']:.0%}" if "utilisation" in row else None,
            "memory": row["peak_memory_mib"],
            "start": row["start_processor_seconds"],
        }
        for row in rows
    ]
    headings = {
        "shape": "", "kind": "turns", "side": "side", "ms": "ms" if turns else f"ms {of_what}",
        "ms_range": "from … to", "rate": f"{unit}s/s", "range": "from … to",
        "times": f"{ours} is … times as fast", "utilisation": "model-flop utilisation",
        "memory": "peak memory, MiB", "start": "start, processor s",
    }  # fmt: skip
    return format_table(shown, headings, ms=1, rate=0, times=2, memory=0, start=1)


def parts_table(records: list[dict]) -> pd.DataFrame | None:
    """Where an update's time goes, in ms."""
    shown = []
    for record in records:
        for kind, cost in record.get("parts", {}).items():
            if not cost["parts"]:
                continue
            updates = record["work"][kind]
            row = {part: cost["parts"].get(part, 0) / updates * 1000 for part in PARTS}
            whole = cost[record["clock"]] / updates * 1000
            row |= {"rest": whole - sum(row.values()), "all": whole}
            shown.append({"shape": record["shape"], "side": record["side"], "kind": kind} | row)
    if not shown:
        return None
    kinds = {} if {row["kind"] for row in shown} == {"update"} else {"kind": "turns"}
    names = (*PARTS, "rest", "all")
    headings = {"shape": "", "side": "side", **kinds, **{name: name for name in names}}
    return format_table(shown, headings, **dict.fromkeys(names, 2))


def draw(panels: dict[str, tuple[str, str, list[dict]]], path: Path) -> None:
    """Units a second and peak memory as something grows: by title, that quantity, unit, rows."""
    size = {"figsize": (4 * len(panels), 6), "squeeze": False}
    with picture(path, 2, len(panels), **size) as (_, grid):
        for column, (title, (quantity, unit, rows)) in enumerate(panels.items()):
            rate = f"{unit}s/s"
            table = pd.DataFrame(
                [
                    {"x": row["values"][quantity], "side": row["side"],
                     rate: row["rate"], "peak memory, MiB": row["peak_memory_mib"]}
                    for row in rows
                ]
            )  # fmt: skip
            for line, figure in enumerate((rate, "peak memory, MiB")):
                axes = grid[line][column]
                table.pivot(index="x", columns="side", values=figure).plot(ax=axes, style="o-")
                axes.set(xscale="log", xlabel=quantity, ylabel=figure)
                axes.set_ylim(0, 1.1 * table[figure].max())
                axes.legend(title=None)
                axes.set_xticks(sorted(set(table["x"])), sorted(set(table["x"])), minor=False)
                axes.set_xticks([], minor=True)
                axes.set_title(title if line == 0 else "", fontsize=9)


def findings(title: str, rows: list[dict]) -> list[tuple[str, str]]:
    """How the first side of a group does against the others."""
    others = [row for row in rows if row["side"] != rows[0]["side"]]
    told = [
        f"{row['times']:.2f} times as fast as {row['side']}"
        + (f" ({row['shape']}{'' if row['kind'] == 'update' else ', ' + row['kind']})")
        for row in others
    ]
    return [(title, f"{rows[0]['side']} is {'; '.join(told)}.")] if told else []


def machine_lines(found: dict) -> list[tuple[str, str]]:
    """Hardware, versions and settings, a line each."""
    versions: dict[str, str] = {}
    devices = {}
    for record in found["records"]:
        versions |= record.get("setup", {}).get("versions", {})
        if "setup" in record:
            devices[record["setup"]["device"]] = None
    told = {**found["machine"], "devices": ", ".join(devices)}
    told |= {f"version of {name}": version for name, version in versions.items()}
    return [
        (name, ", ".join(map(str, value)) if isinstance(value, list) else str(value))
        for name, value in told.items()
        if value not in (None, "", {}, [])
    ]


def build(results: Results, folder: Path) -> page.Section:
    """The section.

    Raises:
        UsageError: nothing was measured there.
    """
    path = results.folder / "speed.json"
    if not path.exists():
        raise UsageError(f"{path} does not exist: recipes/bench.sh measures it")
    found = read_json(path, machine=dict, groups=dict, records=list)
    blocks: list = []
    said: list[tuple[str, str]] = []
    figures: dict = {"machine": found["machine"], "groups": {}, "records": found["records"]}
    panels: dict[str, tuple[str, str, list[dict]]] = {}
    for name, group in found["groups"].items():
        records = [record for record in found["records"] if record["group"] == name]
        rows, missing = rows_of(records)
        notes = [*group["notes"].items(), *missing]
        blocks += [page.Heading(group["title"])]
        blocks += [page.Paragraph(group["note"])] if group.get("note") else []
        if rows:
            blocks.append(page.Table(main_table(rows, group["unit"])))
            said += findings(group["title"], rows)
            if group.get("plot"):
                panels[group["title"]] = (group["plot"], group["unit"], rows)
        parts = parts_table([record for record in records if "rounds" in record])
        if parts is not None:
            blocks.append(page.Table(parts, folded="Where an update's time goes, ms"))
        blocks += [page.Lines(notes)] if notes else []
        figures["groups"][name] = {"title": group["title"], "rows": rows}
    if panels:
        draw(panels, folder / "growth.png")
        blocks.append(page.Pictures({"growth.png": "Speed and memory as a model grows"}, wide=True))
    blocks += [page.Paragraph(EXPLANATION), page.Heading("Machine and versions")]
    blocks.append(page.Lines(machine_lines(found)))
    blocks.append(page.Heading("Flags"))
    blocks.append(
        page.Lines(
            [
                (record["spec"]["name"], record["spec"]["flags"] or str(record["values"]))
                for record in found["records"]
                if "spec" in record and not record["side"].startswith(PRODUCT)
            ]
        )
    )
    return page.Section("Speed", blocks, figures, said)
