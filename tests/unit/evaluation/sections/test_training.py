"""What the plots mark, and that they can be drawn."""

import pandas as pd
import pytest
from PIL import Image

from fairseq_genext.evaluation.sections import training


def curves(**metrics):
    rows = [
        ("train", update, name, value)
        for name, values in metrics.items()
        for update, value in values.items()
    ]
    return pd.DataFrame(rows, columns=["split", "update", "metric", "value"])


def test_a_phase_begins_once_the_one_before_has_ended():
    logged = curves(phase={10: 0.0, 20: 0.4, 30: 1.0, 40: 1.6, 50: 2.0})
    wide = logged.pivot(index="update", columns=["split", "metric"], values="value")
    assert training._phases(wide) == [(30, 1), (50, 2)]


def test_all_the_curves_of_a_gan_are_drawn(tmp_path):
    few = curves(ppl={10: 90.0, 20: 80.0})
    many = curves(
        ppl={10: 90.0, 20: 80.0},
        d_loss={10: 0.7},
        d_accuracy_real={10: 0.5},
        gumbel_temperature={10: 1.0},
        phase={10: 0.0, 20: 2.0},
    )
    heights = []
    for number, logged in enumerate((few, many)):
        path = tmp_path / f"{number}.png"
        training.training_curves("gan", logged, path)
        with Image.open(path) as image:
            heights.append(image.height)
    assert heights[1] == 2 * heights[0]  # two panels a row


def test_a_discriminator_that_never_had_its_turn_is_left_out(tmp_path):
    idle = curves(d_loss={10: 0.7}, d_accuracy_real={10: 0.5}, phase={10: 0.0, 20: 0.0})
    with pytest.raises(ValueError, match="no curve"):
        training.training_curves("lm", idle, tmp_path / "x.png")


def test_nothing_to_draw(tmp_path):
    with pytest.raises(ValueError, match="no curve"):
        training.training_curves("x", curves(lr={10: 0.1}), tmp_path / "x.png")
