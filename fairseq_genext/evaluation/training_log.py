"""Reads the curves out of a log that fairseq-train wrote with ``--log-format json``."""

import json
import re
from pathlib import Path

import pandas as pd

from fairseq_genext.errors import UsageError
from fairseq_genext.files import read_lines

# "… | INFO | train_inner | {…}" on the terminal, or the bare JSON in --log-file, where the keys of
# the end of an epoch carry the name of the split: train_loss, valid_loss.
TAGGED = re.compile(r"(?:\| (?P<tag>\w+) \| )?(?P<json>\{.*\})\s*$")


def read_curves(path: str | Path) -> pd.DataFrame:
    """One row a logged figure: ``split`` (train or valid), ``update``, ``metric``, ``value``.

    Raises:
        UsageError: the file is missing or has no figures.
    """
    rows = []
    for line in read_lines(path, at_least=0):
        found = TAGGED.search(line)
        if found is None:
            continue
        try:
            figures = json.loads(found["json"])
        except json.JSONDecodeError:
            continue  # the configuration, which is printed as a Python dict
        rows.extend(_rows(figures))
    if not rows:
        raise UsageError(f"{path} has no figures: train with --log-format json --log-file {path}")
    curves = pd.DataFrame(rows, columns=["split", "update", "metric", "value"])
    curves = curves.assign(value=pd.to_numeric(curves["value"], errors="coerce")).dropna()
    # A resumed run logs some updates twice; the later one counts.
    return curves.drop_duplicates(["split", "update", "metric"], keep="last", ignore_index=True)


def by_update(curves: pd.DataFrame) -> pd.DataFrame:
    """The same with a row an update, and columns ``(split, metric)``."""
    return curves.pivot(index="update", columns=["split", "metric"], values="value").sort_index()


def _rows(figures: dict):
    valid = "valid_num_updates" in figures
    if "train_num_updates" in figures:
        return  # epoch means, which the finer train_inner lines already show
    updates = figures.get("valid_num_updates" if valid else "num_updates")
    for name, value in figures.items() if updates is not None else ():
        metric = name.removeprefix("valid_") if valid else name
        yield "valid" if valid else "train", int(float(updates)), metric, value
