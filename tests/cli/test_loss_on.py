"""--loss-on: of a prompt and its answer, only the answer counts."""

import json
import math
import re

import pytest
import torch
from commands import refusal, run
from fairseq import criterions
from fairseq.criterions.label_smoothed_cross_entropy import label_smoothed_nll_loss
from omegaconf import OmegaConf

from fairseq_genext.evaluation.checkpoints import load_model

TASK = ("qa", "--task", "unconditional_generation", "--loss-on", "=")
TRAIN = (
    *TASK, "--arch", "gpt_doc_tiny", "--criterion", "cross_entropy", "--optimizer", "fused_adamw",
    "--lr", 0.01, "--batch-size", 32,
)  # fmt: skip
MODEL = (*TASK, "--path", "answers/checkpoint_last.pt")


def prompt_and_answer(sentence):
    """Its first and last word; an earlier separator belongs to the prompt."""
    words = sentence.split()
    return f"{words[0]} = {' '.join(words[1:])} =", f"{words[0]} {words[-1]}"


@pytest.fixture(scope="module")
def folder(corpus):
    for split in ("train", "valid", "test"):
        lines = (corpus / f"{split}.en").read_text().splitlines()
        lines = [" ".join(prompt_and_answer(line)) for line in lines]
        (corpus / f"{split}.qa").write_text("\n".join(lines) + "\n")
    splits = ("--trainpref", "train.qa", "--validpref", "valid.qa", "--testpref", "test.qa")
    run("fairseq-preprocess", "--only-source", *splits, "--destdir", "qa", folder=corpus)
    result = run(
        "fairseq-train", *TRAIN, "--max-update", 60, "--save-dir", "answers", "--log-format",
        "json", folder=corpus,
    )  # fmt: skip
    (corpus / "train.log").write_text(json.dumps(result.logged("valid_loss")))
    return corpus


@pytest.fixture(scope="module")
def loaded(folder):
    model, task = load_model(str(folder / MODEL[-1]), str(folder / "qa"))
    task.load_dataset("valid")
    batches = task.get_batch_iterator(task.dataset("valid"), max_sentences=64)
    (batch,) = batches.next_epoch_itr(shuffle=False)
    return model, task, batch


def by_hand(folder, loaded):
    """Log-probabilities of each validation answer's tokens, each line by itself."""
    model, task, _ = loaded
    found = []
    for line in (folder / "valid.en").read_text().splitlines():
        prompt, answer = prompt_and_answer(line)
        tokens = task.dictionary.encode_line(f"{prompt} {answer}", add_if_not_exist=False).long()
        with torch.no_grad():
            logits, _ = model(tokens.roll(1).unsqueeze(0))
        rows = logits[0, len(prompt.split()) :].log_softmax(-1)
        found.append((rows, tokens[len(prompt.split()) :]))
    return found


@pytest.mark.parametrize(
    "name", ["cross_entropy", "label_smoothed_cross_entropy", "sequence_mean_cross_entropy"]
)
def test_loss_and_gradient_by_hand(folder, loaded, name):
    model, task, batch = loaded
    smoothing = 0.0 if name == "cross_entropy" else 0.1
    cfg = {"_name": name, **({"label_smoothing": smoothing} if smoothing else {})}
    if name != "sequence_mean_cross_entropy":
        cfg["sentence_avg"] = False
    criterion = criterions.build_criterion(OmegaConf.create(cfg), task)
    expected, tokens = 0.0, 0
    for rows, target in by_hand(folder, loaded):
        (loss, _) = label_smoothed_nll_loss(rows, target.unsqueeze(1), smoothing)
        expected += float(loss) / (len(target) if name.startswith("sequence") else 1)
        tokens += len(target)
    kept = []

    def keep(_module, _inputs, output):
        output[0].retain_grad()
        kept.append(output[0])

    hook = model.decoder.register_forward_hook(keep)
    with torch.enable_grad():
        loss, sample_size, logged = criterion(model, batch)
        loss.backward()
    hook.remove()
    assert loss.item() == pytest.approx(expected, rel=1e-5)
    assert sample_size == (37 if name.startswith("sequence") else tokens)
    assert batch["ntokens"] == logged["ntokens"] == tokens == 3 * 37
    gradient = kept[0].grad.abs().sum(dim=2)
    for row, start, answer in zip(
        gradient, batch["start_indices"], batch["target"].ne(task.dictionary.pad()), strict=True
    ):
        assert row[:start].eq(0).all() and row[start : start + 3].gt(0).all()
        assert answer.nonzero().flatten().tolist() == list(range(start, start + 3))


def test_every_command_counts_the_answer_alone(folder, loaded):
    bits = [
        float(-rows.gather(1, target.unsqueeze(1)).sum()) / math.log(2)
        for rows, target in by_hand(folder, loaded)
    ]
    expected = sum(bits) / (3 * 37)
    evaluated = run("fairseq-eval-lm", *MODEL, "--gen-subset", "valid", folder=folder)
    (told,) = re.findall(r"\(base 2\): ([\d.]+)", evaluated.stdout + evaluated.stderr)
    validated = run("fairseq-validate", *MODEL, "--batch-size", 5, folder=folder)
    losses = re.findall(r"valid .*\| loss ([\d.]+)", validated.stdout + validated.stderr)
    trained = json.loads((folder / "train.log").read_text())
    for value in (told, losses[-1], trained[-1]):
        assert float(value) == pytest.approx(expected, abs=2e-3)


def test_answers_are_generated(folder):
    """From prompts of several lengths, which the data set's lines hold, as from typed ones."""
    lines = (folder / "test.en").read_text().splitlines()
    prompts, answers = zip(*map(prompt_and_answer, lines), strict=True)
    typed = run(
        "fairseq-interactive", *MODEL, "--beam", 1, folder=folder,
        stdin="".join(f"{prompt}\n" for prompt in prompts),
    )  # fmt: skip
    for flags, heads in (((), [""] * 21), (("--write-prompts",), [f"{one} " for one in prompts])):
        result = run("fairseq-generate", *MODEL, "--beam", 1, *flags, folder=folder)
        for number, head in enumerate(heads):
            assert result.lines("T")[number] == [head + answers[number]]
            (_, text), (_, said) = result.lines("H")[number], typed.lines("H")[number]
            assert said and text == head + said


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (("--sample-break-mode", "none"), "leave out --sample-break-mode"),
        (("--self-target", "--future-target"), "--self-target and --past-target"),
        (("--loss-on", "", "--past-target"), "--self-target and --past-target"),
        (("--fixed-length",), "--loss-on and --fixed-length"),
        (("--task", "gan", "--arch", "gan_doc_tiny"), "--loss-on: a GAN writes from noise"),
    ],
)
def test_flags_that_do_not_go_together(folder, flags, says):
    assert says in refusal(*TRAIN, *flags, folder=folder)


@pytest.mark.parametrize(
    ("command", "says"),
    [
        (("fairseq-train", *TRAIN, "--loss-on", "<sep>"), "the dictionary has no such word"),
        (("fairseq-train", *TRAIN, "--loss-on", "stone"), "line 1 of valid does not have it"),
        (("fairseq-eval-lm", *MODEL, "--loss-on", "stone"), "line 1 of test does not have it"),
        (("fairseq-eval-lm", *MODEL, "--loss-on", "</s>"), "the dictionary has no such word"),
        (("fairseq-generate", *MODEL, "--prefix-size", 2), "--loss-on and --prefix-size"),
    ],
)
def test_lines_that_have_no_answer(folder, command, says):
    saved = ("--save-dir", "no") if command[0] == "fairseq-train" else ()
    result = run(*command, *saved, folder=folder, expect=1)
    (line,) = [line for line in result.stderr.splitlines() if line.startswith("error: ")]
    assert says in line and "Traceback" not in result.stderr
    assert not list((folder / "no").glob("*"))
