"""GPT against Hugging Face's GPT-2, its initialisation, and its flags."""

import math

import pytest
import torch
from small_models import initialised

from fairseq_genext.errors import UsageError
from fairseq_genext.models.gpt_doc import GPTDocConfig
from fairseq_genext.weights.gpt2 import from_huggingface, to_huggingface


def gpt(dictionary, **flags):
    config = GPTDocConfig(
        _name="gpt_doc",
        decoder_layers=3,
        decoder_embed_dim=24,
        decoder_attention_heads=4,
        max_target_positions=16,
        **flags,
    )
    return initialised(config, dictionary)


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
