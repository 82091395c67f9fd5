"""What the commands of this folder share: how their flags begin and their JSON is written."""

import argparse
import json
import logging
from pathlib import Path

from fairseq_genext.errors import UsageError
from fairseq_genext.files import write_whole

FORMAT = "%(asctime)s | %(levelname)s | %(name)s | %(message)s"  # fairseq's


class Parser(argparse.ArgumentParser):
    """Flags of a command."""

    def parse_args(self, *args, **kwargs) -> argparse.Namespace:
        """The flags given.

        Raises:
            UsageError: ``--seed`` is out of the range of numpy's seeds.
        """
        found = super().parse_args(*args, **kwargs)
        if not 0 <= getattr(found, "seed", 0) < 2**32:
            raise UsageError(f"--seed is {found.seed}; it must be at least 0 and less than 2^32")
        return found


def parser(name: str, doc: str) -> argparse.ArgumentParser:
    """Flags of a command, whose warnings are then printed as fairseq's are.

    Args:
        name: how it is called; a module of this folder, or a command with a dash in its name.
        doc: docstring of its file, which is what --help says.
    """
    logging.basicConfig(format=FORMAT)
    return Parser(
        prog=name if "-" in name else f"python -m fairseq_genext.evaluation.{name}",
        description=doc,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


def add_resampling_flags(parser: argparse.ArgumentParser) -> None:
    """The flags by which a GAN's discriminator chooses; see ``errors.require_resampling``."""
    parser.add_argument(
        "--resample",
        type=int,
        default=1,
        metavar="N",
        help="candidates a text, of which the discriminator of a GAN's checkpoint chooses one",
    )
    parser.add_argument(
        "--resample-weight",
        type=float,
        default=1.0,
        metavar="W",
        help="factor on its logit: greater, and it chooses more strictly",
    )


def write_json(path: str | Path, **entries) -> None:
    """Writes a JSON file whole; of most commands it has ``settings`` and ``points``."""
    write_whole(path, json.dumps(entries, indent=1) + "\n")
