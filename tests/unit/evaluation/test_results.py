"""Reading an experiment's folder: the tidy table, costs of starts, and what does not fit."""

import json

import experiments
import pytest

from fairseq_genext.errors import UsageError
from fairseq_genext.evaluation.results import Results


@pytest.fixture
def folder(tmp_path):
    experiments.comparison(tmp_path)
    return tmp_path


def test_a_row_a_figure_with_its_conditions(folder):
    table = Results(folder).table
    found = table.query("system == 'gpt' and seed == 2 and figure == 'bleu_3' and top_p == 1")
    points = json.loads((folder / "measured/gpt.2.json").read_text())["points"]
    assert dict(zip(found["temperature"], found["value"], strict=True)) == {
        point["temperature"]: point["bleu_3"] for point in points if point["top_p"] == 1
    }
    cost = table.query("system == 'gpt' and seed == 2 and figure == 'seconds'")
    assert cost["value"].tolist() == [200] and cost["temperature"].isna().all()
    # Each name means one thing, whichever file it is from.
    assert set(table["figure"]) >= {"sampling_seconds", "sampling_tokens_per_second"}
    assert "tokens_per_second" not in set(table["figure"])
    held_out = table.query("system == 'held_out'")
    assert held_out["seed"].isna().all() and set(held_out["family"]) == {"held-out"}
    assert not held_out.query("figure == 'bleu_3'")["ci"].isna().any()


def test_what_a_start_cost_is_part_of_it(folder):
    def add(content):
        content["systems"]["poor"]["start"] = "good"  # which started from lm

    experiments.change_json(folder / "experiment.json", add)
    for name, seconds, tokens in (("lm", 5, 100), ("good", 7, None), ("poor", 9, 1)):
        cost = {"seconds": seconds, "updates": seconds, "tokens_seen": tokens, "parameters": 3}
        for seed in (1, 2, 3):
            experiments.write_json(folder / f"trained/{name}.{seed}.json", cost)
    results = Results(folder)
    assert results.values("poor", "seconds") == dict.fromkeys((1, 2, 3), 5 + 7 + 9)
    assert (
        results.values("poor", "updates")[1] == 21 and results.values("poor", "parameters")[1] == 3
    )
    assert results.values("lm", "tokens_seen")[1] == 100
    # A sum of which a part is not known is not known.
    assert results.values("poor", "tokens_seen") == {}


def test_intervals_of_one_seed_deviations_of_several(folder):
    def add_interval(content):
        content["points"][1]["bleu_3_ci"] = 0.02

    experiments.change_json(folder / "measured/gpt.1.json", add_interval)
    assert Results(folder).interval("gpt", "bleu_3") is None
    experiments.change_json(
        folder / "experiment.json",
        lambda content: [system.update(seeds=[1]) for system in content["systems"].values()],
    )
    results = Results(folder)
    assert results.text("gpt", "bleu_3") == "0.400 ±\N{NO-BREAK SPACE}0.020"
    summary = results.summary("gpt", ["bleu_3", "mauve"])
    assert summary == {"bleu_3": {"mean": 0.4, "deviation": None, "ci": 0.02, "values": {1: 0.4}}}


def test_a_baseline_is_not_trained(folder):
    def change(content):
        content["systems"]["gpt"]["family"] = "baseline"

    experiments.change_json(folder / "experiment.json", change)
    for seed in (1, 2, 3):
        (folder / f"trained/gpt.{seed}.json").unlink()
    assert Results(folder).values("gpt", "parameters") == {}


def test_samples_of_a_gan_made_elsewhere_have_no_costs(folder):
    """Nor those of the training that the system's name once had."""

    def change(content):
        content["systems"]["good"] |= {"samples": "mine.txt", "start": None}

    experiments.change_json(folder / "experiment.json", change)
    (folder / "trained/good.2.json").unlink()
    assert Results(folder).values("good", "parameters") == {}


def system(**changes):
    return lambda content: content["systems"]["good"].update(changes)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda content: content.pop("systems"), "experiment.json has no entry 'systems'"),
        (lambda content: content.update(data=[]), "experiment.json: data must be a dict"),
        (lambda content: content["systems"].update(good=1), "system good is no mapping"),
        (system(family=None), "system good: .*missing 1 required .* 'family'"),
        (system(seeds=[9]), "trained/good.9.json does not exist"),
    ],
)
def test_an_odd_experiment(folder, change, says):
    experiments.change_json(folder / "experiment.json", change)
    with pytest.raises(UsageError, match=says):
        Results(folder)


@pytest.mark.parametrize(
    ("file", "change", "says"),
    [
        ("measured/gpt.2.json", None, "measured/gpt.2.json does not exist"),
        ("trained/gpt.2.json", None, "trained/gpt.2.json does not exist"),
        ("measured/gpt.2.json", "nothing", "measured/gpt.2.json is not valid JSON"),
        ("measured/gpt.2.json", "[]", "measured/gpt.2.json holds no mapping"),
        ("measured/gpt.2.json", '{"points": []}', "measured/gpt.2.json has no entry 'settings'"),
        ("measured/gpt.2.json", '{"points": [], "settings": {}}', "gpt.2.json has no points"),
        ("measured/gpt.2.json", '{"points": {}, "settings": {}}', "points must be a list"),
        ("measured/gpt.2.json", '{"points": [1], "settings": {}}', "has a point that is no map"),
        (
            "measured/gpt.2.json",
            '{"points": [{"samples": 1, "num_samples": 1, "bleu_3": 1, "self_bleu_3": 1}], '
            '"settings": {}}',
            "has a point whose 'samples' is no str",
        ),
        ("measured/gpt.2.json", "[" * 100_000, "is not valid JSON"),
    ],
)
def test_an_odd_file(folder, file, change, says):
    if change is None:
        (folder / file).unlink()
    else:
        (folder / file).write_text(change)
    with pytest.raises(UsageError, match=says):
        Results(folder)


def no_temperature_1(measured):
    del measured["points"][1]


def more_samples(measured):
    measured["points"][0]["num_samples"] = 3


def no_bleu(measured):
    del measured["points"][2]["bleu_3"]


def setting(**changes):
    return lambda measured: measured["settings"].update(changes)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (no_temperature_1, "lm was not sampled at temperature 1"),
        (no_bleu, "lm.2.json has a point without 'bleu_3'"),
        (more_samples, "lm.2.json has 3 samples a point, and .*lm.1.json has 2"),
        (setting(num_references=5), "lm.2.json has 5 references, and .*lm.1.json has 3"),
        (setting(encoder="x"), "lm.2.json has x as encoder, and .*lm.1.json has LSA"),
    ],
)
def test_figures_that_cannot_be_compared(folder, change, says):
    experiments.change_json(folder / "measured/lm.2.json", change)
    with pytest.raises(UsageError, match=says):
        Results(folder)
