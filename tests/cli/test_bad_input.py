"""What a user can get wrong ends with one clear line, before anything is written."""

import shutil

import pytest
import torch
from commands import refusal, run

LM = (
    "--task",
    "unconditional_generation",
    "--arch",
    "gpt_doc_tiny",
    "--criterion",
    "cross_entropy",
    "--optimizer",
    "fused_adamw",
    "--batch-size",
    8,
    "--max-update",
    1,
)
GAN = (
    "--task",
    "gan",
    "--arch",
    "gan_doc_tiny",
    "--criterion",
    "adversarial",
    "--optimizer",
    "two_player_adamw",
    "--batch-size",
    8,
    "--max-update",
    1,
)
MT = (
    "--task",
    "translation",
    "--arch",
    "lstm_seq2seq_doc_tiny",
    "--criterion",
    "sequence_mean_cross_entropy",
    "--optimizer",
    "fused_adamw",
    "--batch-size",
    8,
    "--max-update",
    1,
)
DBAM = (
    "--task",
    "translation",
    "--arch",
    "dbam_tiny",
    "--criterion",
    "dbam",
    "--optimizer",
    "fused_adamw",
    "--batch-size",
    8,
    "--max-update",
    1,
)

SAMPLE = (
    "lm", "--task", "unconditional_generation", "--path", "gpt_doc_tiny/checkpoint_last.pt",
)  # fmt: skip
TRANSLATE = (
    "mt", "--task", "translation", "--path", "lstm_seq2seq_doc_tiny/checkpoint_last.pt",
)  # fmt: skip

WRONG = {
    "noise of no width": ("lm", *GAN, "--noise-dim", 0, "--noise-dim is 0; it must be greater"),
    "generator width": (
        "lm", *GAN, "--generator-tie-embeddings", "--generator-hidden-dim", 24,
        "--generator-hidden-dim 24 does not fit tied embeddings of --generator-embed-dim 16",
    ),
    "filters": ("lm", *GAN, "--discriminator-filters", "4,4", "must be as many positive numbers"),
    "unknown cell": ("mt", *MT, "--rnn-cell", "elman", "choose one of lstm, gru, rnn"),
    "decoder width": (
        "mt", *MT, "--share-decoder-input-output-embed", "--decoder-hidden-dim 32 does not fit",
    ),
    "separate dictionaries": (
        "mt", *MT, "--share-all-embeddings", "--decoder-hidden-dim", 16, "needs a joined dictionary"
    ),
    "unknown language model": ("mt", *DBAM, "--arlm", "cnn", "choose one of rnn, gpt"),
    "modulation decoders": ("mt", *DBAM, "--modulation-decoders", 3, "choose one of 0, 1, 2"),
    "attention heads": (
        "mt", *DBAM, "--decoder-attention-heads", 3, "--decoder-embed-dim 16 cannot be divided"
    ),
    "odd width": ("mt", *DBAM, "--encoder-embed-dim", 6, "--encoder-attention-heads", 1,
        "--decoder-embed-dim", 9, "--decoder-attention-heads", 3, "--decoder-embed-dim 9 must be"),
    "negative weight": ("mt", *DBAM, "--arlm-loss-weight", -1, "--arlm-loss-weight is -1.0"),
    "another model's criterion": (
        "mt", *DBAM, "--arch", "lstm_seq2seq_doc_tiny", "--criterion dbam needs --arch dbam"
    ),
    "heads": ("lm", *LM, "--decoder-attention-heads", 5, "cannot be divided among"),
    "no data": ("nowhere", *LM, "dict.txt does not exist"),
    "no training split": (
        "half", *LM, "--valid-subset", "test", "has no split 'train'"),
    "no validation split": ("half", *LM, "--train-subset", "test", "has no split 'valid'"),
    "impossible turns": ("lm", *GAN, "--discriminator-steps", 0, "it must be at least 1"),
    "one player": ("lm", *GAN, "--arch", "gpt_doc_tiny", "choose --arch gan_doc"),
    "one player's optimizer": (
        "lm", *GAN, "--optimizer", "fused_adamw", "choose --optimizer two_player_adamw"
    ),
    "automatic mixed precision": ("lm", *GAN, "--amp", "with --fp16 or bf16, not with --amp"),
    "one player's criterion": (
        "lm", *GAN, "--criterion", "cross_entropy", "needs --criterion adversarial"
    ),
    "optimizer without players": (
        "lm", *LM, "--optimizer", "two_player_adamw", "needs a model whose parameters belong"
    ),
    "clip value": ("lm", *LM, "--clip-value", -1, "--clip-value is -1.0; it must be 0"),
    "label smoothing": ("mt", *MT, "--label-smoothing", 2, "--label-smoothing is 2.0"),
    "dropout": ("lm", *LM, "--dropout", 1.2, "--dropout is 1.2; it must be at least 0"),
    "dropout of a seq2seq": ("mt", *MT, "--dropout", -0.1, "--dropout is -0.1"),
    "dropout of attention": ("mt", *DBAM, "--attention-dropout", 1, "--attention-dropout is 1.0"),
    "width of an MLP": ("lm", *LM, "--decoder-ffn-embed-dim", -1, "--decoder-ffn-embed-dim is -1"),
    "fewer words to write": (
        "lm", *LM, "--output-dictionary-size", 9, "reads and writes the same words"
    ),
    "fewer output words": (
        "lm", *GAN, "--output-dictionary-size", 9, "both players read and write the same words"
    ),
    "another start": ("lm", *LM, "--add-bos-token", "texts start from </s> here"),
    "long blocks": (
        "lm", *LM, "--sample-break-mode", "none", "--tokens-per-sample 1024 is more than the 64"
    ),
    "targets on the right": ("mt", *MT, "--left-pad-target", "reads targets from the left"),
    "fairseq's model with another's criterion": (
        "mt", *DBAM, "--arch", "transformer_tiny", "--criterion dbam needs --arch dbam"
    ),
    "temperature": ("lm", *GAN, "--gumbel-temperature", 0, "must be at least 1e-06"),
    "documents of a GAN": (
        "lm", *GAN, "--sample-break-mode", "none", "write and read sentences, one a line"
    ),
    "documents of a GAN by likelihood": (
        "lm", *LM, "--arch", "gan_doc_tiny", "--sample-break-mode", "complete",
        "write and read sentences, one a line",
    ),
    "a penalty that rewards": (
        "lm", *GAN, "--discriminator", "rnn", "--r1-weight", -1,
        "--r1-weight is -1.0; it cannot be negative",
    ),
}  # fmt: skip


# One of each place that refuses, and what only the trainer or the first update can know; the rest
# is asked of task, model and criterion themselves.
BY_COMMAND = (
    "no data", "impossible turns", "unknown cell", "one player", "temperature", "no training split",
    "no validation split", "optimizer without players", "clip value", "one player's criterion",
    "one player's optimizer", "automatic mixed precision", "another model's criterion",
    "documents of a GAN by likelihood",
    "fairseq's model with another's criterion",
)  # fmt: skip


def assert_one_line(result, says):
    errors = [line for line in result.stderr.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1 and says in errors[0], result.stderr[-2000:]
    assert "Traceback" not in result.stdout + result.stderr


@pytest.fixture(scope="module")
def folder(corpus):
    half = corpus / "half"
    half.mkdir()
    for name in ("dict.txt", "test.bin", "test.idx"):
        shutil.copy(corpus / "lm" / name, half)
    return corpus


@pytest.mark.parametrize("name", BY_COMMAND)
def test_training(folder, name):
    *arguments, says = WRONG[name]
    save_dir = folder / f"saved {name}"
    result = run("fairseq-train", *arguments, "--save-dir", save_dir, folder=folder, expect=1)
    assert_one_line(result, says)
    assert not save_dir.exists() or not list(save_dir.iterdir())


@pytest.mark.parametrize("name", [name for name in WRONG if name not in BY_COMMAND])
def test_flags(folder, name):
    *arguments, says = WRONG[name]
    assert says in refusal(*arguments, folder=folder)


@pytest.fixture(scope="module")
def models(folder):
    """A model of each kind, and data folders whose dictionaries are too small for them."""
    for data, flags in (("lm", LM), ("lm", GAN), ("mt", MT)):
        name = flags[3]
        run("fairseq-train", data, *flags, "--save-dir", name, folder=folder)
        small = folder / f"small-{data}"
        shutil.copytree(folder / data, small, dirs_exist_ok=True)
        for path in small.glob("dict*.txt"):
            lines = (folder / data / path.name).read_text().splitlines()
            path.write_text("\n".join(lines[:-3]) + "\n")
    return folder


@pytest.mark.parametrize(
    ("data", "task", "model"),
    [
        ("small-lm", "unconditional_generation", "gpt_doc_tiny"),
        ("small-lm", "unconditional_generation", "gan_doc_tiny"),
        ("small-mt", "translation", "lstm_seq2seq_doc_tiny"),
    ],
)
def test_dictionary_of_another_data_folder(models, data, task, model):
    path = f"{model}/checkpoint_last.pt"
    result = run("fairseq-generate", data, "--task", task, "--path", path, folder=models, expect=1)
    assert_one_line(result, "use the data folder (dict.txt) that the checkpoint was trained on")


@pytest.mark.parametrize("trained", ["eos", "complete"])
def test_a_gan_writes_no_documents(models, trained):
    """Whether the command asks for them, or the checkpoint of an older release says so."""
    saved = torch.load(models / "gan_doc_tiny/checkpoint_last.pt", weights_only=True)
    saved["cfg"]["task"]["sample_break_mode"] = trained
    torch.save(saved, models / "documents.pt")
    asked = ("--sample-break-mode", "none") if trained == "eos" else ()
    for script, flags in (
        ("fairseq-generate", ("--num-samples", 2, "--sampling", "--beam", 1)),
        ("fairseq-eval-lm", ("--gen-subset", "test")),
    ):
        result = run(
            script, "lm", "--task", "unconditional_generation", "--path", "documents.pt", *flags,
            *asked, folder=models, expect=1,
        )  # fmt: skip
        assert_one_line(result, "write and read sentences, one a line")


def test_resume_with_another_dictionary_leaves_the_checkpoint(models):
    last = models / "gpt_doc_tiny" / "checkpoint_last.pt"
    before = last.read_bytes()
    flags = [*LM[:-1], 2, "--save-dir", "gpt_doc_tiny"]
    result = run("fairseq-train", "small-lm", *flags, folder=models, expect=1)
    assert_one_line(result, "was trained with a dictionary of")
    assert last.read_bytes() == before
    assert not (models / "gpt_doc_tiny" / "crash.pt").exists()


@pytest.fixture(scope="module")
def short(folder):
    """A dbam that takes no more than five source tokens."""
    flags = ("--max-source-positions", 5, "--skip-invalid-size-inputs-valid-test")
    run("fairseq-train", "mt", *DBAM, *flags, "--save-dir", "short", folder=folder)
    return folder, ("mt", "--task", "translation", "--path", "short/checkpoint_last.pt")


def test_source_that_is_too_long_for_the_model(short):
    folder, model = short
    result = run("fairseq-generate", *model, folder=folder, expect=1)
    assert_one_line(result, "is invalid")
    assert not result.lines("H")
    # It does not end a session: the others are answered.
    typed = "the king saw them\nthe old priest took away all the land\nshe saw them\n"
    for buffer in (1, 3):
        flags = ("--buffer-size", buffer, "--batch-size", buffer)
        result = run("fairseq-interactive", *model, *flags, folder=folder, stdin=typed)
        assert sorted(result.lines("H")) == [0, 2]
        assert "1 samples have invalid sizes and will be skipped" in result.stdout
    skipped = run(
        "fairseq-generate", *model, "--skip-invalid-size-inputs-valid-test", folder=folder
    )
    assert 0 < len(skipped.lines("H")) < 21


def test_validation_source_that_is_too_long_stops_without_a_checkpoint(folder):
    save_dir = folder / "saved too long"
    result = run(
        "fairseq-train", "mt", *DBAM, "--max-source-positions", 5, "--save-dir", save_dir,
        folder=folder, expect=1,
    )  # fmt: skip
    assert_one_line(result, "is invalid")
    assert not list(save_dir.iterdir())


def test_negative_number_of_samples(models):
    result = run("fairseq-generate", *SAMPLE, "--num-samples", -3, folder=models, expect=1)
    assert_one_line(result, "--num-samples is -3")


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (("--num-samples", 2, "--prefix-size", 2), "leave out it or --prefix-size"),
        (("--num-samples", 2, "--score-reference"), "has nothing for --score-reference"),
        (("--num-samples", 2, "--print-alignment"), "no source to align with"),
        (("--prefix-size", 3, "--max-len-a", 0.01, "--max-len-b", 0), "leaves nothing to write"),
        (("--prefix-size", 3, "--match-source-len"), "a prompt has no source"),
        (("--num-samples", 2, "--sampling"), "give --beam 1 for one sample, or --nbest 5 for all"),
        (("--temperature", 0), "leave out --sampling and give --beam 1"),
        (("--diverse-beam-groups", 2), "--beam to be divisible by the number of groups"),
    ],
)
def test_sampling(models, flags, says):
    result = run("fairseq-generate", *SAMPLE, *flags, folder=models, expect=1)
    assert_one_line(result, says)
    assert not result.lines("H")


def test_more_words_than_there_are(models):
    """--sampling-topk above the vocabulary is the whole vocabulary, for translation as well."""
    for data, model in (("lm", SAMPLE[1:]), ("mt", TRANSLATE[1:])):
        number = ("--num-samples", 5) if data == "lm" else ()
        drawn = [
            run(
                "fairseq-generate", data, *model, *number, "--sampling", "--beam", 1, *topk,
                folder=models,
            ).lines("H")
            for topk in (("--sampling-topk", 1000), ())
        ]  # fmt: skip
        words = [[text for _, text in lines.values()] for lines in drawn]
        assert len(words[0]) == len(words[1]) > 0 and all(words[0])


def test_samples_that_are_kept(models):
    flags = ("--num-samples", 2, "--sampling", "--beam", 3, "--nbest", 3)
    result = run("fairseq-generate", *SAMPLE, *flags, folder=models)
    assert result.stdout.count("\nH-") == 6
    assert "all 3 samples of an input are written" in result.stdout + result.stderr


@pytest.mark.parametrize("kind", [(), ("soft",)])
@pytest.mark.parametrize("reference", [(), ("--score-reference",)])
def test_alignment_without_attention(models, kind, reference):
    flags = ("--print-alignment", *kind, *reference)
    result = run("fairseq-generate", *TRANSLATE, *flags, folder=models, expect=1)
    assert_one_line(result, "the model has no attention; leave the flag out")


@pytest.mark.parametrize(
    ("script", "flags", "says"),
    [
        ("fairseq-eval-lm", (*SAMPLE, "--context-window", 5), "or give --sample-break-mode none"),
        ("fairseq-eval-lm", SAMPLE[:3], "--path is missing"),
        ("fairseq-interactive", TRANSLATE[:3], "--path is missing"),
        ("fairseq-interactive", (*TRANSLATE, "--temperature", 0), "--temperature is 0.0"),
        ("fairseq-validate", ("mt", "--batch-size", 8), "--task is missing"),
        ("fairseq-validate", TRANSLATE[:3], "--path is missing"),
        ("fairseq-train", ("mt", *MT, "--update-freq", 0), "--update-freq is 0; it must"),
        ("fairseq-train", ("mt", *MT, "--lr-scheduler", "polynomial_decay"), "total_num_update"),
        (
            "fairseq-train", ("mt", *MT, "--best-checkpoint-metric", "bleu", "--save-dir", "no"),
            "choose one of bsz, loss",
        ),
    ],
)  # fmt: skip
def test_commands(models, script, flags, says):
    assert_one_line(run(script, *flags, folder=models, expect=1), says)
