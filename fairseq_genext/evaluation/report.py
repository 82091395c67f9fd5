"""Puts an experiment's results together: one page, one Markdown file, one JSON, and plots.

    python -m fairseq_genext.evaluation.report OUTPUT [--output FOLDER]

reads what the experiment has left in OUTPUT (see ``results``) and writes report.html
(self-contained), report.md, report.json and *.png into OUTPUT/report, or FOLDER. The sections are
those that experiment.json names, in its order; see ``sections``.
"""

import shutil
import tempfile
from base64 import b64encode
from dataclasses import asdict
from pathlib import Path

import jinja2

from fairseq_genext.errors import UsageError
from fairseq_genext.evaluation import command
from fairseq_genext.evaluation.results import Results
from fairseq_genext.evaluation.sections import SECTIONS
from fairseq_genext.evaluation.sections.page import Section


def build_sections(results: Results, folder: Path) -> dict[str, Section]:
    """The experiment's sections by name; their pictures go to ``folder``.

    Raises:
        UsageError: there is no section of a name, or a section lacks what it shows.
    """
    names = results.experiment["report"]
    for name in names:
        if name not in SECTIONS:
            known = ", ".join(SECTIONS)
            raise UsageError(f"{results.path}: there is no section {name!r}; choose from {known}")
    return {name: SECTIONS[name](results, folder) for name in names}


def write_report(results: Results, folder: Path) -> None:
    """Writes every file of the report into ``folder``."""
    sections = build_sections(results, folder)
    findings = [finding for section in sections.values() for finding in section.findings]
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("fairseq_genext.evaluation"),
        autoescape=lambda template: ".html" in template,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters["base64"] = lambda name: b64encode((folder / name).read_bytes()).decode()
    experiment = {"notes": [], "command": None, **results.experiment}
    for page in ("report.html", "report.md"):
        template = environment.get_template(f"{page}.j2")
        told = {"experiment": experiment, "findings": findings, "sections": sections.values()}
        (folder / page).write_text(template.render(told), encoding="utf-8")
    figures = {
        "title": experiment["title"],
        "command": experiment["command"],
        "findings": [": ".join(filter(None, finding)) for finding in findings],
        "systems": {
            name: {**asdict(system), "flags": results.flags[name]}
            for name, system in results.systems.items()
        },
        **{name: section.figures for name, section in sections.items()},
    }
    command.write_json(folder / "report.json", **figures)


def main() -> None:
    """The command line."""
    parser = command.parser("report", __doc__)
    parser.add_argument("experiment", type=Path, metavar="OUTPUT", help="folder of the experiment")
    parser.add_argument("--output", type=Path, metavar="FOLDER", help="default: OUTPUT/report")
    args = parser.parse_args()
    output = args.output or args.experiment / "report"
    # Everything is made aside first: a report that fails leaves the last one as it was.
    with tempfile.TemporaryDirectory() as made:
        write_report(Results(args.experiment), Path(made))
        output.mkdir(parents=True, exist_ok=True)
        for stale in output.glob("*.png"):
            stale.unlink()  # of systems that the experiment no longer has
        for path in sorted(Path(made).iterdir()):
            shutil.move(path, output / path.name)
    print((output / "report.md").read_text(encoding="utf-8"))
    print(f"wrote {output}")


if __name__ == "__main__":
    main()
