"""What DBAM must hold besides what every decoder must."""

import dataclasses
from argparse import Namespace
from types import SimpleNamespace

import pytest
import torch
from fairseq.criterions.cross_entropy import CrossEntropyCriterion
from fairseq.models import ARCH_CONFIG_REGISTRY, ARCH_MODEL_REGISTRY
from small_models import DBAM, LANGUAGE_MODELS, build, initialised

from fairseq_genext.criterions.dbam import DBAMCriterion
from fairseq_genext.errors import UsageError
from fairseq_genext.models.dbam import DBAMConfig

PAD, EOS = 1, 2
SENTENCES = [[5, 6, 7, 8, EOS], [9, 10, EOS], [EOS], [11, 12, 13, 14, 15, 16, EOS], [17, EOS]]
PREV = torch.tensor([[EOS, 20 + row, 21, 22, 23 + row] for row in range(5)])
LENGTHS = torch.tensor([len(sentence) for sentence in SENTENCES])


def padded(left: bool, length: int = 9) -> torch.Tensor:
    batch = torch.full((len(SENTENCES), length), PAD)
    for row, sentence in enumerate(SENTENCES):
        columns = slice(length - len(sentence), None) if left else slice(0, len(sentence))
        batch[row, columns] = torch.tensor(sentence)
    return batch


def columns_of(row: int, left: bool, length: int = 9) -> slice:
    start = length - len(SENTENCES[row]) if left else 0
    return slice(start, start + len(SENTENCES[row]))


@pytest.fixture(params=DBAM)
def model(request, dictionary):
    return build(DBAM[request.param], dictionary)


def task_of(dictionary):
    return SimpleNamespace(target_dictionary=dictionary)


def batch(left: bool) -> dict:
    inputs = {"src_tokens": padded(left), "src_lengths": LENGTHS, "prev_output_tokens": PREV}
    target = torch.cat([PREV[:, 1:], torch.full((5, 1), EOS)], dim=1)
    return {"net_input": inputs, "target": target, "ntokens": target.numel()}


@pytest.mark.parametrize("left", [True, False])
def test_a_sentence_alone_and_padded_in_a_batch(model, left):
    together, extra = model(padded(left), LENGTHS, PREV)
    assert torch.isfinite(together).all()
    for row, sentence in enumerate(SENTENCES):
        alone, alone_extra = model(
            torch.tensor([sentence]), LENGTHS[row : row + 1], PREV[row : row + 1]
        )
        torch.testing.assert_close(together[row], alone[0], rtol=1e-4, atol=1e-5)
        attention = extra["attn"][row]
        inside = columns_of(row, left)
        torch.testing.assert_close(attention[:, inside], alone_extra["attn"][0])
        torch.testing.assert_close(attention.sum(), attention[:, inside].sum())


@pytest.mark.parametrize("left", [True, False])
def test_attention_stays_in_its_half(dictionary, left):
    model = build(DBAM["dbam-rnn"], dictionary)
    _, extra = model(padded(left), LENGTHS, PREV)
    assert len(extra["attentions"]) == 2
    for layer in extra["attentions"]:
        for row, sentence in enumerate(SENTENCES):
            inside = columns_of(row, left)
            middle = inside.start + (len(sentence) + 1) // 2
            halves = (slice(inside.start, middle), slice(middle, inside.stop))
            for weights, half in zip(layer, halves, strict=True):
                outside = weights[row].clone()
                outside[:, half] = 0
                assert (outside == 0).all()
                mass = weights[row].sum(dim=1)
                assert ((mass > 0) == (half.stop > half.start)).all()
            both = sum(weights[row].sum(dim=1) for weights in layer)
            torch.testing.assert_close(both, torch.ones_like(both))


def test_later_source_tokens_do_not_change_the_arlm(model):
    source = torch.tensor([[5, 6, 7, 8, 9, EOS]])
    changed = source.clone()
    changed[0, 3] = 20
    before, after = (model.encoder(tokens, torch.tensor([6])) for tokens in (source, changed))
    assert torch.equal(before["states"][:, :3], after["states"][:, :3])
    assert not torch.allclose(before["states"][:, 3], after["states"][:, 3])
    assert torch.equal(before["predicting"][:, :4], after["predicting"][:, :4])
    assert not torch.allclose(before["predicting"][:, 4], after["predicting"][:, 4])


def test_words_are_added_to_the_arlms_states_but_the_end_is_not(model):
    source = torch.tensor([[5, 6, 7, EOS]])
    encoder = model.encoder
    text = torch.tensor([[EOS, 5, 6, 7, EOS]])
    read, _ = encoder.arlm(text, features_only=True)
    words = encoder.embed_scale * encoder.arlm.embed_tokens(source)
    words[:, -1] = 0
    expected = encoder.layer_norm(read[:, 1:] + words)
    torch.testing.assert_close(encoder(source, torch.tensor([4]))["states"], expected)


def test_later_target_tokens_do_not_change_the_modulation(model):
    changed = PREV.clone()
    changed[:, 3] = 25
    (_, before), (_, after) = (
        model(padded(True), LENGTHS, prev, with_draft=True) for prev in (PREV, changed)
    )
    assert torch.equal(before["draft"][:, :3], after["draft"][:, :3])
    for pair, changed_pair in zip(before["modulations"], after["modulations"], strict=True):
        for part, changed_part in zip(pair, changed_pair, strict=True):
            assert torch.equal(part[:, :3], changed_part[:, :3])
            assert not torch.allclose(part[:, 3:], changed_part[:, 3:])


def test_training_starts_from_the_plain_draft(dictionary):
    model = initialised(DBAM["dbam-rnn"], dictionary)
    logits, extra = model(padded(True), LENGTHS, PREV, with_draft=True)
    assert torch.equal(logits, extra["draft"])
    with torch.no_grad():
        model.decoder.modulation[1].film.bias.fill_(0.1)
    logits, extra = model(padded(True), LENGTHS, PREV, with_draft=True)
    assert not torch.allclose(logits, extra["draft"])


@pytest.mark.parametrize(
    ("flag", "removed"),
    [
        ({"modulation_decoders": 1}, lambda name: name.startswith("decoder.modulation.1.")),
        ({"modulation_decoders": 0}, lambda name: name.startswith("decoder.modulation.")),
        ({"single_attention": True}, lambda name: False),
        ({"no_timing_signal": True}, lambda name: name == "decoder.timing_gain"),
    ],
)
def test_an_ablation_removes_exactly_its_parameters(flag, removed, dictionary):
    config = DBAM["dbam-rnn"]
    full = dict(build(config, dictionary).named_parameters())
    ablated = dict(build(dataclasses.replace(config, **flag), dictionary).named_parameters())
    assert ablated.keys() == {name for name in full if not removed(name)}
    for name, param in ablated.items():
        expected = list(full[name].shape)
        if "single_attention" in flag and name.endswith("join.weight"):
            expected[1] -= config.decoder_embed_dim  # no second context to join
        assert list(param.shape) == expected


@pytest.mark.parametrize("flag", [{"single_attention": True}, {"no_timing_signal": True}])
def test_an_ablation_changes_the_output(flag, dictionary):
    config = DBAM["dbam-rnn"]
    full, _ = build(config, dictionary)(padded(True), LENGTHS, PREV)
    ablated, _ = build(dataclasses.replace(config, **flag), dictionary)(padded(True), LENGTHS, PREV)
    assert not torch.allclose(full, ablated, atol=1e-4)


def test_one_attention_spans_the_whole_source(dictionary):
    model = build(dataclasses.replace(DBAM["dbam-rnn"], single_attention=True), dictionary)
    _, extra = model(padded(True), LENGTHS, PREV)
    for (weights,) in extra["attentions"]:
        assert (weights[padded(True).unsqueeze(1).expand_as(weights) != PAD] > 0).all()


def test_gradients_reach_every_parameter(model, dictionary):
    model.train()
    criterion = DBAMCriterion(task_of(dictionary), arlm_loss_weight=1.0, draft_loss_weight=1.0)
    loss, _, _ = criterion(model, batch(left=True))
    loss.backward()
    for name, param in model.named_parameters():
        assert param.grad is not None and param.grad.abs().sum() > 0, name


@pytest.mark.parametrize(("name", "lm"), [("dbam-rnn", "gan-gru"), ("dbam-gpt", "gpt_doc")])
def test_arlm_loss_is_a_plain_language_models(name, lm, dictionary):
    """Of the same weights in a language model of fairseq, by fairseq's cross entropy."""
    model = build(DBAM[name], dictionary)
    criterion = DBAMCriterion(task_of(dictionary), arlm_loss_weight=1.0)
    _, _, logs = criterion(model, batch(left=True))

    language_model = build(LANGUAGE_MODELS[lm], dictionary)
    language_model.decoder = model.encoder.arlm
    source = padded(left=False)
    start = torch.full((5, 1), EOS)
    sample = {
        "net_input": {"src_tokens": torch.cat([start, source[:, :-1]], dim=1)},
        "target": source,
        "ntokens": int(LENGTHS.sum()),
    }
    plain = CrossEntropyCriterion(task_of(dictionary), sentence_avg=False)
    loss, _, _ = plain(language_model, sample)
    assert logs["arlm_loss"].item() == pytest.approx(loss.item(), rel=1e-5)
    assert logs["source_tokens"] == LENGTHS.sum()


def test_keys_are_projected_once_a_sentence(dictionary):
    model = build(DBAM["dbam-rnn"], dictionary)
    calls = []
    for layer in model.decoder.layers:
        layer.attention.key_proj.register_forward_hook(lambda *_: calls.append(1))
    encoder_out, state = model.encoder(padded(True), LENGTHS), {}
    for end in range(1, 5):
        model.decoder(PREV[:, :end], encoder_out=encoder_out, incremental_state=state)
    assert len(calls) == 2


def test_weights_are_not_averaged_in_training(model):
    attentions = model.train()(padded(True), LENGTHS, PREV)[1]["attentions"]
    assert not any(attentions)


def test_what_is_switched_off_refuses_nothing(dictionary):
    """Only --arlm gpt has heads in the encoder, only the timing signal wants even widths."""
    flags = {"encoder_embed_dim": 25, "decoder_embed_dim": 35, "decoder_attention_heads": 5}
    initialised(DBAMConfig(_name="dbam", no_timing_signal=True, **flags), dictionary)


def test_preset_is_about_as_large_as_fairseqs_transformer(dictionary):
    """Apart from the embeddings, whose size is the dictionary's."""
    task = SimpleNamespace(source_dictionary=dictionary, target_dictionary=dictionary)
    sizes = []
    for name in ("dbam_iwslt_de_en", "transformer_iwslt_de_en"):
        args = Namespace(share_all_embeddings=True)
        ARCH_CONFIG_REGISTRY[name](args)
        if name.startswith("dbam"):
            args = DBAMConfig(**vars(args))
        model = ARCH_MODEL_REGISTRY[name].build_model(args, task)
        sizes.append(sum(param.numel() for param in model.parameters()))
    assert sizes[0] == pytest.approx(sizes[1], rel=0.1) and sizes[1] > 30e6


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        ({"arlm": "cnn"}, "--arlm 'cnn' does not exist; choose one of rnn, gpt"),
        ({"rnn_cell": "elman"}, "--rnn-cell 'elman' does not exist"),
        ({"modulation_decoders": 3}, "--modulation-decoders 3 does not exist; choose one of 0, 1"),
        ({"decoder_attention_heads": 5}, "--decoder-embed-dim 256 cannot be divided among"),
        ({"arlm": "gpt", "encoder_attention_heads": 3}, "--encoder-embed-dim 256 cannot be"),
        ({"dropout": 1.0}, "--dropout is 1.0; it must be at least 0 and less than 1"),
        ({"decoder_layers": 0}, "--decoder-layers is 0; it must be greater than 0"),
        ({"decoder_embed_dim": 7, "decoder_attention_heads": 1}, "must be even"),
        ({"share_all_embeddings": True, "encoder_embed_dim": 8}, "equal to --decoder-embed-dim"),
    ],
)
def test_wrong_flags(flags, says, dictionary):
    with pytest.raises(UsageError, match=says):
        initialised(DBAMConfig(_name="dbam", **flags), dictionary)
