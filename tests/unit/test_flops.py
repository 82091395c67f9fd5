"""Counted operations against numbers worked out by hand, and that nothing but shapes matters.

B sentences of L tokens, V words, E and H the widths of embedding and state; a product of (n, k) and
(k, m) is 2nkm operations.
"""

import json
import re

import numpy as np
import pytest
import torch
from command_line import parsed
from commands import USER_DIR
from conftest import SIZES
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

from fairseq_genext.errors import UsageError
from fairseq_genext.flops import FORMULAS, main, update_flops

B, L = 8, 7
E, H = 16, 24
LM = ("--task", "unconditional_generation", "--criterion", "cross_entropy", "--batch-size", B)
GAN = ("--task", "gan", "--criterion", "adversarial", "--batch-size", B, "--arch", "gan_doc_tiny",
       "--generator-hidden-dim", H)  # fmt: skip
NOISE = 8  # of gan_doc_tiny


@pytest.fixture(scope="module")
def vocabulary(corpus):
    """V, once the text is seen to be as long as the numbers here say."""
    lines = (corpus / "train.en").read_text().splitlines()
    mean = sum(len(line.split()) + 1 for line in lines) / SIZES["train"]
    assert round(mean) == L and mean != L
    return 4 + len((corpus / "lm" / "dict.txt").read_text().splitlines())


def counted(folder, *argv):
    return update_flops(parsed(folder, *argv))


def layer(gates, inputs=E, hidden=H, tokens=B * L):
    """A recurrent layer's forward pass."""
    return tokens * 2 * gates * hidden * (inputs + hidden)


def no_gradient_of_the_start(gates, hidden=H, sentences=B):
    """What the backward pass leaves out at the first step, whose state is a constant."""
    return sentences * 2 * gates * hidden * hidden


@pytest.mark.parametrize(("cell", "gates"), [("lstm", 4), ("gru", 3), ("rnn", 1)])
def test_recurrent_language_model(cell, gates, corpus, vocabulary):
    sizes = ("--decoder-embed-dim", E, "--decoder-hidden-dim", H, "--decoder-layers", 2)
    found = counted(corpus / "lm", *LM, "--arch", "rnn_lm", "--rnn-cell", cell, *sizes)
    recurrent = layer(gates) + layer(gates, inputs=H)
    output = B * L * 2 * H * vocabulary
    expected = 3 * (recurrent + output) - 2 * no_gradient_of_the_start(gates)
    assert found == {"likelihood": expected, "batch": {"sentences": B, "tokens": B * L}}


def test_relational_language_model(corpus, vocabulary):
    slots, width = 2, 24
    sizes = ("--decoder-embed-dim", E, "--decoder-hidden-dim", width, "--memory-slots", slots)
    found = counted(corpus / "lm", *LM, "--arch", "rnn_lm", "--rnn-cell", "relational", *sizes)
    of_input = 2 * B * L * (E * width + width * 3 * width + width * 2 * width)
    square = 2 * B * L * slots * width * width
    qkv, mlp, gates = 3 * square, 2 * square, 2 * square
    attention = 4 * B * L * slots * (slots + 1) * width
    output = 2 * B * L * slots * width * vocabulary
    of_the_start = (qkv + gates) // L
    expected = 3 * (of_input + qkv + mlp + gates + attention + output) - of_the_start
    assert found["likelihood"] == expected


def test_gpt(corpus, vocabulary):
    width, inner, layers = 32, 48, 2
    sizes = ("--decoder-embed-dim", width, "--decoder-ffn-embed-dim", inner)
    found = counted(corpus / "lm", *LM, "--arch", "gpt_doc_tiny", *sizes)
    block = 2 * B * L * (width * 3 * width + width * width + 2 * width * inner)
    attention = 4 * B * L * L * width
    output = 2 * B * L * width * vocabulary
    assert found["likelihood"] == 3 * (layers * (block + attention) + output)


def test_translation_model(corpus):
    """An encoder in two directions, a bridge for each of two states, a decoder with context."""
    encoder, decoder = 5, 24
    found = counted(
        corpus / "mt", "--task", "translation", "--criterion", "sequence_mean_cross_entropy",
        "--arch", "lstm_seq2seq_doc", "--encoder-embed-dim", E, "--encoder-hidden-dim", encoder,
        "--decoder-embed-dim", E, "--decoder-hidden-dim", decoder, "--batch-size", B,
    )  # fmt: skip
    words = 4 + len((corpus / "mt" / "dict.up.txt").read_text().splitlines())
    read = layer(4, hidden=encoder) * 2
    bridges = 2 * 2 * B * 2 * encoder * decoder
    written = layer(4, inputs=E + 2 * encoder, hidden=decoder) + 2 * B * L * decoder * words
    of_the_start = 2 * no_gradient_of_the_start(4, hidden=encoder)
    assert found["likelihood"] == 3 * (read + bridges + written) - of_the_start
    assert found["batch"]["tokens"] == B * L


def sampling(vocabulary, rows=B * L):
    """A generator's forward pass."""
    return layer(4, tokens=rows) + 2 * rows * H * vocabulary


def test_discriminators_turn_with_its_samples(corpus, vocabulary):
    hidden, width = 12, 8
    flags = ("--discriminator", "rnn", "--discriminator-hidden-dim", hidden, "--noise-input",
             "none", "--gradient-estimator", "reinforce")  # fmt: skip
    found = counted(corpus / "lm", *GAN, *flags)
    reading = layer(4, inputs=width, hidden=hidden, tokens=2 * B * L) + 2 * 2 * B * L * hidden
    learning = 3 * reading - no_gradient_of_the_start(4, hidden=hidden, sentences=2 * B)
    assert found["discriminator"] == sampling(vocabulary) + learning
    likelihood = 3 * sampling(vocabulary) - no_gradient_of_the_start(4)
    assert found["likelihood"] == likelihood
    # Samples, one reading of them without a gradient, and the gradient of their likelihood.
    assert found["generator"] == sampling(vocabulary) + reading // 2 + likelihood


WIDTHS, FILTERS, WIDTH = (1, 2, 3), 4, 8  # of gan_doc_tiny's CNN
FEATURES = len(WIDTHS) * FILTERS
HEAD = 2 * (2 * FEATURES * FEATURES + FEATURES)  # of a sequence: highway layer, output


def test_generators_turn_through_a_cnn_by_gumbel(corpus, vocabulary):
    found = counted(corpus / "lm", *GAN, "--noise-dim", NOISE)
    feedback = 2 * B * L * vocabulary * E  # a weighted mean of embeddings is each next input
    unused = 2 * feedback // L  # the last has none, and so no gradient
    noise = 2 * B * NOISE * 2 * H
    embedding = 2 * B * L * vocabulary * WIDTH
    convolutions = sum(2 * B * L * WIDTH * width * FILTERS for width in WIDTHS)
    discriminator = embedding + convolutions + B * HEAD
    expected = (
        3 * (sampling(vocabulary) + feedback) - unused
        + 2 * noise  # which asks for no gradient itself
        + 2 * discriminator  # whose parameters have none
    )  # fmt: skip
    assert found["generator"] == expected


@pytest.mark.parametrize("rollouts", [1, 3])
def test_rollouts(rollouts, corpus, vocabulary):
    flags = ("--noise-input", "none", "--gradient-estimator", "reinforce", "--rollouts", rollouts)
    found = counted(corpus / "lm", *GAN, *flags)
    # Completions of the first token are there after the second step, one step later in the cell.
    rows = B * L + sum(B * rollouts * (step - 1) for step in range(2, L))
    sequences = B * (1 + rollouts * (L - 1))
    tables = 2 * sum(2 * (vocabulary + 1) * WIDTH * width * FILTERS for width in WIDTHS)
    sums = sum(sequences * L * width * FILTERS for width in WIDTHS)
    rewards = tables + sums + sequences * HEAD
    likelihood = 3 * sampling(vocabulary) - no_gradient_of_the_start(4)
    assert found["generator"] == sampling(vocabulary, rows) + rewards + likelihood


@pytest.mark.parametrize("flags", [
    ("--arch", "gan_doc_tiny", "--gradient-estimator", "reinforce", "--rollouts", 2),
    ("--arch", "gan_doc_tiny", "--generator", "relational", "--discriminator", "transformer",
     "--noise-input", "none", "--gradient-estimator", "mali"),
    ("--arch", "gan_gpt_tiny", "--gan-loss", "wgan-gp", "--discriminator", "multi_representation",
     "--discriminator-representations", 4),
    ("--arch", "gan_gpt_tiny", "--discriminator", "gpt", "--discriminator-embed-dim", 16),
])  # fmt: skip
def test_weights_and_random_numbers_do_not_matter(flags, corpus):
    """Nor does a checkpoint, which need not be there."""
    starts = ("--generator-checkpoint", "not/there.pt", "--discriminator-checkpoint", "nor.pt")
    gan = ("--task", "gan", "--criterion", "adversarial", "--batch-size", B, *flags, *starts)
    found = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        found.append(counted(corpus / "lm", *gan))
    assert found[0] == found[1] and min(found[0][kind] for kind in ("likelihood", "generator")) > 0


class Called(TorchDispatchMode):
    """Names of the operators that run within."""

    def __init__(self):
        super().__init__()
        self.operators = set()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.operators.add(func._overloadpacket)
        return func(*args, **(kwargs or {}))


HEAVY = re.compile("mm|conv|lstm|gru|rnn|attention|encoder_layer|linear$|bag|einsum|dot|mv")
SEQ2SEQ = ("--task", "translation", "--batch-size", B, "--criterion")


@pytest.mark.parametrize(
    ("data", "flags"),
    [
        ("lm", (*LM, "--arch", "rnn_lm_tiny")),
        ("lm", (*LM, "--arch", "gpt_doc_tiny")),
        ("lm", (*GAN, "--discriminator", "transformer", "--gradient-estimator", "reinforce")),
        ("lm", (*GAN, "--gradient-estimator", "reinforce", "--rollouts", 2)),
        ("lm", (*GAN, "--discriminator", "rnn", "--gan-loss", "wgan-gp")),
        ("mt", (*SEQ2SEQ, "sequence_mean_cross_entropy", "--arch", "lstm_seq2seq_doc_tiny")),
        ("mt", (*SEQ2SEQ, "dbam", "--arch", "dbam_tiny")),
    ],
)
def test_no_product_is_hidden_in_a_fused_kernel(data, flags, corpus):
    with Called() as called:
        counted(corpus / data, *flags)
    heavy = {operator for operator in called.operators if HEAVY.search(str(operator))}
    known = FlopCounterMode(display=False, custom_mapping=FORMULAS).flop_registry
    assert heavy and heavy <= known.keys()


def test_samples_are_no_longer_than_the_run_allows(corpus, vocabulary):
    flags = ("--noise-input", "none", "--discriminator", "rnn", "--gradient-estimator", "reinforce")
    long, short = (
        counted(corpus / "lm", *GAN, *flags, "--max-sample-length", maximum) for maximum in (50, 4)
    )
    assert long["likelihood"] == short["likelihood"]
    cut = no_gradient_of_the_start(4)
    assert 4 * (long["generator"] + cut) == L * (short["generator"] + cut)


def test_conditional_gans_likelihood_is_its_translation_models(corpus):
    model = {"encoder_embed_dim": E, "encoder_hidden_dim": 5, "decoder_hidden_dim": 10}
    flags = [
        item for name, value in model.items() for item in (f"--{name.replace('_', '-')}", value)
    ]
    translation = counted(
        corpus / "mt", "--task", "translation", "--criterion", "cross_entropy", "--arch",
        "lstm_seq2seq_doc", *flags, "--batch-size", B,
    )  # fmt: skip
    found = counted(
        corpus / "mt", "--task", "conditional_gan", "--criterion", "adversarial", "--arch",
        "gan_seq2seq_tiny", "--batch-size", B, "--generator-config",
        json.dumps({"_name": "lstm_seq2seq_doc", **model}),
    )  # fmt: skip
    assert found["likelihood"] == translation["likelihood"]
    assert found["generator"] > found["likelihood"]  # which it also reads its own samples by
    assert found["generator"] > found["discriminator"] > 0


def test_images_are_no_sentences(tmp_path):
    np.savez(tmp_path / "train.npz", images=np.zeros((2, 28, 28), np.uint8))
    gan = ("--task", "gan_image", "--criterion", "adversarial_image", "--arch", "gan_image_doc")
    with pytest.raises(UsageError, match="operations are counted for sentences only"):
        counted(tmp_path, *gan, "--batch-size", B)


def test_the_command(corpus, capsys, monkeypatch, vocabulary):
    monkeypatch.chdir(corpus)
    accumulated = ("--max-tokens", str(3 * L), "--update-freq", "2")
    flags = ("--user-dir", USER_DIR, *map(str, LM[:-2]), "--arch", "rnn_lm_tiny", *accumulated)
    main(["lm", *flags, "--output", "counted/flops.json"])
    printed = json.loads(capsys.readouterr().out)
    assert printed == json.loads((corpus / "counted" / "flops.json").read_text())
    assert printed["batch"] == {"sentences": 6, "tokens": 6 * L}
    with pytest.raises(UsageError, match="give --batch-size or --max-tokens"):
        main(["lm", *flags[:-4]])


def test_sentences_of_fixed_length_have_no_end(corpus, vocabulary):
    """The oracle benchmark: as many words as --max-sample-length, whatever the text is."""
    flags = ("--arch", "rnn_lm_tiny", "--fixed-length", "--max-sample-length", 5)
    found = counted(corpus / "lm", *LM, *flags)
    assert found["batch"] == {"sentences": B, "tokens": 5 * B}
    cell, output = layer(4, hidden=16, tokens=5 * B), 2 * 5 * B * 16 * vocabulary
    expected = 3 * (cell + output) - no_gradient_of_the_start(4, hidden=16)
    assert found["likelihood"] == expected
