"""Published GANs as presets, the oracle in validation, stopping by quality, bad combinations."""

import pytest
import torch
from commands import refusal, run

from fairseq_genext.data.oracle import OracleLSTM, write_benchmark

TRAIN = (
    "lm", "--task", "gan", "--criterion", "adversarial", "--optimizer", "two_player_adamw",
    "--lr", "0.01", "--batch-size", 8, "--max-sample-length", 8, "--no-epoch-checkpoints",
    "--log-format", "json", "--log-interval", 1, "--valid-samples", 20,
)  # fmt: skip
SMALL = {
    "gan_seqgan": ("--discriminator-widths", "1,2", "--discriminator-filters", "4,4"),
    "gan_maligan": ("--discriminator-widths", "1,2", "--discriminator-filters", "4,4"),
    "gan_relgan": (
        "--generator-hidden-dim", 16, "--discriminator-embed-dim", 8,
        "--discriminator-representations", 4, "--discriminator-widths", "2,3",
        "--discriminator-filters", "4,4",
    ),
    "gan_scratchgan": (
        "--generator-embed-dim", 16, "--generator-hidden-dim", 16, "--discriminator-embed-dim", 8,
        "--discriminator-hidden-dim", 8,
    ),
    "gan_textgail": (
        "--generator-embed-dim", 16, "--generator-hidden-dim", 32, "--generator-layers", 1,
        "--discriminator-embed-dim", 16, "--discriminator-hidden-dim", 32,
        "--discriminator-layers", 1,
    ),
    "gan_gpt": (
        "--generator-embed-dim", 16, "--generator-hidden-dim", 32, "--generator-layers", 2,
        "--discriminator-embed-dim", 8, "--discriminator-hidden-dim", 8,
    ),
}  # fmt: skip
# What the published system is, as fairseq saves it with the checkpoint.
POINTS = {
    "gan_seqgan": {"gan_loss": "bce", "gradient_estimator": "reinforce", "rollouts": 16},
    "gan_maligan": {"gan_loss": "bce", "gradient_estimator": "mali"},
    "gan_relgan": {"gan_loss": "rsgan", "gumbel_final_temperature": 0.01, "gumbel_samples": "soft"},
    "gan_scratchgan": {"reward_discount": 0.23, "reward_baseline": "ema", "rollouts": 0},
    "gan_textgail": {"gradient_estimator": "ppo", "gan_loss": "rsgan", "human_share": 0.3},
    "gan_gpt": {"gradient_estimator": "reinforce", "reward": "signed"},
}


def logged(result, key: str) -> list[float]:
    """Every value of ``key`` in the log, in order."""
    return result.logged(key)


@pytest.mark.parametrize("preset", SMALL)
def test_presets_train_generate_and_reload(corpus, preset):
    result = run(
        "fairseq-train", *TRAIN, "--arch", preset, *SMALL[preset], "--max-update", 5,
        "--generator-pretrain-updates", 1, "--discriminator-warmup-updates", 1,
        "--discriminator-steps", 1, "--save-dir", preset, folder=corpus,
    )  # fmt: skip
    saved = torch.load(corpus / preset / "checkpoint_last.pt", weights_only=True)
    criterion = saved["cfg"]["criterion"]
    for name, value in POINTS[preset].items():
        assert criterion[name] == value, name
    assert logged(result, "g_loss") and logged(result, "valid_sample_self_bleu_2")
    assert 0 <= logged(result, "valid_sample_duplicates")[-1] <= 1
    if criterion["gradient_estimator"] in ("reinforce", "ppo"):
        assert logged(result, "reward_spread")[-1] > 0
    sampled = run(
        "fairseq-generate", "lm", "--task", "unconditional_generation", "--path",
        f"{preset}/checkpoint_last.pt", "--num-samples", 5, "--sampling", "--beam", 1,
        "--seed", 3, "--max-len-b", 8, folder=corpus,
    ).lines("H")  # fmt: skip
    assert sorted(sampled) == list(range(5))


def test_the_command_line_goes_before_the_preset(corpus):
    """Also in the spellings of the last release, which the log translates."""
    result = run(
        "fairseq-train", *TRAIN, "--arch", "gan_seqgan", *SMALL["gan_seqgan"], "--rollouts", 0,
        "--gan-loss", "hinge", "--generator-pretrain-updates", 1, "--max-update", 1,
        "--reward-baseline", "others", "--discriminator-pretrain-updates", 7,
        "--disable-validation", "--save-dir", "override", folder=corpus,
    )  # fmt: skip
    saved = torch.load(corpus / "override" / "checkpoint_last.pt", weights_only=True)["cfg"]
    assert saved["criterion"]["rollouts"] == 0 and saved["criterion"]["gan_loss"] == "hinge"
    assert saved["criterion"]["reward"] == "probability"
    assert saved["task"]["discriminator_steps"] == 15
    for translated in (
        "--reward-baseline others is now --reward-baseline leave-one-out",
        "--discriminator-pretrain-updates is now --discriminator-warmup-updates",
    ):
        assert translated in result.stdout + result.stderr


def test_moving_average_and_plateau_resume_exactly(corpus):
    """What is not a function of the number of updates travels with the checkpoint."""
    flags = (
        *TRAIN, "--arch", "gan_scratchgan", *SMALL["gan_scratchgan"], "--pretrain-patience", 1,
        "--generator-pretrain-updates", 50, "--discriminator-warmup-updates", 50,
        "--validate-interval-updates", 2, "--save-interval-updates", 2, "--lr", "3.0",
        "--discriminator-lr", "3.0", "--weight-decay", 0,
    )  # fmt: skip
    # At so high a rate losses rise, and each pretraining ends well before its 50 updates.
    whole = run("fairseq-train", *flags, "--max-update", 24, "--save-dir", "plateau", folder=corpus)
    assert logged(whole, "phase")[-1] == 2
    for until in (6, 12, 18, 24):  # where the whole run validates too
        run(
            "fairseq-train",
            *flags,
            "--max-update",
            until,
            "--save-dir",
            "plateau-parts",
            folder=corpus,
        )
    models = [
        torch.load(corpus / name / "checkpoint_last.pt", weights_only=True)["model"]
        for name in ("plateau", "plateau-parts")
    ]
    assert all(torch.equal(models[0][name], models[1][name]) for name in models[0])


@pytest.fixture(scope="module")
def oracle(corpus):
    folder = corpus / "oracle"
    teacher = OracleLSTM.random(20, 4, seed=3)
    write_benchmark(folder, teacher, 6, {"train": 200, "valid": 40, "test": 40}, seed=1)
    run(
        "fairseq-preprocess", "--only-source", "--trainpref", "oracle/train.txt", "--validpref",
        "oracle/valid.txt", "--srcdict", "oracle/dict.txt", "--destdir", "oracle/bin",
        folder=corpus,
    )  # fmt: skip
    torch.manual_seed(2)
    return teacher.nll(teacher.sample(5000, 6)).mean().item()


def test_the_oracle_scores_samples_in_validation(corpus, oracle):
    result = run(
        "fairseq-train", "oracle/bin", *TRAIN[1:], "--arch", "gan_seqgan", *SMALL["gan_seqgan"],
        "--fixed-length", "--max-sample-length", 6, "--oracle", "oracle/oracle.npz",
        "--valid-samples", 500, "--generator-pretrain-updates", 200, "--max-update", 200,
        "--batch-size", 32, "--save-dir", "by-oracle", folder=corpus,
    )  # fmt: skip
    nll = logged(result, "valid_sample_oracle_nll")
    assert nll[0] > nll[-1] > oracle - 0.3
    assert nll[-1] < oracle + 1.0
    assert "mode collapse" not in result.stdout + result.stderr


def test_quality_stops_training(corpus, oracle):
    """--patience on a figure of the samples, which grow alike while the loss still falls."""
    result = run(
        "fairseq-train", "oracle/bin", *TRAIN[1:], "--arch", "gan_seqgan", *SMALL["gan_seqgan"],
        "--fixed-length", "--max-sample-length", 6, "--valid-samples", 200, "--max-update", 500,
        "--generator-pretrain-updates", 1000, "--validate-interval-updates", 10,
        "--save-interval-updates", 10, "--best-checkpoint-metric", "sample_self_bleu_2",
        "--patience", 3, "--save-dir", "stopped", folder=corpus,
    )  # fmt: skip
    assert "early stop since valid performance hasn't improved" in result.stdout + result.stderr
    likeness, loss = logged(result, "valid_sample_self_bleu_2"), logged(result, "valid_loss")
    assert len(likeness) - likeness.index(min(likeness)) == 4  # the best and three without a better
    assert loss[-1] < min(loss[:-1])
    saved = torch.load(corpus / "stopped" / "checkpoint_best.pt", weights_only=True)
    assert saved["extra_state"]["best"] == pytest.approx(min(likeness), abs=1e-3)
    validated = logged(result, "valid_num_updates")  # at the end of an epoch too
    updates = saved["optimizer_history"][-1]["num_updates"]
    assert updates == validated[likeness.index(min(likeness))] < validated[-1]


def test_mode_collapse_is_reported(corpus):
    """A few updates by a huge rate leave one likely word; it is told once."""
    result = run(
        "fairseq-train", *TRAIN, "--arch", "gan_doc_tiny", "--lr", "50.0", "--max-update", 6,
        "--generator-pretrain-updates", 6, "--save-dir", "collapsed",
        "--validate-interval-updates", 1, "--valid-samples", 100, folder=corpus,
    )  # fmt: skip
    shares = logged(result, "valid_sample_duplicates")
    assert sum(share > 0.5 for share in shares) > 1
    said = result.stdout + result.stderr
    assert said.count("mode collapse: ") == 1 and "try a smaller --generator-turns-lr-scale" in said


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (("--arch", "gan_maligan", "--gan-loss", "hinge"), "mali does not go with"),
        (("--arch", "gan_doc_tiny", "--fixed-length"), "every sentence must have"),
        (("--arch", "gan_doc_tiny", "--rollouts", -1, "--gradient-estimator", "reinforce"),
         "cannot be negative"),
    ],
)  # fmt: skip
def test_bad_combinations_end_in_one_line(corpus, flags, says):
    save = ("--max-update", 1, "--save-dir", "bad")
    result = run("fairseq-train", *TRAIN, *flags, *save, folder=corpus, expect=1)
    errors = [line for line in result.stderr.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1 and says in errors[0]
    assert "Traceback" not in result.stdout + result.stderr
    assert not list((corpus / "bad").glob("*.pt"))


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (("--arch", "gan_seqgan", "--discriminator", "rnn"), "--rollouts 16 complete a text"),
        (("--arch", "gan_maligan", "--discriminator", "rnn"), "mali weighs whole sequences"),
        (("--arch", "gan_doc_tiny", "--oracle", "no.npz"), "no.npz cannot be read as npz"),
        (("--arch", "gan_doc_tiny", "--valid-samples", 1), "--valid-samples is 1"),
        (("--arch", "gan_gpt", "--max-target-positions", 4), "the model reads 4 tokens at most"),
    ],
)
def test_more_bad_combinations(corpus, flags, says):
    assert says in refusal(*TRAIN, *flags, folder=corpus)
