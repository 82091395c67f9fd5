"""Images over training."""

import experiments
import pytest

from fairseq_genext.errors import UsageError
from fairseq_genext.evaluation.results import Results
from fairseq_genext.evaluation.sections import images


def test_section(tmp_path):
    experiments.images(tmp_path)
    section = images.build(Results(tmp_path), tmp_path)
    early, late = section.figures["systems"]["gan"][1]
    assert early["verdict"].startswith("collapsed") and late["smallest_share"] == 0.25
    assert section.findings[1] == ("", "All 4 classes reach 3 %.")
    explanation, grids, table, _ = section.blocks
    assert explanation.text.startswith("60 training images: made up.")
    assert list(grids.captions) == ["grid_1_000010.png", "grid_1_002000.png", "grid_real.png"]
    assert grids.captions["grid_1_002000.png"] == "gan after 2,000 updates"
    assert all((tmp_path / name).exists() for name in grids.captions)
    assert table.frame["images"].tolist() == [
        "held-out real images", "10 updates", "2,000 updates"
    ]  # fmt: skip
    assert table.frame["smallest class ↑"].tolist() == ["25.0 %", "0.0 %", "25.0 %"]


def test_systems_side_by_side(tmp_path):
    experiments.images(tmp_path)
    early, late = Results(tmp_path).points["gan"][1]
    other = [late | {"frechet": 2.0, "smallest_share": 0.05}, late | {"frechet": 4.0}]
    points = {"gan": {1: [early, late]}, "other": {1: other, 2: [late | {"frechet": 6.0}]}}
    table = images.compare(points).set_index("system")
    assert table.loc["gan", "seeds"] == "1" and table.loc["other", "updates"] == "2,000"
    assert table.loc["other", "Fréchet distance ↓"].split() == ["5.0", "±", "1.4"]
    assert table.loc["other", "lowest of its checkpoints ↓"].split() == ["4.0", "±", "2.8"]
    assert table.loc["other", "smallest class ↑"] == "25.0 %"


def test_without_real_images(tmp_path):
    experiments.images(tmp_path)
    (tmp_path / "measured/held_out_images.json").unlink()
    with pytest.raises(UsageError, match="measured/held_out_images.json does not exist"):
        images.build(Results(tmp_path), tmp_path)


def test_the_best_checkpoint_is_named_where_it_is_not_the_last(tmp_path):
    experiments.images(tmp_path)
    results = Results(tmp_path)
    early, late = results.points["gan"][1]
    (held_out,) = results.points["held_out_images"][None]
    said = images.findings([early, late | {"frechet": early["frechet"] + 1}], held_out)
    assert said[-1].endswith(f"{early['frechet']:.2f}, was reached after 10.")
