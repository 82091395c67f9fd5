"""gpt_doc through every fairseq command."""

import math
import re
from pathlib import Path

import pytest
import torch
from commands import USER_DIR, run
from conftest import SIZES

from fairseq_genext.models.gpt_doc import GPTDoc

TRAIN = (
    "lm", "--task", "unconditional_generation", "--arch", "gpt_doc_tiny", "--criterion",
    "cross_entropy", "--optimizer", "fused_adamw", "--lr", "0.01", "--batch-size", "32",
)  # fmt: skip
TASK = ("lm", "--task", "unconditional_generation", "--path", "gpt/checkpoint_last.pt")


@pytest.fixture(scope="module")
def gpt(corpus):
    run("fairseq-train", *TRAIN, "--max-update", 60, "--save-dir", "gpt", folder=corpus)
    return corpus


def perplexity(result):
    found = re.findall(r"Perplexity: ([\d.]+)", result.stdout + result.stderr)
    return float(found[-1])


def test_learns_and_both_evaluations_agree(gpt):
    evaluated = perplexity(run("fairseq-eval-lm", *TASK, "--gen-subset", "valid", folder=gpt))
    assert evaluated < 2.5  # five choices in each of three places, each word of them certain
    result = run(
        "fairseq-validate", *TASK, "--valid-subset", "valid", "--batch-size", 8, folder=gpt
    )
    validated = re.findall(r"valid .*\| loss ([\d.]+)", result.stdout + result.stderr)
    assert 2 ** float(validated[-1]) == pytest.approx(evaluated, rel=1e-2)


def generate(folder, *argv, seed=1):
    return run(
        "fairseq-generate", *TASK, "--sampling", "--beam", 1, "--max-len-b", 20, "--seed", seed,
        *argv, folder=folder,
    )  # fmt: skip


@pytest.mark.parametrize("number", [1, 13])
def test_samples_from_nothing(gpt, number):
    result = generate(gpt, "--num-samples", number, "--batch-size", 4)
    hypotheses = result.lines("H")
    assert sorted(hypotheses) == list(range(number))
    assert all(text for _, text in hypotheses.values())
    assert not result.lines("S") and not result.lines("T")


def test_sampling_repeats_with_the_seed(gpt):
    first = generate(gpt, "--num-samples", 9).lines("H")
    assert generate(gpt, "--num-samples", 9).lines("H") == first
    assert generate(gpt, "--num-samples", 9, seed=2).lines("H") != first


def test_samples_are_the_models_text(gpt):
    words = {w for line in (gpt / "train.en").read_text().splitlines() for w in line.split()}
    hypotheses = generate(gpt, "--num-samples", 50).lines("H")
    texts = [text.split() for _, text in hypotheses.values()]
    assert sum(w in words for text in texts for w in text) / sum(map(len, texts)) > 0.98
    # Every sentence of the little language has a verb in the middle.
    verbs = {"saw", "gave", "made", "took", "kept"}
    assert sum(bool(verbs & set(text)) for text in texts) > 45


def test_prompts_from_a_data_set(gpt):
    """As many hypotheses as lines, although their number is no multiple of 8."""
    result = generate(gpt, "--gen-subset", "test", "--prefix-size", 2)
    hypotheses, targets = result.lines("H"), result.lines("T")
    assert len(hypotheses) == len(targets) == SIZES["test"]
    for number, (target,) in targets.items():
        assert hypotheses[number][1] and target
    copies = sum(hypotheses[number][1] == target for number, (target,) in targets.items())
    assert copies < SIZES["test"] / 2


def test_interactive_prompts(gpt):
    prompts = ["the king", "", "she took away the bread", "his son"]
    result = run(
        "fairseq-interactive", *TASK, "--sampling", "--beam", 1, "--nbest", 1, "--seed", 4,
        "--buffer-size", 4, "--batch-size", 4, "--max-len-b", 20,
        folder=gpt, stdin="".join(f"{prompt}\n" for prompt in prompts),
    )  # fmt: skip
    hypotheses = result.lines("H")
    assert sorted(hypotheses) == [0, 1, 2, 3]
    for number, prompt in enumerate(prompts):
        assert not prompt or not hypotheses[number][1].startswith(prompt)
        assert hypotheses[number][1] and result.lines("S")[number] == [prompt]


def test_prompt_that_the_model_finds_all_but_impossible(gpt):
    """At this temperature its probability is no float32."""
    result = run(
        "fairseq-interactive", *TASK, "--sampling", "--beam", 1, "--temperature", 0.02,
        "--max-len-b", 20, "--write-prompts", folder=gpt, stdin="king king the the\n",
    )  # fmt: skip
    assert result.lines("H")[0][1].startswith("king king the the")


def test_prompt_longer_than_the_constant_part_of_the_length(gpt):
    result = generate(
        gpt, "--gen-subset", "test", "--prefix-size", 2, "--max-len-a", 2, "--max-len-b", 0
    )
    assert len(result.lines("H")) == SIZES["test"]


def test_repetition_penalty(gpt):
    """Hardly a word comes twice, where without it many do."""
    repeats = []
    for penalty in (1, 1e6):
        flags = ("--num-samples", 20, "--temperature", 2, "--repetition-penalty", penalty)
        texts = [text.split() for _, text in generate(gpt, *flags).lines("H").values()]
        repeats.append(sum(len(text) - len(set(text)) for text in texts))
    assert repeats[1] < 0.5 * repeats[0]
    beams = ("--beam", 2, "--nbest", 2, "--num-samples", 2, "--repetition-penalty")
    for flags, says in (
        ((*beams, 1.5), "--repetition-penalty works with --sampling --beam 1"),
        (("--num-samples", 2, "--repetition-penalty", 0), "--repetition-penalty is 0"),
    ):
        argv = (*TASK, "--sampling", "--beam", 1, *flags)
        assert says in run("fairseq-generate", *argv, folder=gpt, expect=1).stderr


def test_modern_blocks_by_muon(corpus):
    """Embeddings, the output layer and vectors stay with AdamW; samples come from the cache."""
    flags = ["gpt_doc_modern_tiny" if value == "gpt_doc_tiny" else value for value in TRAIN]
    flags[flags.index("fused_adamw")] = "muon"
    run("fairseq-train", *flags, "--max-update", 60, "--save-dir", "modern", folder=corpus)
    saved = torch.load(corpus / "modern/checkpoint_last.pt", weights_only=True)
    kinds = [set(state) for state in saved["last_optimizer_state"]["state"].values()]
    matrices = [n for n, w in saved["model"].items() if "blocks" in n and w.dim() == 2]
    assert kinds.count({"momentum_buffer"}) == len(matrices) == 2 * 4
    assert len(kinds) == len(saved["model"])
    task = [*TASK[:-1], "modern/checkpoint_last.pt"]
    assert perplexity(run("fairseq-eval-lm", *task, "--gen-subset", "valid", folder=corpus)) < 2.5
    result = run(
        "fairseq-generate", *task, "--num-samples", 9, "--sampling", "--beam", 1, folder=corpus
    )
    words = set((corpus / "train.en").read_text().split())
    assert all(set(text.split()) <= words for _, text in result.lines("H").values())


def test_prompts_by_fairseqs_python_interface(gpt):
    prompts, where = ["the king", "his son"], ("checkpoint_last.pt", str(gpt / "lm"))
    for more in ({}, {"write_prompts": True}):
        model = GPTDoc.from_pretrained(str(gpt / "gpt"), *where, **more)
        texts = model.sample(prompts, beam=1, sampling=True, max_len_b=20)
        for prompt, text in zip(prompts, texts, strict=True):
            assert text and text.startswith(prompt) == bool(more)


@pytest.mark.parametrize("arch", ["transformer_lm", "lstm_lm"])
def test_samples_of_fairseqs_own_language_models(corpus, arch):
    small = ("--decoder-layers", 1, "--decoder-embed-dim", 16)
    if arch == "transformer_lm":
        small += ("--decoder-attention-heads", 2, "--tokens-per-sample", 64)
    else:
        small += (
            "--decoder-hidden-size", 16, "--decoder-out-embed-dim", 16,
            "--share-decoder-input-output-embed", "--decoder-attention", 0,
        )  # fmt: skip
    flags = [arch if value == "gpt_doc_tiny" else value for value in TRAIN]
    run("fairseq-train", *flags, *small, "--max-update", 30, "--save-dir", arch, folder=corpus)
    result = run(
        "fairseq-generate", *TASK[:-1], f"{arch}/checkpoint_last.pt", "--num-samples", 9,
        "--sampling", "--beam", 1, "--max-len-b", 20, folder=corpus,
    )  # fmt: skip
    assert sorted(result.lines("H")) == list(range(9)) and not result.lines("S")


def test_untrained_perplexity_is_near_the_vocabulary(corpus):
    """A learning rate of 0 leaves the model as it was: the recipes' untrained rows."""
    flags = [*TRAIN[:-4], "--lr", 0, "--batch-size", 32, "--max-update", 1]
    run("fairseq-train", *flags, "--save-dir", "untrained", folder=corpus)
    task = [*TASK[:-1], "untrained/checkpoint_last.pt"]
    measured = perplexity(run("fairseq-eval-lm", *task, "--gen-subset", "test", folder=corpus))
    entries = 4 + len((corpus / "lm" / "dict.txt").read_text().splitlines())
    assert math.log(measured) == pytest.approx(math.log(entries), rel=0.05)


def test_hydra_train_with_the_shipped_yaml(corpus):
    configs = Path(USER_DIR).parent / "recipes" / "config"
    run(
        "fairseq-hydra-train", "--config-dir", configs, "--config-name", "gpt_doc",
        f"task.data={corpus}/lm", f"common.user_dir={USER_DIR}", "optimization.max_update=60",
        "optimization.lr=[0.01]", "model.decoder_layers=2", "model.decoder_embed_dim=32",
        "lr_scheduler.warmup_updates=10", f"checkpoint.save_dir={corpus}/hydra",
        f"hydra.run.dir={corpus}/hydra", "dataset.batch_size=32", folder=corpus,
    )  # fmt: skip
    task = [*TASK[:-1], "hydra/checkpoint_last.pt"]
    assert perplexity(run("fairseq-eval-lm", *task, folder=corpus)) < 5
