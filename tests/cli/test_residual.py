"""The discriminator kept after training: a language model, and one that learns to correct it."""

import contextlib
import json
import math
import re
import shutil
from pathlib import Path

import pytest
import torch
from architectures import ARCHITECTURES
from commands import run
from gan_states import equal, states
from untrained import write_untrained

from fairseq_genext.errors import UsageError
from fairseq_genext.evaluation import sample, sweep
from fairseq_genext.evaluation.__main__ import main as evaluate
from fairseq_genext.evaluation.checkpoints import load_model
from fairseq_genext.evaluation.hypotheses import hypotheses
from fairseq_genext.evaluation.metrics.text_metrics import TextMetrics
from fairseq_genext.evaluation.residual import draw
from fairseq_genext.evaluation.sample import held_out_perplexity
from fairseq_genext.files import read_json, read_lines
from fairseq_genext.models import gan as gan_model

LM = (
    "lm", "--task", "unconditional_generation", "--arch", "gpt_doc_tiny", "--criterion",
    "cross_entropy", "--optimizer", "fused_adamw", "--lr", 0.01, "--max-update", 15,
    "--batch-size", 32, "--save-dir", "gpt",
)  # fmt: skip
GAN = (
    "lm", "--task", "gan", "--arch", "gan_residual_tiny", "--generator-checkpoint",
    "gpt/checkpoint_last.pt", "--discriminator-checkpoint", "gpt/checkpoint_last.pt",
    "--criterion", "adversarial", "--optimizer", "two_player_adamw", "--lr", 0.01,
    "--batch-size", 32, "--max-sample-length", 30, "--valid-samples", 0,
)  # fmt: skip
SAMPLE = (
    "lm", "--task", "gan", "--path", "gan/checkpoint_last.pt", "--sampling", "--beam", 1,
    "--num-samples", 40, "--batch-size", 40, "--max-len-b", 20, "--seed", 5,
)  # fmt: skip


@pytest.fixture(scope="module")
def trained(corpus):
    run("fairseq-train", *LM, folder=corpus)
    run("fairseq-train", *GAN, "--save-dir", "begun", "--max-update", 1, "--lr", 0, folder=corpus)
    run("fairseq-train", *GAN, "--save-dir", "gan", "--max-update", 40, folder=corpus)
    return corpus


@pytest.fixture(scope="module")
def fixed(trained):
    """A checkpoint of texts of one length."""
    state = torch.load(trained / "gan/checkpoint_last.pt", weights_only=True)
    state["cfg"]["task"]["fixed_length"] = True
    torch.save(state, trained / "fixed.pt")


@pytest.fixture(scope="module", autouse=True)
def splits(corpus):
    """Splits of one text, and with one that is longer than any model reads."""
    lines = read_lines(corpus / "test.en")
    for name, texts in {"one": lines[:1], "long": [*lines[:6], "a " * 120]}.items():
        (corpus / f"{name}.en").write_text("\n".join(texts) + "\n")
        run(
            "fairseq-preprocess", "--only-source", "--srcdict", "lm/dict.txt", "--testpref",
            f"{name}.en", "--destdir", name, folder=corpus,
        )  # fmt: skip
        for kind in ("bin", "idx"):
            shutil.copy(corpus / name / f"test.{kind}", corpus / "lm" / f"{name}.{kind}")


def generate(folder, *flags):
    done = run("fairseq-generate", *SAMPLE, *flags, folder=folder)
    return hypotheses(done.stdout.splitlines()), done.stdout


def test_both_players_start_from_the_language_model(trained):
    """And its own features are what the discriminator scores, bit by bit."""
    require_equal_players(trained, "begun", "gpt")


def require_equal_players(folder, gan, language_model):
    """Both players of a checkpoint are a language model's decoder."""
    gan, lm = (
        load_model(str(folder / name / "checkpoint_last.pt"), str(folder / "lm"))[0]
        for name in (gan, language_model)
    )
    tokens = torch.tensor([[5, 9, 7, 2], [11, 2, 1, 1]])
    read = torch.cat([torch.full((2, 1), 2), tokens], dim=1)
    features = lm.decoder.extract_features(read)[0]
    assert torch.equal(gan.discriminator.features(tokens, tokens.ne(1)), features)
    assert torch.equal(gan.decoder(read)[0], lm.decoder(read)[0])


def test_so_they_do_from_an_rnn_lm(trained):
    start = ("--arch", "rnn_lm_tiny", "--max-update", 2, "--save-dir", "rnn")
    run("fairseq-train", *LM, *start, folder=trained)
    players = [
        item
        for player, kind in {"generator": "rnn", "discriminator": "rnn_lm"}.items()
        for item in (
            f"--{player}", kind, f"--{player}-layers", 1, f"--{player}-embed-dim", 16,
            f"--{player}-hidden-dim", 16, f"--{player}-checkpoint", "rnn/checkpoint_last.pt",
        )
    ]  # fmt: skip
    flags = (*players, "--save-dir", "rnn-gan", "--max-update", 1, "--lr", 0)
    run("fairseq-train", *GAN, *flags, folder=trained)
    require_equal_players(trained, "rnn-gan", "rnn")


def test_only_the_discriminator_learns(trained):
    begun, gan = (
        torch.load(trained / f"{name}/checkpoint_last.pt", weights_only=True)
        for name in ("begun", "gan")
    )
    for name, weight in begun["model"].items():
        if name.startswith("decoder."):
            assert torch.equal(weight, gan["model"][name]), name
    assert not torch.equal(
        begun["model"]["discriminator.output.weight"], gan["model"]["discriminator.output.weight"]
    )
    # Whoever loads it needs no other file.
    assert gan["cfg"]["model"]["discriminator_checkpoint"] == ""


def test_one_candidate_is_plain_sampling(trained):
    plain, log = generate(trained)
    assert generate(trained, "--resample", 1)[0] == plain and len(plain) == 40
    assert "effective sample size" not in log


def test_resampling_repeats_under_a_seed_and_prefers_what_the_discriminator_does(trained):
    plain, _ = generate(trained)
    kept, log = generate(trained, "--resample", 8)
    assert kept == generate(trained, "--resample", 8)[0] and kept != plain
    worth = float(re.search(r"effective sample size ([\d.]+) of 8", log)[1])
    assert 1 <= worth < 7.9
    assert mean_score(trained, kept) > mean_score(trained, plain) + 0.1
    # At another temperature and top-p too.
    cool = ("--temperature", 0.7, "--sampling-topp", 0.9)
    assert generate(trained, *cool)[0] != generate(trained, *cool, "--resample", 4)[0]


def test_a_greater_weight_chooses_more_strictly(trained):
    kept, _ = generate(trained, "--resample", 8)
    assert generate(trained, "--resample", 8, "--resample-weight", 1)[0] == kept
    best, log = generate(trained, "--resample", 8, "--resample-weight", 1e4)
    assert mean_score(trained, best) > mean_score(trained, kept) + 0.1
    assert float(re.search(r"effective sample size ([\d.]+) of 8", log)[1]) < 1.1


def mean_score(folder, texts):
    """The discriminator's mean logit of texts."""
    model, task = load_model(str(folder / "gan/checkpoint_last.pt"), str(folder / "lm"))
    scores = []
    for text in texts:
        tokens = task.dictionary.encode_line(text, add_if_not_exist=False).long()[None]
        scores.append(model.discriminator(tokens, tokens.ne(1)).mean().item())
    return sum(scores) / len(scores)


def test_a_prompt_is_part_of_what_is_scored(trained):
    lines = "\n".join((trained / "test.en").read_text().splitlines()[:3]) + "\n"
    flags = (
        "lm", "--task", "gan", "--path", "gan/checkpoint_last.pt", "--sampling", "--beam", 1,
        "--buffer-size", 3, "--batch-size", 3, "--max-len-b", 5, "--seed", 5, "--resample", 4,
    )  # fmt: skip
    done = run("fairseq-interactive", *flags, folder=trained, stdin=lines)
    assert len(hypotheses(done.stdout.splitlines())) == 3
    assert "effective sample size" in done.stdout


def test_eval_lm_tells_the_likelihood_of_both(trained):
    flags = ("lm", "--path", "gan/checkpoint_last.pt", "--gen-subset", "test", "--max-tokens", 4000)
    done = run(
        "fairseq-eval-lm", *flags, "--task", "gan", "--partition-samples", 4000, folder=trained
    )
    plain = float(re.search(r"Perplexity: ([\d.]+)", done.stdout)[1])
    found = re.search(r"model: ([\d.]+) nats a token \(([\d.]+) to ([\d.]+)", done.stdout)
    nll, low, high = map(float, found.groups())
    alone = float(re.search(r"alone: ([\d.]+) nats", done.stdout)[1])
    gain = float(re.search(r"gain (-?[\d.]+) ±", done.stdout)[1])
    assert alone == pytest.approx(math.log(plain), abs=2e-3)
    # By hand, with log Z of other samples: the discriminator likes real text.
    model, task = load_model(str(trained / "gan/checkpoint_last.pt"), str(trained / "lm"))
    task.load_dataset("test")
    texts = [item["target"][None] for item in task.dataset("test")]
    torch.manual_seed(8)
    fake = list(draw(model.decoder, 4000, task.length))
    with torch.no_grad():
        f, scored = (
            torch.cat([model.discriminator(x, x.ne(1)).mean().double() for x in batches])
            for batches in (texts, fake)
        )
    log_z = (scored.logsumexp(0) - math.log(4000)).item()
    tokens = sum(x.size(1) for x in texts)
    assert gain == pytest.approx((f - log_z).sum().item() / tokens, abs=0.03) and gain > 0.03
    assert low <= nll <= high and gain == pytest.approx(alone - nll, abs=2e-4)
    assert 0 < float(re.search(r"discriminator: loss ([\d.]+)", done.stdout)[1]) < 1


def test_a_resumed_run_is_the_whole_one(trained):
    """Weights of both players and the optimizer, bitwise; and without the file it started from."""
    flags = (
        *GAN, "--discriminator-dropout", 0.2, "--generator-temperature", 0.7,
        "--generator-checkpoint", "start.pt", "--discriminator-checkpoint", "start.pt",
    )  # fmt: skip
    shutil.copy(trained / "gpt/checkpoint_last.pt", trained / "start.pt")
    run("fairseq-train", *flags, "--save-dir", "w", "--max-update", 4, folder=trained)
    run("fairseq-train", *flags, "--save-dir", "r", "--max-update", 2, folder=trained)
    (trained / "start.pt").unlink()
    run("fairseq-train", *flags, "--save-dir", "r", "--max-update", 4, folder=trained)
    whole, resumed = (
        states(torch.load(trained / f"{name}/checkpoint_last.pt", weights_only=True))
        for name in ("w", "r")
    )
    assert equal(whole, resumed)


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (("--resample", 0), "--resample is 0"),
        (("--resample", 4, "--resample-weight", 0), "--resample-weight is 0"),
        (("--resample", 4, "--resample-weight", "nan"), "--resample-weight is nan"),
        (("--resample", 4, "--resample-weight", 1e39), "it must be at most 1e+06, which keeps"),
        (("--temperature", 1e-39), "--temperature is 1e-39; it must be at least 1e-06"),
        (("--resample-weight", 2), "--resample-weight 2.0 needs candidates"),
        (("--min-len", 90, "--max-len-b", 90), "--min-len is 90, more than the model"),
        (("--min-len", 90, "--max-len-b", 90, "--beam", 2, "--nbest", 2), "--min-len is 90"),
        (("--resample", 4, "--beam", 2, "--nbest", 2), "--sampling --beam 1"),
        (
            ("--resample", 4, "--path", "gpt/checkpoint_last.pt", "--task", LM[2]),
            "without a discriminator",
        ),
        (("--resample", 4, "--path", "fixed.pt"), "evaluation.oracle --resample N"),
    ],
)
def test_what_cannot_be_resampled(trained, fixed, flags, says):
    done = run("fairseq-generate", *SAMPLE, *flags, folder=trained, expect=1)
    assert says in done.stderr.splitlines()[-1]


EVALUATE = ("lm", "--task", "gan", "--path", "gan/checkpoint_last.pt", "--gen-subset", "test")


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (("--path", "fixed.pt"), "use python -m fairseq_genext.evaluation.oracle"),
        (("--partition-samples", 1), "--partition-samples is 1; it must be at least 2"),
        (("--path", "gpt/checkpoint_last.pt"), "without a discriminator"),
        (("--gen-subset", "one"), "one has 1 texts that the model can read"),
        (("--num-shards", 2, "--shard-id", 1), "leave out --num-shards"),
        (("--model-overrides", "x"), "--model-overrides is x, which is no mapping"),
        (("--task", LM[2], "--loss-on", "a"), "--partition-samples is of whole texts"),
        (("--shard-id", 1), "--shard-id is 1; with --num-shards 1 it must be 0 to 0"),
    ],
)
def test_what_has_no_likelihood_with_its_discriminator(trained, fixed, flags, says):
    done = run(
        "fairseq-eval-lm", *EVALUATE, "--partition-samples", 10, *flags, folder=trained, expect=1
    )
    assert says in done.stderr.splitlines()[-1]


def test_a_text_too_long_for_the_model_is_left_out(trained, monkeypatch):
    """As without --partition-samples, and in the other commands."""
    done = run(
        "fairseq-eval-lm", *EVALUATE, "--gen-subset", "long", "--partition-samples", 100,
        folder=trained,
    )  # fmt: skip
    plain = float(re.search(r"Perplexity: ([\d.]+)", done.stdout)[1])
    alone = float(re.search(r"alone: ([\d.]+) nats", done.stdout)[1])
    assert alone == pytest.approx(math.log(plain), abs=2e-3)
    monkeypatch.chdir(trained)
    for path in ("gan/checkpoint_last.pt", "gpt/checkpoint_last.pt"):
        found = held_out_perplexity(*load_model(path, "lm"), "long", 1)
        assert found == pytest.approx(plain, abs=0.02)


def test_overrides_are_for_both(trained):
    cold = ("--model-overrides", "{'generator_temperature': 0.5}")
    done = run("fairseq-eval-lm", *EVALUATE, *cold, "--partition-samples", 100, folder=trained)
    plain = float(re.search(r"Perplexity: ([\d.]+)", done.stdout)[1])
    alone = float(re.search(r"alone: ([\d.]+) nats", done.stdout)[1])
    assert alone == pytest.approx(math.log(plain), abs=2e-3)
    other = run("fairseq-eval-lm", *EVALUATE, folder=trained).stdout
    assert abs(float(re.search(r"Perplexity: ([\d.]+)", other)[1]) - plain) > 0.02


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (("--discriminator", "cnn"), "a cnn is no language model"),
        (("--discriminator-embed-dim", 16), "--discriminator-checkpoint gpt/checkpoint_last.pt"),
        (("--discriminator-heads", 4), "was trained with --decoder-attention-heads 2"),
        (("--discriminator-checkpoint", "none.pt"), "none.pt"),
    ],
)
def test_a_discriminator_that_does_not_fit(trained, flags, says):
    done = run(
        "fairseq-train", *GAN, *flags, "--max-update", 1, "--save-dir", "x", folder=trained,
        expect=1,
    )  # fmt: skip
    assert says in done.stderr.splitlines()[-1]
    assert not any((trained / "x").iterdir())


def test_evaluation_samples_so_too(trained, monkeypatch):
    flags = (
        "lm", "--checkpoint", "gan/checkpoint_last.pt", "--output", "kept", "--temperatures", 1,
        "--num-samples", 40, "--batch-size", 40, "--max-length", 20, "--seed", 5, "--resample", 8,
        "--partition-samples", 300,
    )  # fmt: skip
    monkeypatch.chdir(trained)
    monkeypatch.setattr("sys.argv", ["sample", *map(str, flags)])
    sample.main()
    (point,) = json.loads(Path("kept.json").read_text())["points"]
    assert point["residual_nll_low"] <= point["residual_nll"] < point["generator_nll"] + 1
    assert read_lines("kept/t1.00.txt") == generate(trained, "--resample", 8)[0]


def test_evaluate_tells_the_likelihood_of_both(trained, monkeypatch, capsys):
    flags = (
        "valid.en", "test.en", "--references", "test.en", "--encoder", "none", "--data", "lm",
        "--checkpoints", "gan/checkpoint_last.pt", "gpt/checkpoint_last.pt",
        "--partition-samples", 300, "--json", "figures.json",
    )  # fmt: skip
    monkeypatch.chdir(trained)
    monkeypatch.setattr("sys.argv", ["genext-evaluate", *map(str, flags)])
    evaluate()
    figures = json.loads(Path("figures.json").read_text())["figures"]
    gan, gpt = figures["valid"], figures["test"]
    assert gan["perplexity"] == pytest.approx(gpt["perplexity"])
    assert gan["residual_nll"] == pytest.approx(gan["generator_nll"] - gan["residual_gain"])
    (row,) = (line for line in capsys.readouterr().out.splitlines() if line.startswith("| gain"))
    assert row.split("|")[2].strip() == (
        f"{gan['residual_gain']:.3f} ± {gan['residual_gain_ci']:.3f}"
    )
    assert row.split("|")[3].strip() == "–"
    monkeypatch.setattr(
        "sys.argv", ["genext-evaluate", *map(str, flags[:6]), *map(str, flags[-4:])]
    )
    with pytest.raises(UsageError, match="--partition-samples needs --checkpoints"):
        evaluate()


@pytest.fixture(scope="module")
def others(trained):
    """Checkpoints of images and of pairs of texts, and a data folder that they could be given."""
    shutil.copytree(trained / "mt", trained / "both")
    for path in (trained / "lm").iterdir():
        shutil.copy(path, trained / "both")
    with contextlib.chdir(trained):
        for name in ("gan_image", "dbam"):
            write_untrained(f"{name}.pt", *map(str, ARCHITECTURES[name]))
    return trained


GENEXT_EVALUATE = ("valid.en", "test.en", "--references", "train.en", "--checkpoints")


@pytest.mark.parametrize(
    ("command", "flags", "says"),
    [
        *(
            (command, (*flags, f"{before}{name}.pt"), f"{name}.pt holds a {model}; name a")
            for name, model in (("gan_image", "GANImage"), ("dbam", "DBAM"))
            for command, before, flags in (
                ("evaluate", "", (*GENEXT_EVALUATE, "gan/checkpoint_last.pt")),
                ("sample", "", ("--checkpoint",)),
                ("sweep", "a=", ("--resample", 2, "--references", "test.en", "--checkpoints")),
            )
        ),
        ("evaluate", (*GENEXT_EVALUATE, "gpt/checkpoint_last.pt", "fixed.pt"), "oracle --resample"),
        (
            "evaluate",
            (
                *GENEXT_EVALUATE, "gpt/checkpoint_last.pt", "gpt/checkpoint_last.pt",
                "--partition-samples", 9,
            ),
            "--partition-samples: no checkpoint keeps",
        ),
        ("evaluate", GENEXT_EVALUATE[:-1], "--checkpoints and --data"),
    ],
)  # fmt: skip
def test_what_has_no_held_out_likelihood(others, fixed, monkeypatch, command, flags, says):
    """It is refused before anything is measured or written."""
    data = ("--data", "both") if command == "evaluate" else ("both", "--output", "none")
    monkeypatch.chdir(others)
    monkeypatch.setattr("sys.argv", [command, *map(str, (*data, *flags))])
    monkeypatch.setattr(TextMetrics, "measure", None)
    main = {"evaluate": evaluate, "sample": sample.main, "sweep": sweep.main}[command]
    with pytest.raises(UsageError, match=says):
        main()
    assert not Path("none").exists()


def test_an_image_gan_has_no_likelihood_of_text(others):
    flags = ("--path", "gan_image.pt", "--partition-samples", 10)
    done = run("fairseq-eval-lm", *EVALUATE, *flags, folder=others, expect=1)
    assert "gan_image.pt holds a GANImage" in done.stderr.splitlines()[-1]


@pytest.mark.parametrize(
    ("data", "flags", "says"),
    [
        ("lm", ("--partition-samples", 1), "--partition-samples is 1; it must be at least 2"),
        ("lm", ("--partition-samples", -1), "--partition-samples is -1"),
        ("lm", ("--temperatures", 0.7), "a likelihood is that of temperature 1"),
        ("lm", ("--seed", -1), "--seed is -1; it must be at least 0"),
        ("lm", ("--checkpoint", "gpt/checkpoint_last.pt"), "without a discriminator"),
        ("one", ("--temperatures", 0.7, 1), "test has 1 texts that the model can read"),
    ],
)
def test_nothing_is_sampled_before_the_refusal(trained, monkeypatch, data, flags, says):
    argv = (
        data, "--checkpoint", "gan/checkpoint_last.pt", "--output", "refused", "--temperatures", 1,
        "--num-samples", 10, "--partition-samples", 30, *flags,
    )  # fmt: skip
    monkeypatch.chdir(trained)
    monkeypatch.setattr("sys.argv", ["sample", *map(str, argv)])
    with pytest.raises(UsageError, match=says):
        sample.main()
    assert not Path("refused").exists() and not Path("refused.json").exists()


def test_fresh_weights_are_those_of_all_figures(trained, monkeypatch):
    argv = (
        "lm", "--checkpoint", "gan/checkpoint_last.pt", "--output", "fresh", "--temperatures", 1,
        "--num-samples", 10, "--partition-samples", 30, "--untrained",
    )  # fmt: skip
    monkeypatch.chdir(trained)
    monkeypatch.setattr("sys.argv", ["sample", *map(str, argv)])
    sample.main()
    (point,) = json.loads(Path("fresh.json").read_text())["points"]
    assert math.log(point["perplexity"]) == pytest.approx(point["generator_nll"], abs=1e-3)


def test_a_sweep_resamples_what_has_a_discriminator(trained, monkeypatch, capsys):
    argv = (
        "lm", "--references", "test.en", "--temperatures", 1, "--num-samples", 40, "--batch-size",
        40, "--max-length", 20, "--seed", 5, "--resample", 8, "--resample-weight", 3, "--output",
        "swept",
    )  # fmt: skip
    both = ("--checkpoints", "gan=gan/checkpoint_last.pt", "gpt=gpt/checkpoint_last.pt")
    monkeypatch.chdir(trained)
    monkeypatch.setattr("sys.argv", ["sweep", *map(str, argv), *both])
    sweep.main()
    strict = ("--resample", 8, "--resample-weight", 3)
    assert read_lines("swept/gan/t1.00.txt") == generate(trained, *strict)[0]
    plain = generate(trained, "--path", "gpt/checkpoint_last.pt", "--task", LM[2])[0]
    assert read_lines("swept/gpt/t1.00.txt") == plain
    found = read_json("swept/sweep.json", systems=dict)["systems"]
    assert [found[name][0]["candidates"] for name in ("gan", "gpt")] == [8, 1]
    rows = [row.split("|")[2:4] for row in capsys.readouterr().out.splitlines()[2:4]]
    assert [list(map(str.strip, row)) for row in rows] == [["8", "3.000"], ["1", "1.000"]]
    monkeypatch.setattr("sys.argv", ["sweep", *map(str, argv), both[0], both[2]])
    with pytest.raises(UsageError, match="--resample 8: no checkpoint keeps a discriminator"):
        sweep.main()


def test_python_resamples_and_scores(trained, monkeypatch):
    monkeypatch.chdir(trained)
    given = ["the king saw", "she kept"]

    def continued(model, **flags):
        torch.manual_seed(3)
        return model.sample(given, beam=1, sampling=True, max_len_b=12, **flags)

    plain = gan_model.GAN.from_pretrained("gan", "checkpoint_last.pt", "lm")
    kept = gan_model.GAN.from_pretrained("gan", "checkpoint_last.pt", "lm", resample=6)
    assert continued(kept) == continued(plain, resample=6) != continued(plain)
    assert continued(kept, resample=1) == continued(plain)
    assert continued(kept, resample_weight=1e4) != continued(kept)
    scores = [model.score(given)[0]["positional_scores"] for model in (plain, kept)]
    assert torch.equal(*scores)
