"""The context vector, against padding and against plain torch."""

import dataclasses

import pytest
import torch
from small_models import SEQ2SEQ, build, initialised
from torch import nn

from fairseq_genext.errors import UsageError
from fairseq_genext.models.lstm_seq2seq_doc import LSTMSeq2SeqDocConfig

PAD = 1
CELLS = {"lstm": nn.LSTMCell, "gru": nn.GRUCell, "rnn": nn.RNNCell}


@pytest.mark.parametrize("name", SEQ2SEQ)
@pytest.mark.parametrize("left_pad", [True, False])
def test_context_is_the_same_alone_and_padded(name, left_pad, dictionary):
    encoder = build(SEQ2SEQ[name], dictionary).encoder
    sentences = [[5, 6, 7, 2], [8, 2], [9, 10, 11, 12, 13, 14, 2]]
    longest = 9
    batch = torch.full((3, longest), PAD)
    for row, sentence in enumerate(sentences):
        columns = slice(longest - len(sentence), None) if left_pad else slice(0, len(sentence))
        batch[row, columns] = torch.tensor(sentence)
    lengths = torch.tensor([len(sentence) for sentence in sentences])
    together = encoder(batch, lengths)
    for row, sentence in enumerate(sentences):
        alone = encoder(torch.tensor([sentence]), lengths[row : row + 1])
        torch.testing.assert_close(together["context"][row], alone["context"][0])
        for joint, single in zip(together["state"], alone["state"], strict=True):
            torch.testing.assert_close(joint[:, row], single[:, 0])


@pytest.mark.parametrize("cell", CELLS)
def test_equals_plain_torch_cells_with_the_same_weights(cell, dictionary):
    """One layer, bidirectional encoder, written out step by step."""
    model = build(SEQ2SEQ[f"seq2seq-{cell}"], dictionary)
    encoder, decoder = model.encoder, model.decoder
    source, prev = torch.tensor([[5, 6, 7, 2]]), torch.tensor([[2, 9, 8, 7]])

    def make(rnn, suffix=""):
        step = CELLS[cell](rnn.input_size, rnn.hidden_size)
        names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        step.load_state_dict({name: getattr(rnn, f"{name}_l0{suffix}") for name in names})
        return step

    def run(step, inputs, state=None):
        outputs = []
        for x in inputs:
            state = step(x, state)
            outputs.append(state[0] if cell == "lstm" else state)
        return outputs, state

    embedded = encoder.embed_tokens(source).transpose(0, 1) * 12**0.5
    _, forward = run(make(encoder.rnn.layers), embedded)
    _, backward = run(make(encoder.rnn.layers, "_reverse"), embedded.flip(0))
    if cell == "lstm":
        state = tuple(torch.cat(pair, dim=-1) for pair in zip(forward, backward, strict=True))
        context = state[0]
    else:
        state = context = torch.cat([forward, backward], dim=-1)
    previous = decoder.embed_tokens(prev).transpose(0, 1) * 11**0.5
    inputs = [torch.cat([x, context], -1) for x in previous]
    outputs, _ = run(make(decoder.rnn.layers), inputs, state)
    expected = decoder.output_projection(torch.stack(outputs, dim=1))

    actual, _ = model(source, torch.tensor([4]), prev)
    torch.testing.assert_close(actual, expected, rtol=1e-4, atol=1e-5)


def test_context_is_read_at_every_step_and_starts_the_state(dictionary):
    model = build(SEQ2SEQ["seq2seq-lstm"], dictionary)
    out = model.encoder(torch.tensor([[5, 6, 2]]), torch.tensor([3]))
    prev = torch.tensor([[2, 7, 8]])
    logits, _ = model.decoder(prev, out)
    for part in ("context", "state"):
        changed = dict(out)
        zero = torch.zeros_like(out["context"])
        changed[part] = zero if part == "context" else (zero[None], out["state"][1])
        differs, _ = model.decoder(prev, changed)
        assert (differs - logits).abs().amax(dim=-1).min() > 1e-4


@pytest.mark.parametrize("left_pad", [True, False])
def test_reversed_reading_is_reading_the_reversed(left_pad, dictionary):
    config = SEQ2SEQ["seq2seq-gru-bridged"]
    plain = build(config, dictionary).encoder
    backwards = build(dataclasses.replace(config, reverse_source=True), dictionary).encoder
    sentence, lengths = [5, 6, 7, 2], torch.tensor([4])
    padding = [PAD, PAD]
    given = torch.tensor([padding + sentence if left_pad else sentence + padding])
    expected = plain(torch.tensor([sentence[::-1]]), lengths)
    torch.testing.assert_close(backwards(given, lengths)["context"], expected["context"])
    assert not torch.allclose(plain(given, lengths)["context"], expected["context"])


def test_equal_shapes_need_no_bridge(dictionary):
    assert not list(build(SEQ2SEQ["seq2seq-lstm"], dictionary).encoder.bridge.parameters())
    bridged = build(SEQ2SEQ["seq2seq-lstm-bridged"], dictionary).encoder.bridge
    assert len(list(bridged.parameters())) == 4


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        ({"rnn_cell": "elman"}, "--rnn-cell 'elman' does not exist; choose one of lstm, gru, rnn"),
        ({"encoder_hidden_dim": 0}, "--encoder-hidden-dim is 0"),
        ({"share_decoder_input_output_embed": True}, "--decoder-hidden-dim 512 does not fit"),
        (
            {"share_all_embeddings": True, "decoder_hidden_dim": 256, "encoder_embed_dim": 8},
            "equal to",
        ),
    ],
)
def test_wrong_flags(flags, says, dictionary):
    with pytest.raises(UsageError, match=says):
        initialised(LSTMSeq2SeqDocConfig(_name="lstm_seq2seq_doc", **flags), dictionary)
