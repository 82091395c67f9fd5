"""The comparison of language models and GANs, with a budget of one second a system."""

import json
import subprocess
import sys

import pytest
import torch
from commands import RECIPES, run, run_recipe
from conftest import SIZES

sys.path.append(str(RECIPES / "lib"))
from trained_model import generator_parameters, updates_by_player

LIKELIHOOD = ["start_rnn", "start_relational", "start_gpt", "rnn_lm", "gpt_doc"]
GANS = ["gan_doc", "gan_seqgan", "gan_maligan", "gan_relgan", "gan_scratchgan", "gan_gpt"]
CHOSEN = ["gpt_doc", "gan_gpt"]


def flags_of(name, folder, budget=1, size="small"):
    """What the recipe gives to fairseq-train, with seed 1 and ``folder`` as its output."""
    script = (
        f"fail() {{ echo $1; exit 1; }}; source {RECIPES}/lib/gpt_vs_gan_systems.sh; "
        f"OUTPUT='{folder}' BUDGET={budget} SIZE={size}; system_flags {name} 1; "
        'printf "%s\\n" "${FLAGS[@]}"'
    )
    done = subprocess.run(["bash", "-euc", script], capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


def value(flags, name):
    return flags[flags.index(name) + 1]


def last_checkpoint(folder, name):
    path = folder / "models" / f"{name}.1" / "checkpoint_last.pt"
    return torch.load(path, map_location="cpu", weights_only=True)


@pytest.fixture(scope="module")
def texts(corpus, tmp_path_factory):
    """A folder of sentences without a validation set."""
    folder = tmp_path_factory.mktemp("some sentences")
    for split in ("train", "test"):
        (folder / f"{split}.txt").write_text((corpus / f"{split}.en").read_text() + "\n")
    return folder


@pytest.fixture(scope="module")
def arguments(texts):
    return (
        texts, "--vocabulary", 36, "--budget", 1, "--seeds", "1", "--systems", " ".join(CHOSEN),
        "--samples", 30, "--jobs", 2, "--train-only", "--output", texts / "out",
    )  # fmt: skip


@pytest.fixture(scope="module")
def made(texts, arguments):
    done = run_recipe("gpt_vs_gan.sh", *arguments, cwd=texts)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return texts / "out", done


def test_a_validation_set_is_split_off(made):
    output, _ = made
    lines = {
        split: (output / "data" / f"{split}.txt").read_text().splitlines()
        for split in ("train", "valid", "test")
    }
    assert len(lines["valid"]) == SIZES["train"] // 20
    assert len(lines["train"]) == SIZES["train"] - len(lines["valid"])
    assert len(lines["test"]) == SIZES["test"]  # the empty line is gone


def test_systems_are_trained_from_their_starts(made):
    output, done = made
    assert {path.name for path in (output / "models").iterdir()} == {
        "start_gpt.1", "gpt_doc.1", "gan_gpt.1",
    }  # fmt: skip
    assert "trained:" in done.stdout.splitlines()[-1]
    cost = json.loads((output / "models" / "gan_gpt.1" / "cost.json").read_text())
    assert cost["processor_seconds"] > 1 and cost["peak_memory_mib"] > 100
    flags = flags_of("gan_gpt", output)
    assert value(flags, "--generator-checkpoint") == str(
        output / "models" / "start_gpt.1" / "checkpoint_best.pt"
    )
    updates = last_checkpoint(output, "gan_gpt")["optimizer_history"][-1]["num_updates"]
    assert updates == int(value(flags, "--max-update"))


def test_a_stopped_run_goes_on_and_leaves_alone_what_is_done(made, arguments):
    output, _ = made
    (output / ".done" / "train-gan_gpt.1").unlink()
    before = {
        path: path.stat().st_mtime_ns for path in (output / "models").glob("*/checkpoint_last.pt")
    }
    done = run_recipe("gpt_vs_gan.sh", *arguments, cwd=output)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    assert [line.split()[1] for line in done.stdout.splitlines() if line.startswith("==")] == [
        "train-gan_gpt.1"
    ]
    assert "Loaded checkpoint" in (output / "logs" / "train-gan_gpt.1.log").read_text()
    after = {path: path.stat().st_mtime_ns for path in before}
    assert {path.parent.name for path in before if after[path] != before[path]} <= {"gan_gpt.1"}


def test_every_system_trains_from_its_start_to_the_end_of_the_budget(corpus, tmp_path):
    for name in LIKELIHOOD + GANS:
        folder = tmp_path / "models" / f"{name}.1"
        flags = flags_of(name, tmp_path)
        if "gan" in flags:
            flags += ["--valid-samples", 20, "--max-sample-length", 8]
        run(
            "fairseq-train", corpus / "lm", *flags, "--save-dir", folder, "--seed", 1,
            "--num-workers", 0, folder=tmp_path,
        )  # fmt: skip
        updates = last_checkpoint(tmp_path, name)["optimizer_history"][-1]["num_updates"]
        assert updates == int(value(flags, "--max-update")) >= 2, name
        assert (folder / "checkpoint_best.pt").exists()
        assert 0.5e6 < generator_parameters(tmp_path, f"{name}.1") < 2e6  # with 30 words
        by_player = updates_by_player(tmp_path, f"{name}.1")
        if name in GANS:
            assert by_player["generator_pretraining", "generator"] == 0
            assert by_player["turns", "generator"] >= 1
        else:
            assert by_player.keys() == {("generator_pretraining", "generator")}


def test_bad_folder_and_arguments(texts, tmp_path):
    for argv, says in (
        (["nowhere"], "nowhere is not a folder"),
        (["."], ". has no train.txt"),
        (["--budget", "some"], "some is not a positive whole number"),
        (["--seeds", ""], "--seeds is empty"),
        (["--systems", "rnn_lm leakgan"], "there is no system leakgan; choose among rnn_lm"),
        (["--samples", "1"], "at least 2"),
        (["--output"], "--output needs a value"),
    ):
        done = run_recipe("gpt_vs_gan.sh", *argv, cwd=tmp_path)
        assert done.returncode == 1
        assert len(done.stderr.splitlines()) == 1 and says in done.stderr
        assert not list(tmp_path.iterdir())


def test_settings_of_another_run_are_refused(made, arguments):
    output, _ = made
    done = run_recipe("gpt_vs_gan.sh", *arguments[:4], 2, *arguments[5:], cwd=output)
    assert done.returncode == 1 and "has another run (budget 1 small" in done.stderr
