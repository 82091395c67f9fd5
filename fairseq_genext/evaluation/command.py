"""What the commands of this folder share: how their flags begin and their JSON is written."""

import argparse
import json
import logging
from pathlib import Path

from fairseq_genext.files import write_whole

FORMAT = "%(asctime)s | %(levelname)s | %(name)s | %(message)s"  # fairseq's


def parser(name: str, doc: str) -> argparse.ArgumentParser:
    """Flags of a command, whose warnings are then printed as fairseq's are.

    Args:
        name: how it is called; a module of this folder, or a command with a dash in its name.
        doc: docstring of its file, which is what --help says.
    """
    logging.basicConfig(format=FORMAT)
    return argparse.ArgumentParser(
        prog=name if "-" in name else f"python -m fairseq_genext.evaluation.{name}",
        description=doc,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


def write_json(path: str | Path, **entries) -> None:
    """Writes a JSON file whole; of most commands it has ``settings`` and ``points``."""
    write_whole(path, json.dumps(entries, indent=1) + "\n")
