"""Small configurations of every architecture, and how tests build them."""

import dataclasses
import json
from types import SimpleNamespace

import torch
from fairseq.models import MODEL_REGISTRY

from fairseq_genext.gan.discriminators import DISCRIMINATORS
from fairseq_genext.gan.generators import GENERATORS
from fairseq_genext.models.conditional_gan import ConditionalGANConfig
from fairseq_genext.models.dbam import DBAMConfig
from fairseq_genext.models.gan import GANConfig
from fairseq_genext.models.gpt_doc import GPTDocConfig
from fairseq_genext.models.lstm_seq2seq_doc import LSTMSeq2SeqDocConfig
from fairseq_genext.models.rnn_lm import RNNLMConfig

LANGUAGE_MODELS = {
    "gpt_doc": GPTDocConfig(
        _name="gpt_doc",
        decoder_layers=2,
        decoder_embed_dim=24,
        decoder_attention_heads=3,
        max_target_positions=16,
    ),
    "gpt_doc-modern": GPTDocConfig(
        _name="gpt_doc",
        decoder_layers=2,
        decoder_embed_dim=24,
        decoder_attention_heads=4,
        decoder_kv_heads=2,
        max_target_positions=16,
        positions="rotary",
        normalization="rms",
        qk_norm=True,
        activation_fn="swiglu",
        no_biases=True,
        untie_embeddings=True,
    ),
    **{
        f"rnn_lm-{cell}": RNNLMConfig(
            _name="rnn_lm",
            rnn_cell=cell,
            decoder_embed_dim=12,
            decoder_hidden_dim=10,
            decoder_layers=1 if cell == "relational" else 2,
            memory_slots=2,
            dropout=0.0,
        )
        for cell in ("lstm", "gru", "rnn", "relational")
    },
    **{
        f"gan-{cell}": GANConfig(
            _name="gan",
            rnn_cell=cell,
            noise_dim=5,
            generator_embed_dim=12,
            generator_hidden_dim=10,
            generator_layers=2,
            generator_dropout=0.0,
            discriminator_dropout=0.0,
            discriminator_widths=[1, 2],
            discriminator_filters=[4, 4],
        )
        for cell in ("lstm", "gru", "rnn")
    },
    **{
        f"gan-{generator}-{noise_input}": GANConfig(
            _name="gan",
            generator=generator,
            noise_input=noise_input,
            noise_dim=5,
            generator_embed_dim=12,
            generator_hidden_dim=10,
            generator_layers=1 if generator == "relational" else 2,
            generator_memory_slots=2,
            generator_dropout=0.0,
            max_target_positions=16,
        )
        for generator in GENERATORS
        for noise_input in GENERATORS[generator].noise_inputs
        if (generator, noise_input) != ("rnn", "state")  # the three above
    },
}
GANS_BY_PLAYERS = {
    (generator, discriminator): GANConfig(
        _name="gan",
        generator=generator,
        noise_input="none",
        generator_embed_dim=12,
        generator_hidden_dim=12,
        max_target_positions=16,
        discriminator=discriminator,
        discriminator_embed_dim=8,
        discriminator_hidden_dim=8,
        discriminator_heads=2,
        discriminator_representations=4,
        discriminator_widths=[1, 2],
        discriminator_filters=[4, 4],
    )
    for generator in GENERATORS
    for discriminator in DISCRIMINATORS
}
SEQ2SEQ = {
    f"seq2seq-{cell}{name}": LSTMSeq2SeqDocConfig(
        _name="lstm_seq2seq_doc",
        rnn_cell=cell,
        **{"encoder_embed_dim": 12, "encoder_hidden_dim": 7, "decoder_embed_dim": 11, **shape},
    )
    for cell in ("lstm", "gru", "rnn")
    for name, shape in {
        "": {"decoder_hidden_dim": 14},
        "-deep": {
            "encoder_embed_dim": 11,
            "decoder_hidden_dim": 9,
            "deep_output": True,
            "share_all_embeddings": True,
        },
        "-bridged": {"decoder_hidden_dim": 9, "decoder_layers": 2, "encoder_unidirectional": True},
    }.items()
}
DBAM = {
    f"dbam-{name}": DBAMConfig(
        _name="dbam",
        encoder_embed_dim=12,
        encoder_attention_heads=3,
        decoder_embed_dim=8,
        decoder_attention_heads=2,
        modulation_dim=5,
        dropout=0.0,
        **flags,
    )
    for name, flags in {
        "rnn": {},
        "lstm": {"rnn_cell": "lstm"},
        "gpt": {"arlm": "gpt", "max_source_positions": 16},
        "plain": {"single_attention": True, "no_timing_signal": True, "modulation_decoders": 0},
    }.items()
}

CONDITIONAL_GANS = {
    f"{name}-{discriminator}": ConditionalGANConfig(
        _name="conditional_gan",
        generator_config=json.dumps(dataclasses.asdict(generator)),
        max_source_positions=16,
        max_target_positions=16,
        discriminator=discriminator,
        discriminator_embed_dim=8,
        discriminator_hidden_dim=8,
        discriminator_heads=2,
        discriminator_representations=4,
        discriminator_widths=[1, 2],
        discriminator_filters=[4, 4],
        discriminator_dropout=0.0,
    )
    for name, generator in (("lstm", SEQ2SEQ["seq2seq-lstm"]), ("dbam", DBAM["dbam-rnn"]))
    for discriminator in DISCRIMINATORS
}


def initialised(config, dictionary, target_dictionary=None):
    """The model of ``config`` as its architecture initialises it, in eval mode."""
    torch.manual_seed(3)
    task = SimpleNamespace(
        source_dictionary=dictionary, target_dictionary=target_dictionary or dictionary
    )
    return MODEL_REGISTRY[config._name].build_model(config, task).eval()


def build(config, dictionary, target_dictionary=None):
    """The model of ``config``, with weights large enough that errors show."""
    model = initialised(config, dictionary, target_dictionary)
    with torch.no_grad():
        for param in model.parameters():
            param.normal_(std=0.3)
    return model
