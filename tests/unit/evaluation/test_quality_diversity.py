"""The quality–diversity picture."""

import pandas as pd
import pytest
from matplotlib.text import Annotation
from PIL import Image

from fairseq_genext.evaluation import plots
from fairseq_genext.evaluation.quality_diversity import quality_diversity_curves


def test_labels_do_not_overlap(monkeypatch, tmp_path):
    """Three systems in nearly one place."""
    rows = [
        {
            "system": f"system {number}",
            "family": family,
            "temperature": temperature,
            "top_p": top_p,
            "bleu_3": 0.5 - 0.1 * temperature * top_p + 0.002 * number,
            "self_bleu_3": 0.6 - 0.2 * temperature * top_p,
            "bleu_3_sd": 0.01,
            "self_bleu_3_sd": None if number else 0.02,
        }
        for number, family in enumerate(("likelihood", "gan", "gan"))
        for temperature, top_p in ((0.7, 1), (0.85, 1), (1, 1), (1.2, 1), (1, 0.9))
    ]
    shown = {}

    def keep(figure):
        # Before it is closed: the extents of what was drawn.
        (axes,) = figure.axes
        notes = [child for child in axes.get_children() if isinstance(child, Annotation)]
        shown.update({note: note.get_window_extent() for note in notes})

    monkeypatch.setattr(plots.plt, "close", keep)
    for row in rows:
        if row["self_bleu_3_sd"] is None:
            row["bleu_3_sd"] = None
    path = tmp_path / "curves.png"
    quality_diversity_curves(pd.DataFrame(rows), 3, path, {"bleu_3": 0.6, "self_bleu_3": 0.3})
    boxes = list(shown.values())
    assert len(boxes) >= 6
    assert not any(box.count_overlaps(boxes[:place]) for place, box in enumerate(boxes))
    assert {note.get_text() for note in shown} >= {"0.7", "1.2", "p0.9"}
    with Image.open(path) as image:
        assert len(set(image.convert("RGB").resize((99, 99)).tobytes())) > 20


@pytest.mark.parametrize("length", [1, 24, 25, 50])  # two columns and, from 25 on, one
def test_the_legend_is_whole(length, monkeypatch, tmp_path):
    inside = []

    def keep(figure):
        (legend,) = figure.legends
        box = legend.get_window_extent()
        inside.append(figure.bbox.contains(*box.min) and figure.bbox.contains(*box.max))

    monkeypatch.setattr(plots.plt, "close", keep)
    point = {"family": "gan", "temperature": 1, "top_p": 1, "bleu_3": 0.5, "self_bleu_3": 0.4}
    name = "gan_residual, 16 candidates, weight 4, and as many more"[:length]
    rows = [point | {"system": f"{number} {name}"} for number in range(3)]
    quality_diversity_curves(pd.DataFrame(rows), 3, tmp_path / "curves.png")
    assert inside == [True]
