"""GPT against Hugging Face's GPT-2, its initialisation, and its flags."""

import math
import shutil

import pytest
import torch
from small_models import build, initialised

from fairseq_genext.errors import UsageError
from fairseq_genext.models.gpt_doc import GPTDocConfig
from fairseq_genext.modules.lora import merged
from fairseq_genext.modules.rotary import rotate, rotation
from fairseq_genext.weights.gpt2 import from_huggingface, to_huggingface

SMALL = {
    "_name": "gpt_doc",
    "decoder_layers": 3,
    "decoder_embed_dim": 24,
    "decoder_attention_heads": 4,
    "max_target_positions": 16,
}


def gpt(dictionary, **flags):
    return initialised(GPTDocConfig(**SMALL, **flags), dictionary)


@pytest.fixture
def gpt2(dictionary):
    transformers = pytest.importorskip("transformers")
    torch.manual_seed(5)
    config = transformers.GPT2Config(
        vocab_size=len(dictionary),
        n_positions=16,
        n_embd=24,
        n_layer=3,
        n_head=4,
        initializer_range=0.3,
    )
    return transformers.GPT2LMHeadModel(config).eval()


@pytest.mark.parametrize("permuted", [False, True])
def test_weights_from_huggingface_give_equal_logits(gpt2, dictionary, permuted):
    rows = torch.randperm(len(dictionary)) if permuted else torch.arange(len(dictionary))
    model = gpt(dictionary)
    model.load_state_dict(from_huggingface(gpt2.state_dict(), rows if permuted else None))
    tokens = torch.randint(4, len(dictionary), (2, 9))
    with torch.no_grad():
        ours, _ = model(tokens)
        theirs = gpt2(rows[tokens]).logits[..., rows]
    assert theirs.std() > 0.5
    torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-4)


def test_weights_to_huggingface_and_back(gpt2, dictionary):
    rows = torch.randperm(len(dictionary))
    original = gpt2.state_dict()
    returned = to_huggingface(from_huggingface(original, rows), rows)
    assert returned.keys() == original.keys()
    assert all(torch.equal(returned[name], original[name]) for name in original)


def test_initialisation(dictionary):
    torch.manual_seed(1)
    model = gpt(dictionary)
    attention = model.decoder.blocks[0].attention
    assert attention.qkv_proj.weight.std().item() == pytest.approx(0.02, rel=0.1)
    scaled = 0.02 / math.sqrt(2 * 3)
    assert attention.out_proj.weight.std().item() == pytest.approx(scaled, rel=0.15)
    assert model.decoder.blocks[1].mlp[2].weight.std().item() == pytest.approx(scaled, rel=0.1)
    assert model.decoder.output_projection.weight is model.decoder.embed_tokens.weight


def test_gpt2_small_has_its_published_size():
    """124,439,808 parameters with 50,257 words (Radford et al. 2019, as counted today)."""
    with torch.device("meta"):
        model = initialised(GPTDocConfig(_name="gpt_doc"), GPT2Words())
    assert sum(param.numel() for param in model.parameters()) == 124_439_808


class GPT2Words:
    """A dictionary of GPT-2's size, without its words."""

    def __len__(self):
        return 50257

    def pad(self):
        return 1


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        ({"decoder_kv_heads": 3}, "--decoder-attention-heads 4 cannot be divided among"),
        ({"positions": "alibi"}, "--positions 'alibi' does not exist; choose one of learned"),
        ({"normalization": "batch"}, "choose one of layer, rms"),
        ({"activation_fn": "tanh"}, "choose one of gelu, gelu_exact, relu2, swiglu"),
        ({"decoder_attention_heads": 8, "positions": "rotary"}, "a head has 3"),
        ({"lora_rank": -1}, "--lora-rank is -1; it must be 0 or greater"),
        ({"decoder_attention_heads": 5}, "24 cannot be divided among --decoder-attention-heads 5"),
        ({"decoder_layers": 0}, "--decoder-layers is 0"),
    ],
)
def test_wrong_flags(flags, says, dictionary):
    config = {"decoder_embed_dim": 24, "decoder_attention_heads": 4, **flags}
    with pytest.raises(UsageError, match=says):
        initialised(GPTDocConfig(_name="gpt_doc", **config), dictionary)


def test_more_tokens_than_positions(dictionary):
    with pytest.raises(ValueError, match="17 tokens are more than the model's 16 positions"):
        gpt(dictionary)(torch.full((2, 17), 5))


def test_checkpointed_activations_have_the_same_gradients(dictionary):
    """And every block computes twice."""
    tokens = torch.randint(4, len(dictionary), (3, 7), generator=torch.Generator().manual_seed(1))
    gradients, calls = [], []
    for checkpoint_activations in (False, True):
        config = GPTDocConfig(
            _name="gpt_doc", decoder_layers=2, decoder_embed_dim=24, decoder_attention_heads=3,
            max_target_positions=16, dropout=0.3, checkpoint_activations=checkpoint_activations,
        )  # fmt: skip
        model = initialised(config, dictionary).train()
        calls.append(0)

        def count(*_):
            calls[-1] += 1

        model.decoder.blocks[0].mlp.register_forward_pre_hook(count)
        torch.manual_seed(2)
        model(tokens)[0].logsumexp(-1).sum().backward()
        gradients.append([param.grad for param in model.parameters()])
    assert calls == [1, 2]
    for one, other in zip(*gradients, strict=True):
        assert torch.equal(one, other)


MODERN = {
    "positions": "rotary",
    "normalization": "rms",
    "qk_norm": True,
    "activation_fn": "swiglu",
    "no_biases": True,
    "untie_embeddings": True,
    "decoder_kv_heads": 2,
}


def test_rotary_products_depend_on_distances_only():
    torch.manual_seed(1)
    query, key = torch.randn(2, 1, 1, 1, 8)

    def product(at, other):
        return (
            rotate(query, rotation(torch.tensor([at]), 8))
            * rotate(key, rotation(torch.tensor([other]), 8))
        ).sum()

    torch.testing.assert_close(product(3, 1), product(903, 901), rtol=1e-4, atol=1e-4)
    assert abs(product(3, 1) - product(3, 2)) > 1e-2
    # Dimensions 0 and 4 are a pair, which position 1 turns by one radian.
    turned = rotate(torch.eye(8)[0].view(1, 1, 1, 8), rotation(torch.tensor([1]), 8)).flatten()
    expected = torch.zeros(8)
    expected[0], expected[4] = math.cos(1), math.sin(1)
    torch.testing.assert_close(turned, expected)


def test_rotary_text_may_start_anywhere(dictionary, monkeypatch):
    """The same words seven positions later have the same logits."""
    words = torch.randint(4, len(dictionary), (2, 5), generator=torch.Generator().manual_seed(1))
    model = gpt(dictionary, **MODERN)
    first, _ = model(words)
    name = "fairseq_genext.modules.gpt_decoder.rotation"
    monkeypatch.setattr(name, lambda positions, width: rotation(positions + 7, width))
    torch.testing.assert_close(first, model(words)[0], rtol=1e-4, atol=1e-5)


def test_swiglu_has_as_many_weights_as_gelu(dictionary):
    wide = {"_name": "gpt_doc", "decoder_embed_dim": 48, "decoder_attention_heads": 4}
    sizes = [
        sum(p.numel() for p in initialised(GPTDocConfig(**wide, **flags), dictionary).parameters())
        for flags in ({"no_biases": True}, {"no_biases": True, "activation_fn": "swiglu"})
    ]
    assert sizes[0] == sizes[1]


def test_relu_squared(dictionary):
    mlp = gpt(dictionary, activation_fn="relu2").decoder.blocks[0].mlp
    x = torch.randn(3, 24)
    torch.testing.assert_close(mlp(x), mlp[2](mlp[0](x).clamp(min=0) ** 2))


def test_shared_heads_equal_repeated_ones(dictionary):
    """Two heads of keys and values for four of queries, against four that are equal in pairs."""
    few, many = gpt(dictionary, decoder_kv_heads=2), gpt(dictionary)
    weights = few.state_dict()
    for name in [name for name in weights if "qkv_proj" in name]:
        query, key, value = weights[name].split([24, 12, 12])
        twice = (x.view(2, 6, -1).repeat_interleave(2, 0).view(24, -1) for x in (key, value))
        weights[name] = torch.cat([query.view(24, -1), *twice]).view(72, *weights[name].shape[1:])
    many.load_state_dict(weights)
    tokens = torch.randint(4, len(dictionary), (2, 9))
    torch.testing.assert_close(few(tokens)[0], many(tokens)[0])


@pytest.mark.parametrize("flags", [{}, MODERN], ids=["gpt2", "modern"])
def test_cache_up_to_the_last_position(dictionary, flags):
    decoder = build(GPTDocConfig(**SMALL, **flags), dictionary).decoder
    tokens = torch.randint(4, len(dictionary), (3, 16))
    full, _ = decoder(tokens)
    state, steps = {}, []
    with torch.no_grad():
        for end in range(1, 17):
            steps.append(decoder(tokens[:, :end], incremental_state=state)[0])
    torch.testing.assert_close(full, torch.cat(steps, dim=1), rtol=1e-5, atol=1e-5)
    with pytest.raises(ValueError, match="17 tokens are more than the model's 16 positions"):
        decoder(torch.full((3, 17), 5), incremental_state=state)


@pytest.mark.skipif(shutil.which("g++") is None, reason="torch.compile needs a C++ compiler")
def test_compiled_blocks_have_the_same_loss_and_gradients(dictionary):
    tokens = torch.randint(4, len(dictionary), (3, 7), generator=torch.Generator().manual_seed(1))
    found = []
    for compiled in (False, True):
        flags = {**SMALL, **MODERN, "decoder_layers": 1, "dropout": 0.0}
        model = initialised(GPTDocConfig(**flags, compile=compiled), dictionary).train()
        loss = model(tokens)[0].logsumexp(-1).sum()
        loss.backward()
        found.append([loss.detach(), *(param.grad for param in model.parameters())])
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)
    assert model.decoder.blocks[0]._compiled_call_impl is not None


def test_compiling_without_a_compiler(dictionary, monkeypatch):
    monkeypatch.setattr("torch._inductor.config.cpp.cxx", ("no-such-compiler",))
    with pytest.raises(UsageError, match="--compile needs a C..? compiler"):
        gpt(dictionary, compile=True)


@pytest.mark.parametrize("flags", [{}, MODERN], ids=["gpt2", "modern"])
def test_adapters(dictionary, flags):
    """They start from the model that there was, alone are trained, and can be merged into it."""
    base = build(GPTDocConfig(**SMALL, **flags), dictionary)
    adapted = gpt(dictionary, **flags, lora_rank=3, lora_alpha=6.0)
    adapted.load_state_dict(base.state_dict())
    tokens = torch.randint(4, len(dictionary), (2, 9))
    assert torch.equal(base(tokens)[0], adapted(tokens)[0])
    trained = {name for name, param in adapted.named_parameters() if param.requires_grad}
    assert len(trained) == 2 * 4 * 3 and all(".lora_" in name for name in trained)
    with torch.no_grad():
        for name in trained:
            adapted.get_parameter(name).normal_(std=0.1)
    merged_model = gpt(dictionary, **flags)
    merged_model.load_state_dict(merged(adapted.state_dict(), 6.0 / 3))
    assert (adapted(tokens)[0] - base(tokens)[0]).abs().max() > 0.1
    torch.testing.assert_close(merged_model(tokens)[0], adapted(tokens)[0], rtol=1e-4, atol=1e-4)
