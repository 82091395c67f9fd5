"""rnn_lm through every fairseq command, to the GAN that starts from it; samples in validation."""

import re

import pytest
import torch
from commands import USER_DIR, run
from conftest import SIZES

from fairseq_genext.data.oracle import OracleLSTM, write_benchmark

LM = ("--task", "unconditional_generation", "--criterion", "cross_entropy", "--optimizer",
      "fused_adamw", "--lr", "0.02", "--no-epoch-checkpoints")  # fmt: skip
TRAIN = ("lm", *LM, "--arch", "rnn_lm_tiny", "--batch-size", 16)
BY_SAMPLES = (
    "--valid-samples", 200, "--best-checkpoint-metric", "sample_bleu_3",
    "--maximize-best-checkpoint-metric", "--log-format", "json", "--log-interval", 1,
)  # fmt: skip


def weights(folder, name="checkpoint_last.pt"):
    return torch.load(folder / name, weights_only=True)["model"]


def task(path):
    return ("lm", "--task", "unconditional_generation", "--path", f"{path}/checkpoint_last.pt")


@pytest.fixture(scope="module")
def trained(corpus):
    """A folder and a log, with samples measured after 15, 30, 45 and 60 updates."""
    flags = (
        *TRAIN,
        *BY_SAMPLES,
        "--max-sample-length",
        12,
        "--validate-interval-updates",
        15,
        "--validate-interval",
        100,
    )
    run("fairseq-train", *flags, "--max-update", 15, "--save-dir", "rnn-halves", folder=corpus)
    run("fairseq-train", *flags, "--max-update", 60, "--save-dir", "rnn-halves", folder=corpus)
    result = run("fairseq-train", *flags, "--max-update", 60, "--save-dir", "rnn", folder=corpus)
    return corpus, result


def test_learns_generates_and_resumes_exactly(trained):
    corpus, _ = trained
    whole, halves = weights(corpus / "rnn"), weights(corpus / "rnn-halves")
    assert all(torch.equal(whole[name], halves[name]) for name in whole)

    result = run("fairseq-eval-lm", *task("rnn"), "--gen-subset", "valid", folder=corpus)
    evaluated = float(re.findall(r"Perplexity: ([\d.]+)", result.stdout + result.stderr)[-1])
    assert evaluated < 4  # five choices in each of three places, each word of them certain
    result = run("fairseq-validate", *task("rnn"), "--batch-size", 8, folder=corpus)
    validated = re.findall(r"valid .*\| loss ([\d.]+)", result.stdout + result.stderr)
    assert 2 ** float(validated[-1]) == pytest.approx(evaluated, rel=1e-2)

    drawn = ("--sampling", "--beam", 1, "--max-len-b", 20, "--seed", 3)
    samples = run("fairseq-generate", *task("rnn"), "--num-samples", 60, *drawn, folder=corpus)
    texts = [text.split() for _, text in samples.lines("H").values()]
    verbs = {"saw", "gave", "made", "took", "kept"}
    assert len(texts) == 60 and sum(bool(verbs & set(text)) for text in texts) > 45
    beams = run("fairseq-generate", *task("rnn"), "--gen-subset", "test", "--prefix-size", 2,
                "--beam", 3, folder=corpus)  # fmt: skip
    assert len(beams.lines("H")) == SIZES["test"]
    typed = run(
        "fairseq-interactive", *task("rnn"), *drawn, "--nbest", 1, folder=corpus, stdin="his son\n"
    )
    (said,) = typed.lines("S")[0]
    assert said == "his son" and typed.lines("H")[0][1].split()[0] in verbs


def test_validation_measures_samples_and_the_best_checkpoint_follows_them(trained):
    corpus, result = trained
    bleu, alike = result.logged("valid_sample_bleu_3"), result.logged("valid_sample_self_bleu_3")
    assert len(bleu) == len(alike) == 4
    assert bleu[0] < 0.5 < bleu[-1] < 1
    assert 0 < result.logged("valid_sample_duplicates")[-1] < 0.9  # 150 sentences there are
    best = torch.load(corpus / "rnn" / "checkpoint_best.pt", weights_only=True)
    assert best["extra_state"]["best"] == pytest.approx(max(bleu), abs=1e-3)


def test_a_gan_starts_from_it_and_its_own_language_model_is_the_same(trained):
    corpus, _ = trained
    flags = (
        "lm", "--task", "gan", "--arch", "gan_doc_tiny", "--noise-input", "none", "--criterion",
        "adversarial", "--optimizer", "two_player_adamw", "--lr", "0.001", "--batch-size", 16,
        "--generator-checkpoint", "rnn/checkpoint_last.pt", "--generator-pretrain-updates", 0,
        "--discriminator-pretrain-updates", 1, "--max-sample-length", 12, "--valid-samples", 20,
        "--no-epoch-checkpoints",
    )  # fmt: skip
    # The first update is the discriminator's alone, so the generator is still the language model.
    run("fairseq-train", *flags, "--max-update", 1, "--save-dir", "from-rnn", folder=corpus)
    gan, rnn = weights(corpus / "from-rnn"), weights(corpus / "rnn")
    assert all(torch.equal(gan[name], weight) for name, weight in rnn.items())
    run("fairseq-train", *flags, "--max-update", 5, "--save-dir", "from-rnn", folder=corpus)
    assert not torch.equal(*(
        weights(corpus / name)["decoder.output_projection.weight"] for name in ("from-rnn", "rnn")
    ))  # fmt: skip


def test_oracle_scores_a_language_model_of_fixed_length_in_validation(corpus):
    teacher = OracleLSTM.random(20, 4, seed=3)
    write_benchmark(corpus / "lm-oracle", teacher, 6, {"train": 200, "valid": 40}, seed=1)
    run(
        "fairseq-preprocess", "--only-source", "--trainpref", "lm-oracle/train.txt", "--validpref",
        "lm-oracle/valid.txt", "--srcdict", "lm-oracle/dict.txt", "--destdir", "lm-oracle/bin",
        folder=corpus,
    )  # fmt: skip
    torch.manual_seed(2)
    own = teacher.nll(teacher.sample(5000, 6)).mean().item()
    flags = (
        "lm-oracle/bin", *LM, "--lr", "0.01", "--arch", "rnn_lm_seqgan", "--batch-size", 32,
        "--fixed-length", "--max-sample-length", 6, "--oracle", "lm-oracle/oracle.npz",
        *BY_SAMPLES[:2], "--best-checkpoint-metric", "sample_oracle_nll", *BY_SAMPLES[5:],
    )  # fmt: skip
    result = run("fairseq-train", *flags, "--max-update", 105, "--save-dir", "lm-by-oracle",
                 folder=corpus)  # fmt: skip
    nll = result.logged("valid_sample_oracle_nll")
    assert nll[0] > nll[-1] > own - 0.3 and nll[-1] < own + 1.0
    best = torch.load(corpus / "lm-by-oracle" / "checkpoint_best.pt", weights_only=True)
    assert best["extra_state"]["best"] == pytest.approx(min(nll), abs=1e-3)
    # Seven tokens a sentence with its end, six without; tokens of a batch of 32 sentences.
    assert max(result.logged("wpb")) == 32 * 6


def test_hydra_and_fairseqs_own_task_train_it(corpus):
    (corpus / "hydra-configs").mkdir()
    (corpus / "hydra-configs" / "rnn_lm.yaml").write_text(
        f"""# @package _global_
common: {{user_dir: {USER_DIR}}}
task: {{_name: language_modeling, data: {corpus}/lm, sample_break_mode: eos}}
model: {{_name: rnn_lm, rnn_cell: relational, decoder_embed_dim: 8, decoder_hidden_dim: 8}}
criterion: {{_name: cross_entropy}}
optimizer: {{_name: fused_adamw, lr: [0.01]}}
lr_scheduler: {{_name: fixed}}
optimization: {{max_update: 3, lr: [0.01]}}
dataset: {{batch_size: 32}}
checkpoint: {{save_dir: {corpus}/hydra-rnn}}
hydra: {{run: {{dir: {corpus}/hydra-rnn}}}}
"""
    )
    run(
        "fairseq-hydra-train", "--config-dir", corpus / "hydra-configs", "--config-name", "rnn_lm",
        folder=corpus,
    )  # fmt: skip
    assert weights(corpus / "hydra-rnn")["decoder.rnn.qkv_proj.weight"].shape == (24, 8)


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (("--arch", "rnn_lm_tiny", "--fixed-length"), "every sentence must have"),
        (("--arch", "gpt_doc_tiny", "--max-sample-length", 65), "the model reads 64 tokens at"),
        (("--arch", "transformer_lm", "--decoder-layers", 1, "--decoder-embed-dim", 16,
          "--decoder-attention-heads", 2), "--valid-samples needs one of this package's"),
    ],
)  # fmt: skip
def test_what_does_not_go_together_ends_in_one_line(corpus, flags, says):
    save = ("--batch-size", 8, "--max-update", 1, "--valid-samples", 20, "--save-dir", "lm-bad")
    result = run("fairseq-train", "lm", *LM, *flags, *save, folder=corpus, expect=1)
    errors = [line for line in result.stderr.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1 and says in errors[0]
