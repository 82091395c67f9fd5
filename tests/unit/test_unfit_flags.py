"""Flags that fairseq would answer with a traceback, by commands and where they are read."""

import pytest
import torch
from command_line import parsed
from commands import run
from fairseq import search, tasks, utils
from fairseq.data import Dictionary, data_utils
from omegaconf import OmegaConf

from fairseq_genext.errors import UsageError
from fairseq_genext.patches.checkpoints import complete
from fairseq_genext.patches.flags import check_settings, check_window

LM = ("--task", "language_modeling", "--arch", "transformer_lm", "--batch-size", 8)
SMALL = ("--decoder-embed-dim", 8, "--decoder-layers", 1, "--optimizer", "adam", "--no-save")


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (("--decoder-attention-heads", 3), "embed_dim must be divisible by num_heads"),
        (("--adam-betas", "garbage", "--decoder-attention-heads", 1), "'garbage' is not defined"),
        (("--log-file", "nowhere/log"), "nowhere/log: No such file or directory"),
        (("--batch-size", 8, "--max-tokens-valid", 3, "--decoder-attention-heads", 1),
         "a sentence has more tokens than a batch may have, 3: raise --max-tokens"),
    ],
)  # fmt: skip
def test_training(flags, says, corpus):
    done = run(
        "fairseq-train", "lm", *LM, *SMALL, "--sample-break-mode", "eos", "--cpu", *flags,
        folder=corpus, expect=1,
    )  # fmt: skip
    assert says in done.stderr and "Traceback" not in done.stderr


def test_pairs_of_unequal_lines(corpus, tmp_path):
    for language, lines in (("en", 3), ("up", 2)):
        (tmp_path / f"t.{language}").write_text("a b\n" * lines)
    pair = ("-s", "en", "-t", "up", "--destdir", "data", "--trainpref")
    done = run("fairseq-preprocess", *pair, "t", folder=tmp_path, expect=1)
    assert done.stderr.startswith("error: t.en has 3 lines and t.up 2:")
    done = run("fairseq-preprocess", *pair, "nothing", folder=tmp_path, expect=1)
    assert done.stderr.startswith("error: nothing.en: No such file")
    assert not (tmp_path / "data").exists()


def test_what_fairseq_raises_without_a_kind():
    flags = ("--criterion", "adaptive_loss", *SMALL)
    with pytest.raises(UsageError, match="Please use `--ddp-backend=legacy_ddp` instead"):
        tasks.FairseqTask(None).build_criterion(parsed("nowhere", *LM, *flags).criterion)


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        ((), "--arch is missing: name a model"),
        (("--user-dir", "/nowhere"), "--user-dir /nowhere does not exist"),
        (("--user-dir", "{folder}/json"), "json cannot be imported: Failed to import .* not glob"),
    ],
)
def test_what_is_read_first(flags, says, tmp_path):
    (tmp_path / "json").mkdir()
    with pytest.raises(UsageError, match=says):
        parsed("lm", *(flag.format(folder=tmp_path) for flag in flags))


def test_mappings():
    for given in ("garbage", "[1]", "{"):
        with pytest.raises(UsageError, match=r"--optimizer-overrides is .* no mapping"):
            check_settings(parsed("nowhere", *LM, "--optimizer-overrides", given))


@pytest.mark.parametrize("window", [-1, 5])
def test_context_that_fills_the_block(window):
    task, eval_lm = {"tokens_per_sample": 5}, {"context_window": window}
    with pytest.raises(UsageError, match=f"--context-window is {window}; it must be"):
        check_window(OmegaConf.create({"task": task, "eval_lm": eval_lm}))


def test_bpe_without_its_file():
    task = tasks.FairseqTask(None)
    bpe = OmegaConf.create({"_name": "gpt2", "gpt2_encoder_json": "nowhere", "gpt2_vocab_bpe": "-"})
    with pytest.raises(UsageError, match="nowhere"):
        task.build_bpe(bpe)


def test_batches_of_any_other_fault():
    with pytest.raises(UsageError, match="has more tokens than a batch may have, 2"):
        data_utils.batch_by_size([0, 1], lambda i: 3, max_tokens=2)


def test_replacing_unknown_words_without_a_file():
    assert utils.load_align_dict("@@ ") == {}


def test_diverse_beams_count_for_each_sentence():
    """By place: the numbers of sentences in the data are beyond the batch, and not in order."""
    torch.manual_seed(1)
    log_probabilities = torch.randn(2, 2, 4, 9).log_softmax(-1)  # steps, sentences, beams, words
    found = []
    for ids in (torch.tensor([0, 1]), torch.tensor([70, 3])):
        beams = search.DiverseBeamSearch(Dictionary(), num_groups=2, diversity_strength=0.5)
        scores = torch.zeros(2, 4, 0)
        first = beams.step(0, log_probabilities[0].clone(), scores, None, ids)[0]
        scores = first[:, :, None]
        # The first of the two has ended.
        rest = beams.step(1, log_probabilities[1, 1:].clone(), scores[1:], None, ids[1:])
        found.append(rest)
    for one, other in zip(*found, strict=True):
        assert torch.equal(one, other)


def test_a_checkpoint_that_is_older_than_a_flag():
    model = OmegaConf.create({"_name": "gpt_doc_tiny", "decoder_layers": 2})
    OmegaConf.set_struct(model, True)
    complete(model)
    assert model.checkpoint_activations is False and model.decoder_layers == 2
