"""A language model of documents writes on after a sentence, from nothing and from a prompt."""

import pytest
import torch
from commands import run

TASK = ("lm", "--task", "unconditional_generation")
PATH = ("--path", "documents/checkpoint_last.pt")
ONE = ("--sampling", "--beam", 1)
ENDS = "</s>"


@pytest.fixture(scope="module")
def folder(corpus):
    """A model of blocks of 32 tokens, five or six sentences each."""
    run(
        "fairseq-train", *TASK, "--sample-break-mode", "none", "--tokens-per-sample", 32, "--arch",
        "gpt_doc_tiny", "--criterion", "cross_entropy", "--optimizer", "fused_adamw", "--lr", 0.01,
        "--batch-size", 8, "--max-update", 60, "--valid-samples", 20, "--max-sample-length", 32,
        "--save-dir", "documents", folder=corpus,
    )  # fmt: skip
    return corpus


def test_from_nothing(folder):
    flags = ("--num-samples", 12, "--max-len-b", 30)
    result = run("fairseq-generate", *TASK, *PATH, *ONE, *flags, folder=folder)
    assert sorted(result.lines("H")) == list(range(12))
    for number, (score, text) in result.lines("H").items():
        (scores,) = result.lines("P")[number]
        scores = [float(each) for each in scores.split()]
        assert len(text.split()) == len(scores) == 30 and "<s>" not in text.split()
        assert text.split()[:-1].count(ENDS) >= 2  # its sentences have 3 to 12 words
        assert float(score) == pytest.approx(sum(scores) / 30, abs=1e-3)


@pytest.mark.parametrize("beam", [ONE, ("--beam", 3)])
def test_from_prompts_of_several_lengths(folder, beam):
    prompts = ["the king", "she saw them </s> a man", "his"]
    result = run(
        "fairseq-interactive", *TASK, *PATH, *beam, "--max-len-b", 20, "--buffer-size", 3,
        "--batch-size", 3, folder=folder, stdin="\n".join(prompts) + "\n",
    )  # fmt: skip
    for number, prompt in enumerate(prompts):
        _, text = result.lines("H")[number]
        assert not text.startswith(prompt) and len(text.split()) == 20
        assert ENDS in text


def test_from_prompts_of_a_data_set(folder):
    flags = ("--gen-subset", "test", "--prefix-size", 2, "--max-len-b", 25, "--beam", 1)
    result = run("fairseq-generate", *TASK, *PATH, *flags, folder=folder)
    lines = (folder / "test.en").read_text().splitlines()
    for number, (_, text) in result.lines("H").items():
        assert len(text.split()) == 25
        (target,) = result.lines("T")[number]
        assert target.split() == [*lines[number].split()[2:], ENDS]


def test_validation_samples_are_as_long_as_asked_for(folder):
    """Sentences end inside of them: a sample cut at the first would be a tenth as long."""
    from fairseq import checkpoint_utils

    (model,), _, task = checkpoint_utils.load_model_ensemble_and_task(
        [str(folder / PATH[1])], {"data": str(folder / "lm")}
    )
    torch.manual_seed(1)
    (batch,) = task.draw_samples(model.eval())
    assert batch.tokens.shape == (20, 32) and batch.mask.all()
    assert batch.tokens[:, :-1].eq(task.dictionary.eos()).any(dim=1).all()
