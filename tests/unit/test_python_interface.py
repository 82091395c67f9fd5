"""The blocks of docs/python.md, run on models of every architecture."""

import contextlib
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from architectures import write_images
from conftest import write_corpus
from untrained import write_untrained

import fairseq_genext
from fairseq_genext.data import pieces
from fairseq_genext.errors import UsageError

PAGE = Path(fairseq_genext.__file__).parent.parent / "docs" / "python.md"
BLOCKS = re.findall(r"```python\n(.+?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
LM = ("data/bin", "--task", "unconditional_generation")
MT = ("data/bin-mt", "-s", "kjv", "-t", "bbe", "--task")
GAN = ("--criterion", "adversarial", "--optimizer", "two_player_adamw")
MODELS = {
    "gpt/checkpoint_best.pt": (*LM, "--arch", "gpt_doc_tiny"),
    "rnn/checkpoint_best.pt": (*LM, "--arch", "rnn_lm_tiny"),
    "gan/checkpoint_last.pt": ("data/bin", "--task", "gan", "--arch", "gan_doc_tiny", *GAN),
    "images/checkpoint_last.pt": (
        "images", "--task", "gan_image", "--arch", "gan_image_doc_tiny", "--criterion",
        "adversarial_image", "--optimizer", "two_player_adamw", "--image-height", 4,
        "--image-width", 5,
    ),
    "lstm/checkpoint_best.pt": (*MT, "translation", "--arch", "lstm_seq2seq_doc_tiny"),
    "dbam/checkpoint_best.pt": (*MT, "translation", "--arch", "dbam_tiny", "--criterion", "dbam"),
    "gan-mt/checkpoint_last.pt": (
        *MT, "conditional_gan", "--arch", "gan_seq2seq_tiny", *GAN, "--generator-checkpoint",
        "models/lstm/checkpoint_best.pt",
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """What the page expects: pieces, dictionaries, and a model of every architecture."""
    folder = tmp_path_factory.mktemp("python")
    write_corpus(folder)
    write_images(folder / "images")
    with contextlib.chdir(folder):
        for corpus, names in {
            "clauses": ("bin/dict",),
            "kjv-bbe": ("bin-mt/dict.kjv", "bin-mt/dict.bbe"),
        }.items():
            Path("data", corpus).mkdir(parents=True)
            pieces.train(f"data/{corpus}/pieces", ["train.en", "train.up"], 60)
            vocabulary = Path(f"data/{corpus}/pieces.vocab").read_text(encoding="utf-8")
            words = [line.split("\t")[0] for line in vocabulary.splitlines()[3:]]
            for name in names:
                Path("data", name).parent.mkdir(exist_ok=True)
                Path(f"data/{name}.txt").write_text("".join(f"{word} 1\n" for word in words))
        for name, flags in MODELS.items():
            write_untrained(f"models/{name}", *flags)
    return folder


@pytest.fixture(scope="module")
def names(folder):
    """The page's blocks, and the names that they leave."""
    found = {}
    with contextlib.chdir(folder):
        for block in BLOCKS:
            before = dict(found)
            exec(block, found)
            check(before, found)
    return found


def check(before, after):
    """What a block has made: text of its own for every text, scores that are logarithms."""
    made = {name: after[name] for name in after if after[name] is not before.get(name)}
    for text in made.get("continued", []):
        assert text and not text.startswith("and the king")
    if "samples" in made:
        assert len(made["samples"]) == len(set(made["samples"])) == 4
    if "score" in made:
        assert made["score"] < 0
    for text in made.get("translated", []):
        assert isinstance(text, str) and "▁" not in text
    if "drawn" in made:
        assert made["drawn"].shape == (16, 4, 5) and made["drawn"].abs().max() <= 1


def test_every_block_of_the_page_runs(names):
    hubs = {"gpt", "rnn", "gan", "images", "lstm", "dbam", "gan_mt"}
    assert hubs <= names.keys()


@pytest.mark.parametrize("name", ["gpt", "rnn"])
def test_scores_are_log_probabilities_without_the_end(names, name):
    hub = names[name]
    ids = hub.encode("the king saw the bread")
    with torch.no_grad():
        previous = torch.cat([ids.new_tensor([hub.src_dict.eos()]), ids[:-1]]).unsqueeze(0)
        log_probs = hub.eval().models[0](previous)[0][0].log_softmax(dim=-1)
    by_hand = log_probs.gather(1, ids.unsqueeze(1)).squeeze(1)[:-1]
    found = hub.score(["the king saw the bread"])[0]["positional_scores"]
    torch.testing.assert_close(found, by_hand)


def test_flags_by_name(names):
    """Those of the task too, for one call; one that does not exist is no silence."""
    gpt, drawn = names["gpt"], []
    flags = {"sampling": True, "max_len_b": 20, "min_len": 20}
    for more in ({}, {"repetition_penalty": 100.0}, {}, {"write_prompts": True}):
        torch.manual_seed(1)
        drawn.append(gpt.sample(["the king"], **flags, **more)[0])
    assert drawn[0] == drawn[2] != drawn[1] and drawn[3] == f"the king {drawn[0]}"
    with pytest.raises(UsageError, match="generation has no flag sampling_top_p: see"):
        gpt.sample(["the king"], sampling_top_p=0.9)


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        ({"resample": 2.5}, "resample is 2.5; it must be of type int"),
        ({"beam": 2.5}, "beam is 2.5; it must be of type int"),
        ({"max_len_b": "20"}, "max_len_b is '20'; it must be of type int"),
        ({"temperature": None}, "temperature is None; it must be of type float"),
        ({"sampling": "yes"}, "sampling is 'yes'; it must be of type bool"),
        ({"resample": True}, "resample is True; it must be of type int"),
        (
            {"resample": 4, "resample_weight": 1e39},
            "--resample-weight is 1e.39; it must be at most",
        ),
        ({"temperature": 0}, "--temperature is 0; it must be at least 1e-06"),
        ({"temperature": float("nan")}, "--temperature is nan"),
        ({"max_len_b": -1}, "--max-len-b is -1; it must be 0 or greater"),
        ({"sampling_topp": 2.0}, "--sampling-topp is 2.0; it must be"),
    ],
)
def test_values_of_another_kind(names, flags, says):
    with pytest.raises(UsageError, match=says):
        names["gan"].sample(["the king"], **{"sampling": True, **flags})


def test_whole_numbers_are_fractions_too(names):
    flags = {"sampling": 1, "temperature": 1, "max_len_b": np.int64(5)}
    assert names["gpt"].sample(["the king"], **flags)


def test_several_samples_of_a_text_and_none_of_no_text(names):
    gpt = names["gpt"]
    ids = gpt.encode("the king")
    assert len(gpt.generate(ids, beam=3, sampling=True, max_len_b=10)) == 3
    assert gpt.sample([]) == gpt.generate(tokenized_sentences=[], beam=1) == []


def test_what_a_model_cannot_do_is_one_line(names):
    with pytest.raises(UsageError, match="GANImage reads no text: it draws by models.0..gen"):
        names["images"].sample(["the king"])
    for name in ("lstm", "dbam", "gan_mt"):
        with pytest.raises(UsageError, match="score is for language models"):
            names[name].score(["the king"])
