"""Makes a report's pages from its figures and puts them in place once all of them are made."""

import argparse
import base64
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import jinja2

from fairseq_genext.evaluation.reporting.manifest import Manifest


def embed(folder: Path, captions: dict[str, str]) -> dict[str, tuple[str, str]]:
    """File name to (caption, PNG in base64), so that a page needs no file beside it."""
    return {
        name: (caption, base64.b64encode((folder / name).read_bytes()).decode())
        for name, caption in captions.items()
    }


def render(name: str, context: dict, folder: Path) -> None:
    """Writes ``{name}.html`` and ``{name}.md`` from the templates of that name."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("fairseq_genext.evaluation.reporting"),
        autoescape=lambda template: ".html" in template,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    for page in (f"{name}.html", f"{name}.md"):
        text = environment.get_template(f"{page}.j2").render(context)
        (folder / page).write_text(text, encoding="utf-8")


def command(
    help_text: str,
    read: Callable[[Path], Manifest],
    write: Callable[[Manifest, Path], None],
) -> None:
    """The command line of a report: a manifest and a folder to write.

    Args:
        help_text: what ``--help`` prints.
        read: reads and checks the manifest.
        write: writes every file of the report into a folder.
    """
    parser = argparse.ArgumentParser(
        description=help_text, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("manifest", type=Path)
    parser.add_argument("--output", type=Path, required=True, help="folder to write")
    args = parser.parse_args()
    manifest = read(args.manifest)
    # Everything is made aside first: a report that fails leaves the last one as it was.
    with tempfile.TemporaryDirectory() as made:
        write(manifest, Path(made))
        args.output.mkdir(parents=True, exist_ok=True)
        for stale in args.output.glob("*.png"):
            stale.unlink()  # of systems that the manifest no longer has
        written = sorted(Path(made).iterdir())
        for path in written:
            shutil.move(path, args.output / path.name)
    for path in written:
        if path.suffix == ".md":
            print((args.output / path.name).read_text(encoding="utf-8"))
    print(f"wrote {args.output}")
