"""The quality–diversity picture."""

import pandas as pd
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
