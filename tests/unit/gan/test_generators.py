"""How noise enters a generator, and how a generator starts from a trained model."""

from dataclasses import replace
from functools import partial

import pytest
import torch
from command_line import built
from small_models import LANGUAGE_MODELS, build, initialised

from fairseq_genext.errors import UsageError
from fairseq_genext.gan.checkpoint import load_weights
from fairseq_genext.gan.generators import GENERATORS
from fairseq_genext.gan.generators.rnn import RNNGenerator
from fairseq_genext.gan.step import shifted, token_log_probs
from fairseq_genext.models.gan import GANConfig
from fairseq_genext.models.gpt_doc import GPTDocConfig
from fairseq_genext.modules.samplers import SampleLength, Samples, ancestral, gumbel_softmax, unroll

GANS = {name: config for name, config in LANGUAGE_MODELS.items() if config._name == "gan"}
TOKENS = torch.tensor([[2, 5, 6, 7], [2, 9, 8, 7]])


def generator(dictionary, kind, noise_input):
    name = "gan-lstm" if (kind, noise_input) == ("rnn", "state") else f"gan-{kind}-{noise_input}"
    return build(GANS[name], dictionary).decoder


@pytest.mark.parametrize("name", GANS)
def test_noise_is_drawn_when_a_text_begins_and_the_seed_repeats_it(name, dictionary):
    decoder = build(GANS[name], dictionary).decoder
    torch.manual_seed(1)
    first, second = decoder(TOKENS)[0], decoder(TOKENS)[0]
    torch.manual_seed(1)
    again, noise = decoder(TOKENS)[0], decoder.draw_noise(2)
    assert torch.equal(first, again)
    if name.endswith("none"):
        assert noise is None and torch.equal(first, second)
    else:
        assert not torch.allclose(first, second)
        torch.testing.assert_close(decoder(TOKENS, noise=noise)[0], second)


@pytest.mark.parametrize("name", GANS)
def test_a_text_keeps_its_noise(name, dictionary):
    """Drawn at the first step, remembered at the others: as if it had been given throughout."""
    decoder = build(GANS[name], dictionary).decoder
    torch.manual_seed(1)
    state = {}
    stepped = [decoder(TOKENS[:, :end], incremental_state=state)[0] for end in range(1, 5)]
    torch.manual_seed(1)
    full, _ = decoder(TOKENS, noise=decoder.draw_noise(2))
    torch.testing.assert_close(torch.cat(stepped, dim=1), full, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kind", GENERATORS)
def test_prefix_noise_moves_the_first_input_and_step_noise_every_input(kind, dictionary):
    noise = torch.randn(2, 5)
    plain = generator(dictionary, kind, "none")
    embedded = plain.embed_tokens(TOKENS)
    for noise_input, moved in (("prefix", slice(0, 1)), ("step", slice(0, 4))):
        decoder = generator(dictionary, kind, noise_input)
        plain.load_state_dict(decoder.state_dict(), strict=False)
        inputs = plain.embed_tokens(TOKENS).detach().clone()
        inputs[:, moved] += (noise @ decoder.noise.projection.weight.T).unsqueeze(1)
        expected, _ = plain(TOKENS, token_embeddings=inputs)
        got, _ = decoder(TOKENS, noise=noise)
        torch.testing.assert_close(got, expected)
        given, _ = decoder(TOKENS, noise=noise, token_embeddings=plain.embed_tokens(TOKENS))
        torch.testing.assert_close(given, expected)
    assert embedded.std() > 0.1


@pytest.mark.parametrize("kind", ["rnn", "relational"])
def test_state_noise_moves_the_first_state(kind, dictionary):
    decoder = generator(dictionary, kind, "state")
    plain = generator(dictionary, kind, "none")
    plain.load_state_dict(decoder.state_dict(), strict=False)
    noise = torch.randn(2, 5)
    offset = torch.tanh(decoder.noise.projection(noise))
    if kind == "rnn":  # two tensors (h, c) of two layers, ten wide, from zero
        h_c = offset.view(2, 2, 2, 10)
        state = tuple(h_c[:, index].transpose(0, 1).contiguous() for index in range(2))
    else:  # two slots, ten wide, from the rows of an identity
        state = ((torch.eye(2, 10) + offset.view(2, 2, 10)).transpose(0, 1),)
    expected, _ = plain(TOKENS, {"state": state})
    torch.testing.assert_close(decoder(TOKENS, noise=noise)[0], expected)


def test_noise_starts_as_large_as_the_embeddings_it_is_added_to(dictionary):
    config = GANConfig(_name="gan", noise_input="step", generator_embed_dim=400, noise_dim=100)
    decoder = initialised(config, dictionary).decoder
    added = decoder.noise.projection(decoder.draw_noise(500))
    assert added.std().item() == pytest.approx(decoder.embed_tokens.weight.std().item(), rel=0.05)


@pytest.mark.parametrize("name", GANS)
def test_gradients_of_samples_reach_every_parameter(name, dictionary):
    model = build(GANS[name], dictionary).train()
    torch.manual_seed(2)
    straight_through = partial(gumbel_softmax, temperature=1.0, hard=True)
    samples = unroll(model.decoder, 8, SampleLength(6), straight_through)
    model.discriminator(samples.weights, samples.mask).mean().sum().backward()
    for param_name, param in model.decoder.named_parameters():
        assert param.grad is not None and param.grad.abs().sum() > 0, param_name


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        ({"generator": "gpt"}, "--noise-input state does not go with --generator gpt; choose one "
         "of prefix, step, none"),
        ({"noise_input": "suffix"}, "--noise-input 'suffix' does not exist; choose one of state"),
        ({"noise_dim": 0}, "--noise-dim is 0"),
        ({"rnn_cell": "elman"}, "choose one of lstm, gru, rnn"),
        ({"generator": "relational", "generator_layers": 2}, "--generator-layers is 2"),
        ({"generator": "relational", "generator_heads": 3}, "256 cannot be divided among"),
        ({"generator": "relational", "generator_memory_slots": 0}, "--generator-memory-slots is 0"),
        ({"generator": "gpt", "noise_input": "none", "generator_heads": 3},
         "--generator-embed-dim 256 cannot be divided among --generator-heads 3"),
        ({"generator_dropout": 1.5}, "--generator-dropout is 1.5; it must be at least 0 and less"),
        ({"discriminator_dropout": 1}, "--discriminator-dropout is 1"),
        ({"generator_temperature": 0}, "--generator-temperature is 0; it must be at least 1e-06"),
        ({"generator_temperature": 1e-45}, "--generator-temperature is 1e-45; it must be at least"),
        ({"discriminator_filters": [4]}, "must be as many positive numbers"),
        ({"discriminator": "rnn", "discriminator_cell": "x"}, "--discriminator-cell 'x' does not"),
        ({"discriminator": "rnn", "discriminator_layers": 0}, "--discriminator-layers is 0"),
        ({"discriminator": "transformer", "discriminator_heads": 3},
         "--discriminator-embed-dim 64 cannot be divided among --discriminator-heads 3"),
        ({"discriminator": "multi_representation", "discriminator_representations": 5},
         "--discriminator-embed-dim 64 cannot be divided among --discriminator-representations 5"),
    ],
)  # fmt: skip
def test_flags_that_do_not_fit_end_with_one_line(flags, says, dictionary):
    with pytest.raises(UsageError, match=says):
        initialised(GANConfig(_name="gan", **flags), dictionary)


@pytest.mark.parametrize("name", GENERATORS)
def test_policy_gradients_are_of_the_probabilities_that_were_drawn_from(name, dictionary):
    """Nothing is dropped, in the second layer's input or in attention either."""
    config = GANConfig(
        _name="gan", generator=name, noise_input="none", generator_dropout=0.5,
        generator_layers=1 if name == "relational" else 2, generator_embed_dim=12,
        generator_hidden_dim=12,
    )  # fmt: skip
    generator = initialised(config, dictionary).train().decoder
    tokens = torch.tensor([[5, 6, 7, 2], [8, 2, 1, 1]])
    samples = Samples(tokens, tokens.ne(1))
    log_probs = token_log_probs(generator, samples, SampleLength(5))
    assert generator.training and log_probs.requires_grad
    dropped = generator(tokens)[0], generator(tokens)[0]
    assert not torch.equal(*dropped)  # what dropout there was is there again
    torch.testing.assert_close(
        log_probs, token_log_probs(generator.eval(), samples, SampleLength(5))
    )


@pytest.mark.parametrize("name", GENERATORS)
def test_a_temperature_is_part_of_the_generator(name, dictionary):
    """In its samples, in the probabilities of policy gradients, and where branches are drawn."""
    config = GANS[f"gan-{name}-none"]
    plain = build(config, dictionary).decoder
    cold = initialised(replace(config, generator_temperature=0.5), dictionary).decoder.eval()
    cold.load_state_dict(plain.state_dict())
    seen = []

    def choose(logits):
        seen.append(logits)
        return ancestral(logits)

    samples = unroll(cold, 3, SampleLength(6), choose)
    forbidden = SampleLength(6).forbidden(dictionary)
    read = shifted(samples.tokens, dictionary.eos())
    with torch.no_grad():
        expected = (2 * plain(read)[0]).index_fill(2, torch.tensor(forbidden), -torch.inf)
        features = cold.extract_features(read)[0]
        torch.testing.assert_close(cold.output_layer(features), 2 * plain.output_layer(features))
    torch.testing.assert_close(torch.stack(seen, dim=1), expected, rtol=1e-4, atol=1e-5)
    chosen = expected.log_softmax(2).gather(2, samples.tokens.clamp(min=2).unsqueeze(2)).squeeze(2)
    log_probs = token_log_probs(cold, samples, SampleLength(6))
    torch.testing.assert_close(log_probs[samples.mask], chosen[samples.mask], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", GENERATORS)
def test_a_generator_that_has_learned_at_a_temperature_goes_on_at_it(name, dictionary, tmp_path):
    kind = GANS[f"gan-{name}-none"]
    at = {t: replace(kind, generator_temperature=t) for t in (0.5, 1.0)}
    for before, now, fits in ((0.5, 0.5, True), (0.5, 1.0, False), (1.0, 0.5, True)):
        path = saved(
            build(at[before], dictionary), tmp_path / "gan.pt", generator_temperature=before
        )
        start = partial(load_weights, initialised(at[now], dictionary).decoder, path, None)
        if fits:
            start()
            continue
        with pytest.raises(ValueError, match="trained with --generator-temperature 0.5, and here"):
            start()


@pytest.mark.parametrize(
    ("flags", "tied"),
    [
        ((), True),
        (("--generator-tie-embeddings",), True),
        (("--generator-untie-embeddings",), False),
        (("--generator-untie-embeddings", "--generator-hidden-dim", 8), False),
    ],
)
def test_embeddings_that_a_preset_ties_can_be_untied(flags, tied, corpus):
    small = ("--generator-embed-dim", 12, "--generator-hidden-dim", 12, "--discriminator-embed-dim",
             4, "--discriminator-hidden-dim", 4)  # fmt: skip
    gan = ("--task", "gan", "--criterion", "adversarial", "--arch", "gan_scratchgan")
    decoder = built(corpus / "lm", *gan, *small, *flags).decoder
    assert (decoder.output_projection.weight is decoder.embed_tokens.weight) == tied
    assert (decoder.output_projection.bias is None) == tied


def test_noise_that_the_decoder_does_not_admit(dictionary):
    with pytest.raises(ValueError, match="noise 'suffix' is not one of state, prefix, step, none"):
        RNNGenerator(dictionary, noise_input="suffix", noise_dim=3)


def test_longest_sequence_is_that_of_the_player_who_reads_least(dictionary):
    def longest(**flags):
        config = GANConfig(_name="gan", max_target_positions=16, **flags)
        return initialised(config, dictionary).max_positions()

    assert longest() == 100_000
    assert longest(discriminator="transformer") == 16
    assert longest(generator="gpt", noise_input="none") == 16


# What follows is --generator-checkpoint.


def saved(model, path, **flags):
    """A checkpoint as fairseq writes it, without optimizer and all flags of the model but these."""
    history = {"optimizer_name": "x", "lr_scheduler_state": {}, "num_updates": 1}
    state = {
        "args": None, "cfg": {"model": flags, "task": {}}, "model": model.state_dict(),
        "optimizer_history": [history], "extra_state": {"train_iterator": {"epoch": 1}},
    }  # fmt: skip
    torch.save(state, path)
    return str(path)


GPT = {"generator": "gpt", "generator_embed_dim": 24, "generator_hidden_dim": 96,
       "generator_layers": 2, "generator_heads": 3, "max_target_positions": 16,
       "noise_dim": 5}  # fmt: skip


def gan(dictionary, **flags):
    return initialised(GANConfig(_name="gan", **{**GPT, **flags}), dictionary)


@pytest.mark.parametrize("noise_input", ["prefix", "step", "none"])
def test_gan_starts_as_the_gpt_of_the_checkpoint(noise_input, dictionary, tmp_path):
    gpt = build(LANGUAGE_MODELS["gpt_doc"], dictionary)
    path = saved(gpt, tmp_path / "gpt.pt")
    model = gan(dictionary, noise_input=noise_input, generator_checkpoint=path)
    assert torch.equal(model.decoder(TOKENS)[0], gpt(TOKENS)[0])
    assert not torch.equal(gan(dictionary, noise_input=noise_input)(TOKENS)[0], gpt(TOKENS)[0])
    if noise_input != "none":  # and the noise finds its way in
        model(TOKENS)[0][:, :, 5].sum().backward()
        assert model.decoder.noise.projection.weight.grad.abs().sum() > 0


@pytest.mark.parametrize("noise_input", ["state", "prefix", "step", "none"])
@pytest.mark.parametrize("kind", ["rnn", "relational"])
def test_gan_starts_as_the_rnn_lm_of_the_checkpoint(kind, noise_input, dictionary, tmp_path):
    name = "rnn_lm-relational" if kind == "relational" else "rnn_lm-lstm"
    trained = build(LANGUAGE_MODELS[name], dictionary)
    fresh = initialised(
        GANS[
            "gan-lstm" if (kind, noise_input) == ("rnn", "state") else f"gan-{kind}-{noise_input}"
        ],
        dictionary,
    ).decoder
    assert not torch.equal(fresh(TOKENS)[0], trained(TOKENS)[0])
    load_weights(fresh, saved(trained, tmp_path / "rnn_lm.pt"), None)
    torch.testing.assert_close(fresh(TOKENS)[0], trained(TOKENS)[0], rtol=0, atol=0)


@pytest.mark.parametrize("name", ["gan-gru", "gan-relational-step"])
def test_generator_of_another_gan_brings_its_noise(name, dictionary, tmp_path):
    other = build(GANS[name], dictionary)
    fresh = initialised(GANS[name], dictionary).decoder
    load_weights(fresh, saved(other, tmp_path / "gan.pt"), None)
    torch.manual_seed(5)
    ours = unroll(fresh, 20, SampleLength(8), ancestral).tokens
    torch.manual_seed(5)
    assert torch.equal(ours, unroll(other.decoder, 20, SampleLength(8), ancestral).tokens)


def test_noise_of_the_checkpoint_is_left_out_of_a_generator_without(dictionary, tmp_path):
    other = generator(dictionary, "gpt", "step")
    path = tmp_path / "gan.pt"
    saved(build(GANS["gan-gpt-step"], dictionary), path)
    plain = initialised(GANS["gan-gpt-none"], dictionary).decoder
    load_weights(plain, str(path), None)
    assert torch.equal(plain(TOKENS)[0], other(TOKENS, noise=torch.zeros(2, 5))[0])


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        ({"generator_layers": 3}, "another model: it lacks blocks.2"),
        ({"generator_layers": 1}, "another model: it has blocks.1"),
        ({"generator_hidden_dim": 48}, "mlp.0.weight is 96 x 24, here 48 x 24"),
        ({"max_target_positions": 32}, "embed_positions.weight is 16 x 24, here 32"),
        ({"generator": "rnn"}, "holds another model"),
    ],
)
def test_checkpoints_that_do_not_fit(flags, says, dictionary, tmp_path):
    path = saved(build(LANGUAGE_MODELS["gpt_doc"], dictionary), tmp_path / "gpt.pt")
    with pytest.raises(UsageError, match=f"error: --generator-checkpoint {path}: .*{says}"):
        gan(dictionary, noise_input="none", generator_checkpoint=path, **flags)


@pytest.mark.parametrize(
    ("name", "flag"),
    [
        ("gan-gpt-none", "generator_heads"),
        ("gan-relational-none", "generator_heads"),
        ("rnn_lm-relational", "decoder_attention_heads"),
    ],
)
def test_other_heads_have_the_same_shapes(name, flag, dictionary, tmp_path):
    path = saved(build(LANGUAGE_MODELS[name], dictionary), tmp_path / "other.pt", **{flag: 1})
    kind = "gan-gpt-none" if "gpt" in name else "gan-relational-none"
    with pytest.raises(ValueError, match=f"trained with --{flag} 1, and".replace("_", "-")):
        load_weights(initialised(GANS[kind], dictionary).decoder, path, None)


def test_checkpoint_of_another_dictionary(dictionary, tmp_path):
    path = saved(build(LANGUAGE_MODELS["gpt_doc"], dictionary), tmp_path / "gpt.pt")
    dictionary.add_symbol("new")
    with pytest.raises(UsageError, match="a dictionary of 34 entries, the one in .* has 35"):
        gan(dictionary, noise_input="none", generator_checkpoint=path)


def test_files_that_are_no_checkpoints(dictionary, tmp_path):
    def start(path):
        gan(dictionary, noise_input="none", generator_checkpoint=str(path))

    with pytest.raises(UsageError, match="nowhere.pt does not exist"):
        start(tmp_path / "nowhere.pt")
    text = tmp_path / "text.pt"
    text.write_text("not a checkpoint")
    other = tmp_path / "other.pt"
    torch.save({"weights": torch.zeros(2)}, other)
    unsafe = tmp_path / "unsafe.pt"
    torch.save({"model": {}, "evil": GPTDocConfig}, unsafe)
    for path in (text, other):
        with pytest.raises(UsageError, match=f"{path.name} is not a fairseq checkpoint"):
            start(path)
    with pytest.raises(UsageError, match="unsafe.pt is refused, .*GPTDocConfig"):
        start(unsafe)
