"""`ddo` through fairseq's commands: rounds, exact resume, what its checkpoints are good for."""

import shutil

import pytest
import torch
from commands import refusal, run, run_together
from gan_states import checkpoints_by_update, equal, start_from

LM = (
    "lm", "--task", "unconditional_generation", "--optimizer", "fused_adamw", "--lr", 0.01,
    "--batch-size", 32, "--num-workers", 0, "--no-epoch-checkpoints",
)  # fmt: skip
GPT = (*LM, "--arch", "gpt_doc_tiny")
DDO = (
    *GPT, "--criterion", "ddo", "--lr", 0.002, "--ddo-round-updates", 4, "--ddo-alpha", 2.0,
    "--ddo-beta", 0.5, "--log-format", "json", "--log-interval", 1,
)  # fmt: skip
START = ("--finetune-from-model", "start/checkpoint_last.pt")
UPDATES = 10


def held(checkpoint):
    return checkpoint["model"], checkpoint["last_optimizer_state"], state(checkpoint)


def state(checkpoint):
    (only,) = checkpoint["extra_state"]["criterion_state"]
    return only


@pytest.fixture(scope="module")
def start(corpus):
    run(
        "fairseq-train", *GPT, "--criterion", "cross_entropy", "--max-update", 20, "--save-dir",
        "start", "--disable-validation", folder=corpus,
    )  # fmt: skip
    return torch.load(corpus / "start" / "checkpoint_last.pt", weights_only=True)["model"]


@pytest.fixture(scope="module")
def whole(corpus, start):
    result = run(
        "fairseq-train", *DDO, *START, "--max-update", UPDATES, "--save-interval-updates", 1,
        "--save-dir", "whole", folder=corpus,
    )  # fmt: skip
    return result, checkpoints_by_update(corpus / "whole")


def test_each_round_has_the_model_that_it_began_with_as_reference(whole, start):
    result, found = whole
    for update in range(1, UPDATES + 1):
        begun = (update - 1) // 4 * 4
        assert equal(state(found[update]), found[begun]["model"] if begun else start), update
    loss, nll = result.logged("loss"), result.logged("nll_loss")
    assert loss[0] == pytest.approx(1 + 2, abs=1e-3)  # bits, where the model is its reference
    assert loss[3] < loss[0] and loss[4] == loss[8] == pytest.approx(3, abs=1e-3)
    assert len(nll) == len(loss) == UPDATES
    assert result.logged("valid_nll_loss") == result.logged("valid_loss")
    assert result.logged("valid_log_ratio_real") != result.logged("valid_log_ratio_fake")


def test_resume_is_exact_in_a_round_and_where_one_begins(corpus, whole):
    for stop in (2, 4):
        parts = start_from(corpus / "whole", stop, corpus / f"from-{stop}")
        run(
            "fairseq-train", *DDO, *START, "--max-update", UPDATES, "--save-dir", parts,
            "--disable-validation", folder=corpus,
        )  # fmt: skip
        last = torch.load(parts / "checkpoint_last.pt", weights_only=True)
        assert equal(held(last), held(whole[1][UPDATES])), stop


def test_its_checkpoint_is_a_language_model_like_any_other(corpus, whole):
    path = ("--path", "whole/checkpoint_last.pt")
    task = ("lm", "--task", "unconditional_generation", *path)
    drawn = run(
        "fairseq-generate", *task, "--num-samples", 5, "--sampling", "--beam", 1, "--seed", 3,
        folder=corpus,
    ).lines("H")  # fmt: skip
    assert len(drawn) == 5
    result = run("fairseq-validate", *task, "--batch-size", 16, folder=corpus)
    assert "nll_loss" in result.stdout and "ddo_loss" not in result.stdout


def test_two_processes_share_a_reference_and_go_on_exactly(corpus, start):
    flags = (*DDO, *START, "--disable-validation", "--save-interval-updates", 5, "--max-update", 6)
    flags += ("--save-dir",)
    result, _ = run_together(2, "fairseq-train", *flags, "two", folder=corpus)
    parts = start_from(corpus / "two", 5, corpus / "two-parts")
    run_together(2, "fairseq-train", *flags, parts, folder=corpus)
    saved = [
        torch.load(folder / "checkpoint_last.pt", weights_only=True)
        for folder in (corpus / "two", parts)
    ]
    assert equal(held(saved[0]), held(saved[1]))
    loss = result.logged("loss")
    assert loss[0] == loss[4] == pytest.approx(3, abs=1e-3) and loss[3] < 3


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        ((*DDO, "--arch", "transformer_lm", "--decoder-layers", 1), "such as --arch gpt_doc"),
        ((*DDO, "--arch", "gan_doc_tiny"), "such as --arch gpt_doc"),
    ],
)
def test_what_is_refused_is_one_line(corpus, flags, says):
    result = run("fairseq-train", *flags, "--save-dir", "refused", folder=corpus, expect=1)
    errors = [line for line in result.stderr.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1 and says in errors[0]
    assert "Traceback" not in result.stdout + result.stderr
    assert not list((corpus / "refused").glob("*.pt"))


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        ((*DDO, "--ddo-beta", 0), "--ddo-beta is 0.0; it must be greater than 0"),
        (
            (*DDO, "--sample-break-mode", "none", "--tokens-per-sample", 32),
            "leave out --sample-break-mode",
        ),
        ((*DDO, "--task", "language_modeling"), "needs --task unconditional_generation"),
    ],
)
def test_what_is_refused_before_training(corpus, flags, says):
    assert says in refusal(*flags, folder=corpus)


def test_samples_are_as_long_as_lines_and_no_longer_than_the_model_reads(corpus):
    cut = ("--max-update", 1, "--disable-validation", "--save-dir", "cut", "--max-sample-length")
    done = run("fairseq-train", *DDO, *cut, 4, folder=corpus)
    assert done.stdout.count("are longer than --max-sample-length 4") == 1
    # Of the lines that it trains on, also where these are validated on.
    (corpus / "one.txt").write_text("a\n")
    shutil.copytree(corpus / "lm", corpus / "short", dirs_exist_ok=True)
    run(
        "fairseq-preprocess", "--only-source", "--srcdict", "lm/dict.txt", "--validpref",
        "one.txt", "--destdir", "one", folder=corpus,
    )  # fmt: skip
    for kind in ("bin", "idx"):
        shutil.copy(corpus / f"one/valid.{kind}", corpus / f"short/valid.{kind}")
    short = (
        "short", *DDO[1:], "--max-update", 1, "--save-dir", "new", "--max-sample-length", 4,
        "--valid-subset", "train,valid",
    )  # fmt: skip
    done = run("fairseq-train", *short, folder=corpus)
    assert done.stdout.count("are longer than --max-sample-length 4") == 1
    done = run("fairseq-train", *DDO, *cut, 100, "--save-dir", "x", folder=corpus, expect=1)
    assert "--max-sample-length 100: the model reads 64 tokens at most" in done.stderr
    assert not any((corpus / "x").iterdir())
