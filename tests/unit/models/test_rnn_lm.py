"""The recurrent language model against the GAN's generator, its size, and its flags."""

import pytest
import torch
from command_line import built
from small_models import LANGUAGE_MODELS, initialised

from fairseq_genext.errors import UsageError
from fairseq_genext.models.gan import GANConfig
from fairseq_genext.models.rnn_lm import RNNLMConfig

CELLS = ("lstm", "gru", "rnn", "relational")
TOKENS = torch.tensor([[2, 5, 6, 7], [2, 9, 8, 7]])


def gan_without_noise(cell: str, **flags) -> GANConfig:
    """A GAN whose generator is the small `rnn_lm` of ``cell``."""
    relational = cell == "relational"
    kind = {"generator": cell, "generator_memory_slots": 2} if relational else {"rnn_cell": cell}
    sizes = {
        "generator_embed_dim": 12,
        "generator_hidden_dim": 10,
        "generator_layers": 1 if relational else 2,
    }
    return GANConfig(
        _name="gan", noise_input="none", generator_dropout=0.0, **kind, **{**sizes, **flags}
    )


@pytest.mark.parametrize("cell", CELLS)
def test_starts_with_the_weights_of_the_gans_generator(cell, dictionary):
    """Name by name and number by number, from the same seed."""
    own = initialised(LANGUAGE_MODELS[f"rnn_lm-{cell}"], dictionary).decoder.state_dict()
    gan = initialised(gan_without_noise(cell), dictionary).decoder.state_dict()
    assert own.keys() == gan.keys()
    assert all(torch.equal(own[name], gan[name]) for name in own)


@pytest.mark.parametrize(
    ("rnn_lm", "gan"),
    [
        (("--arch", "rnn_lm_tiny"), ("--arch", "gan_doc_tiny", "--noise-input", "none")),
        (("--arch", "rnn_lm_seqgan"), ("--arch", "gan_seqgan")),
        (("--arch", "rnn_lm_relgan"), ("--arch", "gan_relgan")),
        (
            ("--arch", "rnn_lm", "--rnn-cell", "gru", "--tie-embeddings", "--decoder-layers", 2),
            ("--arch", "gan_doc", "--noise-input", "none", "--rnn-cell", "gru",
             "--generator-tie-embeddings", "--generator-layers", 2),
        ),
    ],
)  # fmt: skip
def test_presets_have_the_shapes_of_the_gans_generators(rnn_lm, gan, corpus):
    own = built(corpus / "lm", "--task", "unconditional_generation", *rnn_lm).decoder
    small = ("--discriminator", "cnn", "--discriminator-widths", 1, "--discriminator-filters", 1)
    players = ("--criterion", "adversarial", *gan, *small)
    other = built(corpus / "lm", "--task", "gan", *players).decoder
    assert str(own.rnn) == str(other.rnn)
    shapes = [
        {name: tensor.shape for name, tensor in decoder.state_dict().items()}
        for decoder in (own, other)
    ]
    assert shapes[0] == shapes[1]
    assert own.dropout.p == other.dropout.p


def test_parameters_of_an_lstm(dictionary):
    """34 words: embeddings, 4 gates with two biases a layer, output layer with bias."""
    model = initialised(LANGUAGE_MODELS["rnn_lm-lstm"], dictionary)
    gates = 4 * (10 * (12 + 10) + 2 * 10) + 4 * (10 * (10 + 10) + 2 * 10)
    assert sum(param.numel() for param in model.parameters()) == 34 * 12 + gates + 34 * 10 + 34


def test_tied_embeddings_are_one_table_without_bias(dictionary):
    flags = {
        "decoder_embed_dim": 10,
        "decoder_hidden_dim": 5,
        "share_decoder_input_output_embed": 1,
    }
    config = RNNLMConfig(_name="rnn_lm", rnn_cell="relational", decoder_attention_heads=1,
                         memory_slots=2, **flags)  # fmt: skip
    decoder = initialised(config, dictionary).decoder
    assert decoder.output_projection.weight is decoder.embed_tokens.weight
    assert decoder.output_projection.bias is None
    assert decoder(TOKENS)[0].shape == (2, 4, 34)


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        ({"rnn_cell": "elman"}, "--rnn-cell 'elman' does not exist; choose one of lstm, gru, rnn, "
         "relational"),
        ({"decoder_layers": 0}, "--decoder-layers is 0"),
        ({"dropout": 1.0}, "--dropout is 1.0; it must be at least 0 and less than 1"),
        ({"rnn_cell": "relational", "decoder_layers": 2}, "--decoder-layers is 2; --rnn-cell "
         "relational has 1"),
        ({"rnn_cell": "relational", "decoder_attention_heads": 3}, "256 cannot be divided among "
         "--decoder-attention-heads 3"),
        ({"rnn_cell": "relational", "memory_slots": 0}, "--memory-slots is 0"),
        ({"share_decoder_input_output_embed": True, "decoder_hidden_dim": 24},
         "an output 24 wide .* does not fit tied embeddings of --decoder-embed-dim 256"),
        ({"rnn_cell": "relational", "memory_slots": 2, "share_decoder_input_output_embed": True},
         "an output 512 wide"),
    ],
)  # fmt: skip
def test_flags_that_do_not_fit_end_with_one_line(flags, says, dictionary):
    with pytest.raises(UsageError, match=says):
        initialised(RNNLMConfig(_name="rnn_lm", **flags), dictionary)
