"""A GPT-2 of Hugging Face's as a fairseq folder and back, against `transformers`."""

import json
import math
import re
import shutil
import sys

import pytest
import torch
from commands import run
from fairseq.data.encoders.gpt2_bpe import GPT2BPE, GPT2BPEConfig

from fairseq_genext.errors import UsageError
from fairseq_genext.evaluation import score_text
from fairseq_genext.models.gpt_doc import GPTDoc
from fairseq_genext.weights import huggingface
from fairseq_genext.weights.huggingface import convert_from, convert_to, encode, gpt2_rows

transformers = pytest.importorskip("transformers")
safetensors = pytest.importorskip("safetensors.torch")
END = "<|endoftext|>"
TEXTS = ["the king saw the bread", "she took away 2 stones, été ☃", "his"]
# By name: settings of the model. An odd vocabulary has rows without a token.
SHAPES = {
    "tied": {},
    "odd": {
        "vocab_size": 331, "n_layer": 1, "n_head": 3, "n_inner": 10, "n_positions": 27,
        "activation_function": "gelu",
    },
    "untied": {"tie_word_embeddings": False, "activation_function": "relu2"},
}  # fmt: skip


def write_gpt2(folder, tokenizer_json=False, **settings):
    """A GPT-2 with random weights, and the encoding that it was not trained with."""
    tokenizers = pytest.importorskip("tokenizers")
    encoding = tokenizers.ByteLevelBPETokenizer()
    specials = [] if settings.get("end") else [END]
    encoding.train_from_iterator(
        TEXTS * 3, vocab_size=300, special_tokens=specials, show_progress=False
    )
    folder.mkdir(exist_ok=True)
    if tokenizer_json:
        encoding.save(str(folder / "tokenizer.json"))
    else:
        encoding.save_model(str(folder))
    torch.manual_seed(5)
    sizes = {"vocab_size": encoding.get_vocab_size(), "n_positions": 40, "n_embd": 24, "n_layer": 2}
    ends = {"bos_token_id": 0, "eos_token_id": 0}
    config = transformers.GPT2Config(
        **{**sizes, "n_head": 4, "initializer_range": 0.3, **ends, **settings}
    )
    model = transformers.GPT2LMHeadModel(config)
    for weight in model.parameters():  # biases start from zero
        weight.data.normal_(std=0.3)
    model.eval().save_pretrained(folder)
    return model


@pytest.fixture(scope="module", params=SHAPES)
def pair(request, tmp_path_factory):
    """The folder of a GPT-2 of each shape, what it became, and the model of both."""
    folder = tmp_path_factory.mktemp("gpt2")
    theirs = write_gpt2(folder / "hf", **SHAPES[request.param])
    convert_from(str(folder / "hf"), str(folder / "fairseq"))
    hub = GPTDoc.from_pretrained(str(folder / "fairseq"))
    return folder, theirs, hub.eval()


def test_logits_of_a_ragged_batch(pair):
    _, theirs, hub = pair
    rows = gpt2_rows(hub.src_dict)
    lengths = [26, 9, 1]
    tokens = torch.full((3, 26), hub.src_dict.pad())
    ids = torch.zeros(3, 26, dtype=torch.long)
    for row, length in enumerate(lengths):
        tokens[row, :length] = torch.randint(4, len(rows), (length,))
        tokens[row, 0] = hub.src_dict.eos()
        ids[row, :length] = rows[tokens[row, :length]]
    mask = torch.arange(26) < torch.tensor(lengths).unsqueeze(1)
    with torch.no_grad():
        ours, _ = hub.models[0](tokens)
        wanted = theirs(ids, attention_mask=mask.long()).logits
    assert wanted[mask].std() > 0.5
    known = rows.ge(0)
    torch.testing.assert_close(
        ours[mask][:, known], wanted[mask][:, rows[known]], rtol=0, atol=1e-4
    )
    assert ours[..., ~known].eq(-torch.inf).all() and known.sum() == theirs.config.vocab_size
    # Nothing but GPT-2's words has a share of the probability.
    torch.testing.assert_close(
        ours[mask].log_softmax(-1)[:, known], wanted[mask].log_softmax(-1)[:, rows[known]]
    )


def test_greedy_continuations(pair):
    folder, theirs, hub = pair
    convert_to(str(folder / "fairseq" / "model.pt"), str(folder / "greedy"))
    returned = transformers.AutoModelForCausalLM.from_pretrained(folder / "greedy")
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder / "greedy")
    texts = hub.sample(TEXTS, beam=1, max_len_b=8)
    for text, ours in zip(TEXTS, texts, strict=True):
        ids = torch.tensor([[0, *tokenizer(text).input_ids]])
        flags = {"do_sample": False, "max_new_tokens": 8, "pad_token_id": 0}
        wanted = theirs.generate(ids, **flags)
        assert returned.generate(ids, **flags).equal(wanted)
        continued = wanted[0, ids.size(1) :]
        assert ours == tokenizer.decode(continued, skip_special_tokens=True) != ""


def test_there_and_back_bit_by_bit(pair):
    folder, _, _ = pair
    convert_to(str(folder / "fairseq" / "model.pt"), str(folder / "back"))
    convert_from(str(folder / "back"), str(folder / "again"))
    first, second = (
        safetensors.load_file(folder / name / "model.safetensors") for name in ("hf", "back")
    )
    assert first.keys() == second.keys() and all(first[name].equal(second[name]) for name in first)
    configs = [json.loads((folder / name / "config.json").read_text()) for name in ("hf", "back")]
    assert configs[0].items() <= {**configs[1], "dtype": "float32"}.items()
    for name in ("dict.txt", "encoder.json", "vocab.bpe"):
        assert (folder / "fairseq" / name).read_text() == (folder / "again" / name).read_text()
    assert (folder / "hf" / "merges.txt").read_text() == (
        folder / "back" / "merges.txt"
    ).read_text()
    states = [torch.load(folder / name / "model.pt")["model"] for name in ("fairseq", "again")]
    assert all(states[0][name].equal(states[1][name]) for name in states[0])


def command(monkeypatch, *argv):
    monkeypatch.setattr(sys, "argv", ["huggingface", *map(str, argv)])
    huggingface.main()


def test_shards_half_precision_openais_names_and_tokenizer_json(tmp_path, monkeypatch):
    model = write_gpt2(tmp_path / "hf", tokenizer_json=True).half()
    model.transformer.save_pretrained(tmp_path / "shards", max_shard_size="20KB")
    shutil.copy(tmp_path / "hf" / "tokenizer.json", tmp_path / "shards")
    assert len(list((tmp_path / "shards").glob("*.safetensors"))) > 2
    command(monkeypatch, "from", tmp_path / "shards", tmp_path / "fairseq")
    command(monkeypatch, "to", tmp_path / "fairseq" / "model.pt", tmp_path / "back")
    returned = safetensors.load_file(tmp_path / "back" / "model.safetensors")
    for name, weight in model.transformer.state_dict().items():
        assert weight.dtype == torch.float16 and weight.equal(returned[f"transformer.{name}"])
    command(monkeypatch, "encode", tmp_path / "fairseq", write_texts(tmp_path))
    tokenizer = transformers.AutoTokenizer.from_pretrained(tmp_path / "back")
    lines = (tmp_path / "texts.ids").read_text().splitlines()
    assert [list(map(int, line.split())) for line in lines] == tokenizer(TEXTS).input_ids


def write_texts(folder):
    (folder / "texts").write_text("".join(f"{text}\n" for text in TEXTS))
    return str(folder / "texts")


def test_a_converted_model_is_fine_tuned_by_fairseq_train(corpus, tmp_path):
    write_gpt2(tmp_path / "hf")
    convert_from(str(tmp_path / "hf"), str(tmp_path / "fairseq"))
    # A text with line ends in it is a line of output all the same.
    end = json.loads((tmp_path / "fairseq" / "encoder.json").read_text())["Ċ"]
    generated = run(
        "fairseq-generate", "fairseq", "--task", "unconditional_generation", "--num-samples", 200,
        "--path", "fairseq/model.pt", "--sampling", "--beam", 1, "--seed", 1, "--max-len-b", 30,
        "--bpe", "gpt2", "--gpt2-encoder-json", "fairseq/encoder.json", "--gpt2-vocab-bpe",
        "fairseq/vocab.bpe", folder=tmp_path,
    )  # fmt: skip
    bpe = GPT2BPE(huggingface.gpt2_encoding(tmp_path / "fairseq"))
    with_ends = re.findall(rf"^H-(\d+)\t\S+\t(.*\b{end}\b.*)$", generated.stdout, re.MULTILINE)
    assert len(with_ends) > 2
    for number, ids in with_ends:
        text = re.sub("[\r\n]+", " ", bpe.decode(ids))
        assert re.search(rf"^D-{number}\t\S+\t{re.escape(text)}$", generated.stdout, re.MULTILINE)
    encode(str(tmp_path / "fairseq"), [str(corpus / f"{split}.en") for split in ("train", "valid")])
    run(
        "fairseq-preprocess", "--only-source", "--srcdict", "fairseq/dict.txt", "--destdir", "bin",
        "--trainpref", corpus / "train.en.ids", "--validpref", corpus / "valid.en.ids",
        folder=tmp_path,
    )  # fmt: skip
    log = run(
        "fairseq-train", "bin", "--task", "unconditional_generation", "--arch", "gpt_doc",
        "--decoder-layers", 2, "--decoder-embed-dim", 24, "--decoder-attention-heads", 4,
        "--max-target-positions", 40, "--dropout", 0, "--finetune-from-model", "fairseq/model.pt",
        "--optimizer", "fused_adamw", "--lr", 0.01, "--batch-size", 60, "--max-epoch", 2,
        "--log-format", "json", folder=tmp_path,
    )  # fmt: skip
    losses = log.logged("valid_loss")
    assert losses[1] < losses[0] < 8
    tuned = str(tmp_path / "checkpoints" / "checkpoint_last.pt")
    convert_to(tuned, str(tmp_path / "back"), data=str(tmp_path / "fairseq"))
    returned = transformers.AutoModelForCausalLM.from_pretrained(tmp_path / "back").eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(tmp_path / "back")
    model = GPTDoc.from_pretrained(
        str(tmp_path / "checkpoints"), "checkpoint_last.pt", str(tmp_path / "bin")
    )
    rows = gpt2_rows(model.src_dict)
    ids = torch.tensor([[0, *tokenizer(TEXTS[0]).input_ids]])
    tokens = torch.stack([rows.eq(number).nonzero()[0] for number in ids[0]], dim=1)
    with torch.no_grad():
        ours = model.eval().models[0](tokens)[0][..., rows.argsort()[3:]]
        torch.testing.assert_close(ours, returned(ids).logits, rtol=0, atol=1e-4)


def test_added_tokens_are_found_before_bytes_are_merged(tmp_path, caplog):
    """As transformers does; one that has no weights is left out."""
    model = write_gpt2(tmp_path / "hf")
    tokenizer = transformers.AutoTokenizer.from_pretrained(tmp_path / "hf")
    tokenizer.add_tokens(["<|user|>", "a b"])
    model.resize_token_embeddings(len(tokenizer))
    tokenizer.add_special_tokens({"pad_token": "<pad>"})
    model.save_pretrained(tmp_path / "hf")
    tokenizer.save_pretrained(tmp_path / "hf")
    convert_from(str(tmp_path / "hf"), str(tmp_path / "fairseq"))
    assert "has no weights for its added tokens <pad>: left out" in caplog.text
    bpe = GPT2BPE(huggingface.gpt2_encoding(tmp_path / "fairseq"))
    for text in ("<|user|>the <|user|> king", "his a b son a b", "no", "", "été<|user|>"):
        ids = bpe.encode(text)
        assert list(map(int, ids.split())) == tokenizer(text).input_ids
        assert bpe.decode(ids) == text
    convert_to(str(tmp_path / "fairseq" / "model.pt"), str(tmp_path / "back"))
    returned = transformers.AutoTokenizer.from_pretrained(tmp_path / "back")
    assert returned("a b<|user|>").input_ids == tokenizer("a b<|user|>").input_ids


def test_raw_text_is_scored_as_transformers_does(pair, monkeypatch, capsys):
    folder, theirs, _ = pair
    (folder / "text").write_text("".join(f"{text}\n" for text in TEXTS))
    path = str(folder / "fairseq")
    argv = ["--checkpoint", f"{path}/model.pt", "--gpt2-encoding", path, "--format", "json"]
    monkeypatch.setattr(sys, "argv", ["score_text", str(folder / "text"), *argv])
    score_text.main()
    *rows, total = map(json.loads, capsys.readouterr().out.splitlines())
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder / "hf")
    for text, row in zip(TEXTS, rows, strict=True):
        ids = torch.tensor([[0, *tokenizer(text).input_ids, 0]])
        with torch.no_grad():
            lprobs = theirs(ids).logits[0, :-1].log_softmax(-1)
        expected = lprobs.gather(1, ids[0, 1:, None]).sum().item()
        assert row["log_probability"] == pytest.approx(expected, rel=1e-5)
        assert row["bits_per_byte"] * math.log(2) * (len(text.encode()) + 1) == pytest.approx(
            -expected, rel=1e-5
        )
    assert total["unknown"] == 0


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    """A folder to spoil copies of."""
    folder = tmp_path_factory.mktemp("sound") / "hf"
    write_gpt2(folder)
    return folder


def settings(**entries):
    def spoil(folder):
        config = json.loads((folder / "config.json").read_text())
        (folder / "config.json").write_text(json.dumps(config | entries))

    return spoil


def weights(change):
    def spoil(folder):
        held = safetensors.load_file(folder / "model.safetensors")
        change(held)
        safetensors.save_file(held, folder / "model.safetensors")

    return spoil


def remove(*names):
    def spoil(folder):
        for name in names:
            (folder / name).unlink()

    return spoil


def write(name, text):
    return lambda folder: (folder / name).write_text(text)


def sentencepiece(folder):
    remove("vocab.json")(folder)
    write("spiece.model", "x")(folder)


def unigram(folder):
    remove("vocab.json")(folder)
    write("tokenizer.json", '{"model": {"type": "Unigram"}}')(folder)


def tokenizer_json(**model):
    described = {"model": {"type": "BPE", **model}, "pre_tokenizer": {"type": "ByteLevel"}}

    def spoil(folder):
        remove("vocab.json")(folder)
        write("tokenizer.json", json.dumps(described))(folder)

    return spoil


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (settings(model_type="llama"), "of a model of type 'llama'; gpt2 alone"),
        (settings(activation_function="silu"), "activation_function is 'silu'; gpt_doc has"),
        (settings(layer_norm_epsilon=1e-6), "layer_norm_epsilon is 1e-06"),
        (settings(scale_attn_weights=False), "scale_attn_weights is False"),
        (settings(scale_attn_by_inverse_layer_idx=True), "scale_attn_by_inverse_layer_idx is"),
        (settings(add_cross_attention=True), "add_cross_attention is True"),
        (settings(n_layer=0), "n_layer is 0; it must be a positive number"),
        (settings(n_layer=3), "they lack transformer.h.2"),
        (settings(n_layer=1), "they have transformer.h.1"),
        (settings(n_embd=32), "of shape .294, 24.; config.json says .294, 32."),
        (settings(n_head=5), "--decoder-embed-dim 24 cannot be divided among"),
        (write("vocab.json", '{"a": 294}'), "'a' has the id 294; each must be"),
        (settings(vocab_size=400), "of shape .294, 24.; config.json says .400, 24."),
        (settings(tie_word_embeddings=False), "lm_head.weight is missing"),
        (settings(n_inner="wide"), "n_inner is 'wide'"),
        (settings(resid_pdrop="much"), "resid_pdrop is 'much'"),
        (settings(resid_pdrop=1.5), "--dropout is 1.5"),
        (
            weights(lambda held: held.pop("transformer.ln_f.bias")),
            "they lack transformer.ln_f.bias",
        ),
        (weights(lambda held: held.update({"score.weight": torch.ones(2)})), "they have .*score"),
        (
            weights(lambda held: held["transformer.wpe.weight"].fill_(torch.nan)),
            "are no finite numbers: transformer.wpe.weight",
        ),
        (
            weights(lambda held: held.update({"transformer.wpe.weight": torch.ones(2, 2, 2)})),
            "the weights do not fit",
        ),
        (write("model.safetensors", "x" * 50), "damaged or no safetensors file"),
        (remove("model.safetensors"), "has no model.safetensors"),
        (remove("config.json"), "config.json does not exist"),
        (write("config.json", "{"), "config.json is not valid JSON"),
        (remove("merges.txt"), "has no vocab.json with merges.txt and no tokenizer.json"),
        (sentencepiece, "spiece.model is no tokenizer of GPT-2's"),
        (unigram, "tokenizer.json is of another kind \\(Unigram"),
        (tokenizer_json(vocab={"a": 1}, merges=[[1, 2]]), "not as tokenizers writes it"),
        (tokenizer_json(vocab=[1], merges=[]), "not as tokenizers writes it"),
        (tokenizer_json(ignore_merges=True), "tokenizer.json has another ignore_merges than"),
        (write("merges.txt", "#version: 0.2\nq q\n"), "'q q' is no merge of two tokens"),
        (write("vocab.json", '{"a": 1, "b": 1}'), "'b' has the id 1; each must be another"),
        (settings(eos_token_id=[1, 2]), None),  # its tokenizer says it
    ],
)
def test_what_is_no_gpt2_is_one_line_and_leaves_nothing(spoil, says, sound, tmp_path):
    folder = tmp_path / "hf"
    shutil.copytree(sound, folder)
    spoil(folder)
    if says is None:
        convert_from(str(folder), str(tmp_path / "out"))
        return
    with pytest.raises(UsageError, match=says):
        convert_from(str(folder), str(tmp_path / "out"))
    assert [path.name for path in tmp_path.iterdir()] == ["hf"]


def test_no_end_of_text_at_all(sound, tmp_path):
    folder = tmp_path / "hf"
    shutil.copytree(sound, folder)
    for name in ("vocab.json", "merges.txt"):
        text = (folder / name).read_text()
        (folder / name).write_text(text.replace(END, "<end>"))
    settings(eos_token_id=50256)(folder)
    with pytest.raises(UsageError, match="eos_token_id is 50256; it must be one id of its 294"):
        convert_from(str(folder), str(tmp_path / "out"))


def test_what_exists_is_not_written_over(sound, tmp_path):
    write("out", "mine")(tmp_path)
    with pytest.raises(UsageError, match="out exists already: name a new folder"):
        convert_from(str(sound), str(tmp_path / "out"))
    assert (tmp_path / "out").read_text() == "mine"


def test_a_folder_that_was_moved(sound, tmp_path):
    convert_from(str(sound), str(tmp_path / "out"))
    shutil.move(tmp_path / "out", tmp_path / "moved")
    hub = GPTDoc.from_pretrained(str(tmp_path / "moved"))
    assert hub.decode(hub.encode(TEXTS[1])) == TEXTS[1]


def test_without_the_package(sound, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "safetensors.torch", None)
    with pytest.raises(UsageError, match="pip install safetensors"):
        convert_from(str(sound), str(tmp_path / "out"))
    with pytest.raises(UsageError, match="pip install safetensors"):
        convert_to("model.pt", str(tmp_path / "out"))


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (("missing.json", "{hf}/merges.txt"), "--gpt2-encoder-json missing.json does not exist"),
        (("{hf}/merges.txt", "{hf}/merges.txt"), "are not GPT-2's encoder.json and vocab.bpe"),
    ],
)
def test_wrong_files_of_bpe_gpt2(flags, says, sound):
    encoder, merges = (flag.format(hf=sound) for flag in flags)
    cfg = GPT2BPEConfig(_name="gpt2", gpt2_encoder_json=encoder, gpt2_vocab_bpe=merges)
    with pytest.raises(UsageError, match=says):
        GPT2BPE(cfg)


def test_bpe_gpt2_around_what_is_no_id(sound):
    bpe = GPT2BPE(
        GPT2BPEConfig(gpt2_encoder_json=f"{sound}/vocab.json", gpt2_vocab_bpe=f"{sound}/merges.txt")
    )
    ids = bpe.encode(TEXTS[1])
    assert bpe.decode(f"{ids} </s> {ids} <unk> 9999") == f"{TEXTS[1]}</s>{TEXTS[1]}<unk>"
    del bpe.bpe.encoder["%"]
    with pytest.raises(UsageError, match="has no token '%' to write the text '100%'"):
        bpe.encode("100%")
