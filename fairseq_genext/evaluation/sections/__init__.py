"""The sections that a report is put together from, a file each.

A section is a function ``build(results, folder)`` in the file of its name: it gets the ``Results``
of an experiment and the folder for its pictures, and returns a ``Section``. A new one is a new file
and its name here. Files are imported when a section is built, so that who only needs the names,
to check an experiment, does not wait for matplotlib.
"""

from functools import partial
from importlib import import_module

NAMES = (
    "quality", "curves", "gains", "residual", "oracle", "translation", "images",
    "question_answering", "likelihood", "costs", "samples", "training", "speed",
)  # fmt: skip


def _build(name: str, results, folder):
    return import_module(f"{__name__}.{name}").build(results, folder)


SECTIONS = {name: partial(_build, name) for name in NAMES}
