"""Prompts of several lengths: in a batch as alone, and never counted as output."""

import pytest
from commands import run

TASK = ("lm", "--task", "unconditional_generation")
PROMPTS = ["she", "the king gave two great lights", "", "his son", "a man took away the bread"]
POSITIONS = 24
PATHS = {
    "gpt": (*TASK, "--path", "gpt/checkpoint_last.pt"),
    "documents": (*TASK, "--path", "documents/checkpoint_last.pt"),
    "fairseq": ("lm", "--task", "language_modeling", "--path", "gpt/checkpoint_last.pt"),
}


@pytest.fixture(scope="module")
def models(corpus):
    flags = (
        "--arch", "gpt_doc_tiny", "--max-target-positions", POSITIONS, "--criterion",
        "cross_entropy", "--optimizer", "fused_adamw", "--lr", 0.01, "--max-update", 20,
    )  # fmt: skip
    for name, more in (
        ("gpt", ("--batch-size", 32)),
        ("documents", ("--sample-break-mode", "none", "--tokens-per-sample", 20)),
    ):
        run(
            "fairseq-train", *TASK, *flags, "--batch-size", 32, *more, "--save-dir", name,
            folder=corpus,
        )  # fmt: skip
    return corpus


def ask(folder, model, *flags, prompts=PROMPTS, batch=1):
    """Hypotheses and their scores of each prompt, in batches of ``batch``."""
    result = run(
        "fairseq-interactive", *PATHS[model], *flags, "--buffer-size", batch, "--batch-size", batch,
        folder=folder, stdin="".join(f"{prompt}\n" for prompt in prompts),
    )  # fmt: skip
    return result


@pytest.mark.parametrize(
    ("model", "flags"),
    [
        ("gpt", ("--beam", 1, "--max-len-b", 7, "--no-repeat-ngram-size", 1)),
        ("gpt", ("--beam", 3, "--max-len-a", 0.5, "--max-len-b", 3, "--min-len", 3)),
        ("gpt", ("--beam", 2, "--nbest", 2, "--lenpen", 0.5, "--max-len-b", 90)),
        ("documents", ("--beam", 1, "--max-len-b", 6)),
        ("fairseq", ("--beam", 2, "--max-len-b", 12, "--min-len", 9)),
    ],
)
def test_a_batch_as_alone(models, model, flags):
    together, alone = ask(models, model, *flags, batch=5), ask(models, model, *flags)
    assert sorted(together.lines("H")) == list(range(5))
    for number, (score, text) in together.lines("H").items():
        other, same = alone.lines("H")[number]
        assert text == same and float(score) == pytest.approx(float(other), abs=1e-4)
        apart = [result.lines("P")[number][0].split() for result in (together, alone)]
        assert [*map(float, apart[0])] == pytest.approx([*map(float, apart[1])], abs=2e-4)


def test_prompts_are_not_counted(models):
    """Neither in lengths nor in scores, whatever the hypothesis begins with."""
    flags = ("--beam", 2, "--max-len-b", 4, "--min-len", 3)
    bare = ask(models, "gpt", *flags, batch=5)
    whole = ask(models, "gpt", *flags, "--write-prompts", batch=5)
    for number, prompt in enumerate(PROMPTS):
        score, text = bare.lines("H")[number]
        positional = [float(value) for value in bare.lines("P")[number][0].split()]
        assert 3 <= len(text.split()) <= 4 and len(positional) == len(text.split()) + 1
        assert float(score) == pytest.approx(sum(positional) / len(positional), abs=1e-3)
        assert whole.lines("H")[number] == [score, f"{prompt} {text}".strip()]
        assert whole.lines("P")[number] == bare.lines("P")[number]


def test_targets_are_what_follows_the_prompt(models):
    flags = ("--gen-subset", "test", "--prefix-size", 3, "--beam", 1, "--max-len-b", 9)
    lines = (models / "test.en").read_text().splitlines()
    for more, begin in (((), 3), (("--write-prompts",), 0)):
        result = run("fairseq-generate", *PATHS["gpt"], *flags, *more, folder=models)
        for number, (target,) in result.lines("T").items():
            assert target.split() == lines[number].split()[begin:]


@pytest.mark.parametrize("batch", [1, 3])
def test_ends_at_the_position_limit(models, batch):
    """A prompt that fills it does not end the session."""
    full = " ".join(["the"] * (POSITIONS - 1))
    prompts = [full, full.removesuffix(" the"), "she"]
    flags = ("--beam", 1, "--min-len", 99, "--max-len-b", 99)
    result = ask(models, "gpt", *flags, prompts=prompts, batch=batch)
    texts = {number: text for number, (_, text) in result.lines("H").items()}
    assert len(texts[1].split()) == 1 and len(texts[2].split()) == POSITIONS - 2
    assert 0 not in texts and sorted(result.lines("S")) == [0, 1, 2]
    assert "leaves nothing to write" in result.stdout + result.stderr


@pytest.mark.parametrize("flags", [("--beam", 1), ("--sampling", "--beam", 1, "--seed", 3)])
@pytest.mark.parametrize("size", [1, 2])
def test_no_repeat_ngram_size(models, flags, size):
    """With prompts that repeat themselves; theirs count, and their words stay."""
    prompts = ["the king saw the king saw", "she", "the the the the"]
    limit = ("--max-len-b", 8, "--min-len", 8, "--no-repeat-ngram-size", size, "--write-prompts")
    result = ask(models, "gpt", *flags, *limit, prompts=prompts, batch=3)
    for number, prompt in enumerate(prompts):
        words, given = result.lines("H")[number][1].split(), prompt.split()
        assert words[: len(given)] == given and len(words) == len(given) + 8
        ngrams = [tuple(words[i : i + size]) for i in range(len(words) - size + 1)]
        new = ngrams[len(given) - size + 1 :]
        assert not set(new) & set(ngrams[: len(given) - size + 1]) and len(set(new)) == len(new)
