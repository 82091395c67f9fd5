"""The figures of the five reports that there were, out of the one that replaced them."""

import json

import experiments
import pytest

from fairseq_genext.evaluation.report import write_report
from fairseq_genext.evaluation.results import Results


def report(folder):
    output = folder / "report"
    output.mkdir()
    write_report(Results(folder), output)
    return json.loads((output / "report.json").read_text())


def by(rows: list[dict], *names: str) -> dict:
    return {tuple(row[name] for name in names): row for row in rows}


def numbers(row: dict) -> dict:
    return {name: value for name, value in row.items() if isinstance(value, int | float)}


def test_free_text_and_translation(tmp_path):
    old = experiments.quickstart(tmp_path)
    new = report(tmp_path)
    quality, costs = new["quality"]["systems"], new["costs"]["systems"]
    for row, name in zip(old["systems"], ("held_out", "good", "bad"), strict=True):
        figures = quality[name] | costs.get(name, {})
        for figure, value in numbers(row).items():
            if figure.endswith("_ci"):
                assert figures[figure.removesuffix("_ci")]["ci"] == pytest.approx(value)
            else:
                assert figures[figure]["mean"] == pytest.approx(value), figure
    copied, made = old["translation"]
    assert new["translation"]["copy_of_source"] == {
        name: copied[name] for name in ("bleu", "chrf", "bleu_signature", "chrf_signature")
    }
    (row,) = new["translation"]["tables"][0]["means"]
    assert (row["bleu"], row["chrf"]) == (made["bleu"], made["chrf"])
    assert new["findings"][0] == (
        "Quality: the best likelihood-trained model good one 0.682 ±\N{NO-BREAK SPACE}0.415, "
        "one seed alone (BLEU-3 ↑; held-out text 1.000)."
    )
    told = "Translation: s2s, greedy: BLEU 100.0, above the 42.5 of copying the source."
    assert told in new["findings"]


def test_comparison(tmp_path):
    old = experiments.comparison(tmp_path)
    new = report(tmp_path)
    names = {"tokens_per_second": "sampling_tokens_per_second"}
    for system in old["systems"]:
        name = system["name"]
        figures = new["quality"]["systems"][name] | new["costs"]["systems"][name]
        for figure, value in system["figures"].items():
            found = figures[names.get(figure, figure)]
            assert list(found["values"].values()) == value["values"]
            assert found["mean"] == pytest.approx(value["mean"])
            assert found["deviation"] == pytest.approx(value["deviation"])
    held_out = new["quality"]["systems"]["held_out"]
    for figure, value in old["held_out"].items():
        if not figure.endswith("_ci"):
            assert held_out[figure]["mean"] == pytest.approx(value)
    for rows, section, key in (
        ("adversarial_training", "gains", "systems"), ("curve_gaps", "curves", "gaps"),
    ):  # fmt: skip
        for before, after in zip(old[rows], new[section][key], strict=True):
            for newer in ("mean_gap", "frechet_gap", "lm_gap", "reverse_lm_gap"):
                after.pop(newer, None)
            assert {**before, "system": before["name"], "name": None} == {**after, "name": None}
    for before, after in zip(old["curves"], new["curves"]["curves"], strict=True):
        assert after == pytest.approx(before)
    # Held-out text now comes from the file that was measured, which is as long as the samples.
    *examples, held_out = old["examples"].values()
    *shown, real = new["samples"].values()
    assert shown == examples
    assert real["samples"] == held_out["samples"][:2] and real["nearest"] == held_out["nearest"][:2]
    told = [line.replace("GANs beside", "GANs against") for line in old["findings"]]
    assert new["findings"] == told


def test_oracle(tmp_path):
    old = experiments.oracle(tmp_path)
    new = report(tmp_path)
    assert new["oracle"]["own_nll"] == old["own_nll"]
    for system in old["systems"]:
        found = new["oracle"]["systems"][system["name"]]
        for figure in (
            "oracle_nll",
            "test_nll",
            "self_bleu_2",
            "duplicates",
            "gain",
            "below_curve",
        ):
            assert found[figure] == pytest.approx(system[figure])
        assert found["published"] == system.get("published")
    gan = new["oracle"]["systems"]["gan"]
    before = old["systems"][1]
    assert gan["updates"] == [before["updates"]] * 2 and gan["seconds"] == [before["seconds"]] * 2
    assert gan["checkpoint_updates"] == before["chosen"]
    assert new["oracle"]["points"] == {
        name: {seed: old["planes"][seed][name] for seed in ("1", "2")}
        for name in ("mle", "gan", "unmoved")
    }
    assert new["findings"] == old["findings"]


def test_translation(tmp_path):
    old = experiments.translation(tmp_path)
    new = report(tmp_path)["translation"]
    assert new["copy_of_source"] == old["copy_of_source"] and new["signatures"] == old["signatures"]
    (before,), (after,) = old["tables"], new["tables"]
    assert after["findings"] == before["findings"]
    for kind, keys in (("means", ("decoding",)), ("runs", ("decoding", "seed"))):
        rows = by(after[kind], "system", *keys)
        for row in before[kind]:
            found = rows[row["name"].replace(" ", "_"), *(row[key] for key in keys)]
            names = {"bleu_sd": "bleu_deviation", "worst_p": "largest_p"}
            figures = numbers(row).items()
            costs = () if kind == "means" else ("parameters", "updates", "seconds")
            for figure, value in figures:
                if figure not in costs:
                    assert found[names.get(figure, figure)] == pytest.approx(value), figure


def test_images(tmp_path):
    old = experiments.images(tmp_path)
    new = report(tmp_path)
    images = new["images"]
    assert images["settings"]["classifier_accuracy"] == old["classifier_accuracy"]
    assert images["settings"]["features"] == old["features"]
    assert images["settings"]["source"] == old["source"]
    assert new["costs"]["systems"]["gan"]["parameters"]["mean"] == old["parameters"]
    pairs = [(old["held_out"], images["held_out"])]
    pairs += zip(old["checkpoints"], images["systems"]["gan"]["1"], strict=True)
    for before, after in pairs:
        assert after["frechet"] == pytest.approx(before["frechet"], rel=1e-3)
        for figure in ("name", "number", "shares", "smallest_share", "sure", "verdict"):
            assert after[figure] == before[figure]
    assert new["findings"] == old["findings"]
