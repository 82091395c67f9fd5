"""Checkpoints made from others: averages, other vocabularies, other programs' files."""

import itertools
import re
import shutil
import sys

import pytest
import torch
from architectures import ARCHITECTURES, FAIRSEQ_LM
from commands import run
from fairseq import checkpoint_utils
from fairseq.data import Dictionary
from untrained import write_untrained

from fairseq_genext.errors import UsageError
from fairseq_genext.models.gpt_doc import GPTDoc, GPTDocConfig
from fairseq_genext.weights import adapters, average, vocabulary
from fairseq_genext.weights.huggingface import convert_from, convert_to

TRAIN = (*ARCHITECTURES["gpt_doc"], "--batch-size", 104, "--ema-decay", 0.5)  # 4 updates an epoch


@pytest.fixture(scope="module")
def trained(corpus):
    """A gpt_doc with its running average, saved after each of eight updates and two epochs."""
    run(
        "fairseq-train", *TRAIN, "--max-epoch", 2, "--save-interval-updates", 1, "--store-ema",
        "--save-dir", "gpt", folder=corpus,
    )  # fmt: skip
    return corpus


def read(path):
    return torch.load(path, weights_only=False)


def command(monkeypatch, module, *argv):
    monkeypatch.setattr(sys, "argv", [module.__name__, *map(str, argv)])
    module.main()


def perplexity(path, folder):
    task = ("lm", "--task", "unconditional_generation", "--path", path)
    result = run("fairseq-eval-lm", *task, folder=folder)
    return float(re.findall(r"Perplexity: ([\d.]+)", result.stdout + result.stderr)[-1])


@pytest.mark.parametrize(
    ("flag", "names"),
    [
        ("--num-epoch-checkpoints", ("checkpoint1.pt", "checkpoint2.pt")),
        ("--num-update-checkpoints", ("checkpoint_2_6.pt", "checkpoint_2_7.pt")),
    ],
)
def test_mean_of_the_last_two(flag, names, trained, monkeypatch):
    output = trained / "mean.pt"
    command(monkeypatch, average, "--inputs", trained / "gpt", flag, 2, "--output", output)
    one, two = (read(trained / "gpt" / name)["model"] for name in names)
    mean = read(output)["model"]
    assert mean.keys() == one.keys()
    for name, weight in mean.items():
        by_hand = ((one[name].double() + two[name].double()) / 2).float()
        assert weight.dtype == torch.float32 and weight.equal(by_hand)
    words = mean["decoder.embed_tokens.weight"], mean["decoder.output_projection.weight"]
    assert words[0].data_ptr() == words[1].data_ptr() and not words[0].equal(
        one["decoder.embed_tokens.weight"]
    )


def test_one_checkpoint_twice(trained):
    first, second = (str(trained / "gpt" / f"checkpoint{number}.pt") for number in (1, 2))
    average.average([first, second, first], str(trained / "twice.pt"))
    held = [read(path)["model"] for path in (first, second, trained / "twice.pt")]
    for name, weight in held[2].items():
        torch.testing.assert_close(weight, (2 * held[0][name] + held[1][name]) / 3)


def test_adapters_are_trained_alone_and_merged(trained, monkeypatch):
    """On top of a checkpoint, through fairseq-train, and back to a plain one."""
    base = read(trained / "gpt" / "checkpoint_last.pt")["model"]
    run(
        "fairseq-train", *ARCHITECTURES["gpt_doc"], "--batch-size", 104, "--max-epoch", 4,
        "--finetune-from-model", "gpt/checkpoint_last.pt", "--lora-rank", 2, "--lr", 0.004,
        "--save-dir", "adapted", folder=trained,
    )  # fmt: skip
    path = trained / "adapted" / "checkpoint_last.pt"
    state = read(path)
    adapted, moments = state["model"], state["last_optimizer_state"]["state"]
    assert all(adapted[name].equal(weight) for name, weight in base.items())
    assert len(moments) == len(adapted) - len(base) == 2 * 4 * 2
    command(monkeypatch, adapters, path, "--output", trained / "merged.pt")
    merged = read(trained / "merged.pt")
    assert merged["model"].keys() == base.keys() and merged["cfg"]["model"]["lora_rank"] == 0
    before, after, whole = (
        perplexity(name, trained)
        for name in ("gpt/checkpoint_last.pt", "adapted/checkpoint_last.pt", "merged.pt")
    )
    assert after < 0.99 * before and whole == pytest.approx(after, abs=0.011)
    with pytest.raises(UsageError, match="merged.pt has no adapters"):
        command(monkeypatch, adapters, trained / "merged.pt", "--output", trained / "again.pt")
    with pytest.raises(UsageError, match="is one of the inputs: name a new file"):
        command(monkeypatch, adapters, path, "--output", path)


GPT_GENERATOR = (
    *ARCHITECTURES["gan"], "--generator", "gpt", "--noise-input", "none", "--generator-embed-dim",
    32, "--generator-hidden-dim", 128, "--generator-layers", 2, "--max-target-positions", 64,
    "--generator-heads", 4, "--generator-checkpoint", "gpt/checkpoint_last.pt",
)  # fmt: skip
TUNED = (*ARCHITECTURES["gpt_doc"], "--finetune-from-model", "gpt/checkpoint_last.pt")


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        ((*TUNED, "--activation-fn", "relu2"), "trained with --activation-fn gelu, and here it is"),
        ((*TUNED, "--decoder-attention-heads", 4), "with --decoder-attention-heads 2, and here"),
        (GPT_GENERATOR, "with --decoder-attention-heads 2, and here it is 4"),
        ((*ARCHITECTURES["gpt_doc"], "--lora-rank", 2), "its checkpoint by --finetune-from-model"),
    ],
    ids=["activation", "heads", "generator", "adapters of nothing"],
)
def test_weights_that_would_compute_something_else(trained, flags, says):
    """All tensors have the right shapes."""
    flags = (*flags, "--batch-size", 104, "--max-update", 1, "--save-dir", "other")
    done = run("fairseq-train", *flags, folder=trained, expect=1)
    assert re.search(f"error: .*{says}", done.stderr) and "Traceback" not in done.stderr


def test_running_average_is_used_for_generation(trained, monkeypatch):
    """Tied weights move once an update, as all others."""
    states = [read(trained / "gpt" / f"checkpoint_{name}.pt") for name in ("2_5", "2_6", "2_7")]
    for before, after in itertools.pairwise(states):
        for name, weight in after["model"].items():
            by_hand = (before["extra_state"]["ema"][name] + weight) / 2
            torch.testing.assert_close(after["extra_state"]["ema"][name], by_hand)
    inputs = trained / "gpt" / "checkpoint_2_7.pt"
    command(monkeypatch, average, "--ema", "--inputs", inputs, "--output", trained / "ema.pt")
    taken = read(trained / "ema.pt")
    assert "ema" not in taken["extra_state"]
    for name, weight in states[-1]["extra_state"]["ema"].items():
        assert taken["model"][name].equal(weight)
    assert perplexity("ema.pt", trained) > 1.01 * perplexity(inputs, trained)  # it lags behind


def test_running_average_begins_when_training_goes_on(trained):
    """fairseq ends in a KeyError."""
    run("fairseq-train", *TRAIN, "--max-update", 1, "--save-dir", "late", folder=trained)
    before = read(trained / "late" / "checkpoint_last.pt")["model"]
    log = run(
        "fairseq-train", *TRAIN, "--max-update", 2, "--save-dir", "late", "--store-ema",
        folder=trained,
    )  # fmt: skip
    assert "checkpoint_last.pt has no running average (--store-ema): one begins" in log.stdout
    state = read(trained / "late" / "checkpoint_last.pt")
    for name, weight in state["model"].items():
        by_hand = (before[name] + weight) / 2
        torch.testing.assert_close(state["extra_state"]["ema"][name], by_hand)


def test_whole_numbers_are_those_of_the_last(trained):
    """A GAN counts its turns."""
    paths = [str(trained / f"gan{number}.pt") for number in (1, 2)]
    for number, path in enumerate(paths):
        write_untrained(path, trained / "lm", *ARCHITECTURES["gan"][1:])
        state = read(path)
        state["model"]["progress"].fill_(number)
        torch.save(state, path)
    average.average(paths, str(trained / "gans.pt"))
    assert read(trained / "gans.pt")["model"]["progress"].eq(1).all()


@pytest.fixture(scope="module")
def others(trained):
    """Models that have something else than ``trained``."""
    lm = (trained / "lm", *ARCHITECTURES["gpt_doc"][1:])
    write_untrained(trained / "heads.pt", *lm, "--decoder-attention-heads", 4)
    write_untrained(trained / "layers.pt", *lm, "--decoder-layers", 1)
    write_untrained(trained / "rnn.pt", trained / "lm", *ARCHITECTURES["rnn_lm"][1:])
    (trained / "swapped").mkdir()
    lines = (trained / "lm" / "dict.txt").read_text().splitlines()
    (trained / "swapped" / "dict.txt").write_text("\n".join([*lines[1::-1], *lines[2:]]) + "\n")
    write_untrained(trained / "swapped.pt", trained / "swapped", *lm[1:])
    (trained / "empty").mkdir()
    return trained


@pytest.mark.parametrize(
    ("argv", "says"),
    [
        (("{gpt}/checkpoint1.pt", "heads.pt"), "flags differ: decoder_attention_heads, 2 and 4"),
        (("{gpt}/checkpoint1.pt", "layers.pt"), "tensors differ: decoder.blocks.1"),
        (("{gpt}/checkpoint1.pt", "rnn.pt"), "checkpoint1.pt holds gpt_doc, and .*rnn.pt rnn_lm"),
        (("{gpt}/checkpoint1.pt", "swapped.pt"), "were trained with two dictionaries"),
        (("{gpt}/checkpoint1.pt", "missing.pt"), "missing.pt does not exist"),
        (("{gpt}/checkpoint1.pt", "lm/dict.txt"), "dict.txt is not a fairseq checkpoint"),
        (("{gpt}",), "gpt is a folder; name a checkpoint in it"),
        (("--ema", "layers.pt"), "no running average: it was trained without --store-ema"),
        (("{gpt}", "--num-epoch-checkpoints", 3), "has 2 checkpoints to take; .*epoch.* is 3"),
        (("{gpt}", "--num-epoch-checkpoints", 0), "is 0; it must be greater than 0"),
        (
            ("{gpt}", "--num-epoch-checkpoints", 2, "--checkpoint-upper-bound", 1),
            "has 1 checkpoints to take",
        ),
        (("empty", "--num-update-checkpoints", 1), "has 0 checkpoints to take"),
        (("missing", "--num-update-checkpoints", 1), "missing is no folder"),
        (("{gpt}", "empty", "--num-update-checkpoints", 1), "takes one folder as --inputs"),
        (
            ("{gpt}", "--num-update-checkpoints", 1, "--num-epoch-checkpoints", 1),
            "exclude each other",
        ),
        (("{gpt}/checkpoint1.pt", "--checkpoint-upper-bound", 1), "needs --num-epoch"),
    ],
)
def test_what_cannot_be_averaged_is_one_line(argv, says, others, monkeypatch):
    monkeypatch.chdir(others)
    given = [str(word).format(gpt="gpt") for word in argv]
    flags = given[:1] if given[0].startswith("--") else []
    with pytest.raises(UsageError, match=says):
        command(
            monkeypatch, average, *flags, "--output", "out.pt", "--inputs", *given[len(flags) :]
        )
    assert not (others / "out.pt").exists()


def test_an_input_is_not_written_over(trained):
    path = str(trained / "gpt" / "checkpoint1.pt")
    with pytest.raises(UsageError, match="is one of the inputs: name a new file"):
        average.average([path], path)
    for output, says in {
        f"{path}/out.pt": "checkpoint1.pt/out.pt cannot be written",
        str(trained / "lm"): "lm is a folder or a device: name a file",
    }.items():
        with pytest.raises(UsageError, match=says):
            average.average([path], output)


@pytest.fixture(scope="module")
def elsewhere(trained):
    """Data of another text: some of its words are those of the corpus."""
    text = "the king saw a queen\nshe gave her all the silver\nhis son kept the land\n" * 20
    for split in ("train", "valid"):
        (trained / f"{split}.new").write_text(text)
    run(
        "fairseq-preprocess", "--only-source", "--trainpref", "train.new", "--validpref",
        "valid.new", "--destdir", "new", folder=trained,
    )  # fmt: skip
    return trained


def test_another_vocabulary(elsewhere, monkeypatch, capsys):
    """Words that both have are scored as before, in whatever order the dictionaries have them."""
    old_path = elsewhere / "gpt" / "checkpoint2.pt"
    monkeypatch.chdir(elsewhere)
    command(monkeypatch, vocabulary, old_path, "--data", elsewhere / "new", "--output", "moved.pt")
    old = GPTDoc.from_pretrained(str(elsewhere / "gpt"), "checkpoint2.pt", str(elsewhere / "lm"))
    new = GPTDoc.from_pretrained(str(elsewhere), "moved.pt", str(elsewhere / "new"))
    common = [word for word in new.src_dict.symbols if word in old.src_dict.indices]
    assert 12 < len(common) < len(new.src_dict) - 3 and common != old.src_dict.symbols
    assert (
        f"dictionary: of {len(new.src_dict)} entries {len(common)} are kept and "
        f"{len(new.src_dict) - len(common)} start anew; {len(old.src_dict) - len(common)} are drop"
    ) in capsys.readouterr().out
    logits = []
    for hub in (old, new):
        tokens = hub.src_dict.encode_line("</s> the king saw a son", append_eos=False).unsqueeze(0)
        rows = [hub.src_dict.index(word) for word in common]
        with torch.no_grad():
            logits.append(hub.eval().models[0](tokens.long())[0][..., rows])
    torch.testing.assert_close(*logits)
    anew = new.src_dict.index("queen")
    embedding = new.models[0].decoder.embed_tokens.weight[anew]
    assert 0.01 < embedding.std() < 0.03  # as it is initialised
    losses = run(
        "fairseq-train", "new", *TRAIN[1:], "--finetune-from-model", "moved.pt", "--max-epoch", 2,
        "--lr", 0.01, "--log-format", "json", "--no-save", folder=elsewhere,
    ).logged("valid_loss")  # fmt: skip
    assert losses[1] < losses[0]
    refused = run(
        "fairseq-train", "new", *TRAIN[1:], "--finetune-from-model", old_path, "--no-save",
        folder=elsewhere, expect=1,
    )  # fmt: skip
    assert "weights.vocabulary" in refused.stderr.splitlines()[-1]


def test_special_entries_have_places_of_their_own(tmp_path):
    """Though a word of the text is called as one of them."""
    (tmp_path / "dict.txt").write_text("a 1\n</s> 1 #fairseq:overwrite\nb 1\n")
    (tmp_path / "new.txt").write_text("b 1\na 1\nc 1\n")
    old, new = (Dictionary.load(str(tmp_path / name)) for name in ("dict.txt", "new.txt"))
    assert vocabulary.common(old, new).tolist() == [[0, 1, 2, 3, 6, 4], [0, 1, 2, 3, 4, 5]]


def test_a_gpt_doc_with_words_of_its_own_to_hugging_face(trained, caplog):
    """Its ids are those of dict.txt, which goes with it."""
    transformers = pytest.importorskip("transformers")
    path = trained / "gpt" / "checkpoint2.pt"
    convert_to(str(path), str(trained / "hf"), data=str(trained / "lm"))
    assert "has no tokenizer: the words of" in caplog.text
    theirs = transformers.AutoModelForCausalLM.from_pretrained(trained / "hf").eval()
    hub = GPTDoc.from_pretrained(str(trained / "gpt"), "checkpoint2.pt", str(trained / "lm"))
    tokens = torch.tensor([[2, 4, 9, 5, 7]])
    with torch.no_grad():
        ours, _ = hub.eval().models[0](tokens)
        torch.testing.assert_close(ours, theirs(tokens).logits, rtol=0, atol=1e-4)
    convert_from(str(trained / "hf"), str(trained / "back"))
    before, after = read(path)["model"], read(trained / "back" / "model.pt")["model"]
    assert all(after[name].equal(weight) for name, weight in before.items())
    shutil.rmtree(trained / "hf")
    with pytest.raises(UsageError, match="holds rnn_lm; gpt_doc alone is converted"):
        write_untrained(trained / "r.pt", trained / "lm", *ARCHITECTURES["rnn_lm"][1:])
        convert_to(str(trained / "r.pt"), str(trained / "hf"))
    with pytest.raises(UsageError, match="has --words-only, and .*dict.txt not GPT-2's ids"):
        write_untrained(trained / "w.pt", trained / "lm", *TRAIN[1:], "--words-only")
        convert_to(str(trained / "w.pt"), str(trained / "hf"))


MT = ("--task", "translation", "-s", "en", "-t", "up")
SMALL = [
    f"--{part}-{size}"
    for part in ("encoder", "decoder")
    for size in ("embed-dim=8", "ffn-embed-dim=8", "layers=1", "attention-heads=1")
]
PAIRS = {
    "lstm_seq2seq_doc": (*MT, "--arch", "lstm_seq2seq_doc_tiny"),
    "dbam": (*MT, "--arch", "dbam_tiny", "--criterion", "dbam", "--share-all-embeddings"),
    "transformer": (*MT, "--arch", "transformer", *SMALL),
    "gan_seq2seq": (
        "--task", "conditional_gan", *MT[2:], "--arch", "gan_seq2seq_tiny", "--criterion",
        "adversarial", "--optimizer", "two_player_adamw", "--generator-checkpoint",
        "lstm_seq2seq_doc.pt",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", PAIRS)
def test_another_vocabulary_of_translations(name, tmp_path, monkeypatch):
    """Two dictionaries, or one that both sides share, and a discriminator that reads both."""
    monkeypatch.chdir(tmp_path)
    words = {"en": ["a", "b", "c", "d"], "up": ["A", "B", "C", "D", "E"]}
    if name == "dbam":
        words["en"] = words["up"]
    for folder, add in {"old": ["x"], "new": ["y", "z"]}.items():
        (tmp_path / folder).mkdir()
        for side, common in words.items():
            own = [*add, *(common[::-1] if folder == "new" else common)]
            (tmp_path / folder / f"dict.{side}.txt").write_text("".join(f"{w} 1\n" for w in own))
    if name == "gan_seq2seq":
        write_untrained("lstm_seq2seq_doc.pt", "old", *PAIRS["lstm_seq2seq_doc"])
    write_untrained("model.pt", "old", *PAIRS[name])
    vocabulary.exchange("model.pt", "moved.pt", "new")
    outputs = []
    for path in ("model.pt", "moved.pt"):
        (model,), _, task = checkpoint_utils.load_model_ensemble_and_task([path])
        sides = task.source_dictionary, task.target_dictionary
        source, target = (
            side.encode_line(" ".join(words[language]), add_if_not_exist=False).long()[None]
            for side, language in zip(sides, words, strict=True)
        )
        with torch.no_grad():
            net_input = (source, torch.tensor([source.size(1)]), target)
            logits = model.eval()(*net_input)[0][0][:, [sides[1].index(w) for w in words["up"]]]
            outputs.append([logits])
            if name == "gan_seq2seq":
                mask = torch.ones_like(target, dtype=torch.bool)
                outputs[-1].append(model.discriminator(source, target, mask).logits)
    torch.testing.assert_close(*outputs)


@pytest.mark.parametrize(
    ("argv", "says"),
    [
        (("missing.pt", "--data", "new"), "missing.pt does not exist"),
        (("gpt/checkpoint1.pt", "--data", "empty"), "empty/dict.txt does not exist"),
        (("out.pt", "--data", "new"), "--output out.pt is one of the inputs"),
        (("gpt/checkpoint1.pt", "--data", "new", "--old-data", "gone"), "gone, on which"),
        (("gpt/checkpoint1.pt", "--data", "new", "--old-data", "new"), "with a dictionary of 32"),
        (("images.pt", "--data", "new"), "has no dictionary to exchange"),
        (("adaptive.pt", "--data", "new"), "adaptive_softmax.* does not have a row a word"),
    ],
)
def test_no_other_vocabulary_is_one_line(argv, says, elsewhere, monkeypatch):
    monkeypatch.chdir(elsewhere)
    (elsewhere / "empty").mkdir(exist_ok=True)
    if argv[0] == "images.pt":
        write_untrained("images.pt", *ARCHITECTURES["gan_image"])
    if argv[0] == "adaptive.pt":
        flags = ("--criterion", "adaptive_loss", "--adaptive-softmax-cutoff", 10)
        write_untrained("adaptive.pt", "lm", *FAIRSEQ_LM, *flags)
    with pytest.raises(UsageError, match=says):
        command(monkeypatch, vocabulary, *argv, "--output", "out.pt")
    assert not (elsewhere / "out.pt").exists()


@pytest.mark.skipif(
    not hasattr(GPTDocConfig, "positions"), reason="gpt_doc has GPT-2's parts alone"
)
def test_what_gpt2_has_not_is_one_line(trained):
    path = str(trained / "modern.pt")
    write_untrained(path, trained / "lm", *TRAIN[1:], "--arch", "gpt_doc_modern_tiny")
    with pytest.raises(UsageError, match="modern.pt has --.*, which GPT-2 has not"):
        convert_to(path, str(trained / "hf"))
