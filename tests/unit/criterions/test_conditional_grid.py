"""Every estimator, loss and discriminator with both seq2seq generators: both train and reload."""

import copy
import itertools

import pytest
import torch
from fairseq.criterions import CRITERION_REGISTRY
from gan_axes import ESTIMATORS, Task, admitted
from gan_states import equal
from small_models import CONDITIONAL_GANS, initialised
from torch.nn import functional as F

from fairseq_genext.criterions.adversarial import AdversarialConfig
from fairseq_genext.gan.discriminators import DISCRIMINATORS
from fairseq_genext.gan.game import token_log_probs
from fairseq_genext.gan.losses import LOSSES
from fairseq_genext.gan.schedule import Phase, Turn
from fairseq_genext.modules.conditions import Source
from fairseq_genext.modules.samplers import SampleLength, Samples, ancestral, unroll
from fairseq_genext.optim.two_player_adamw import TwoPlayerAdamW, TwoPlayerAdamWConfig

TARGET = torch.tensor([[5, 6, 7, 2], [8, 2, 1, 1], [9, 9, 2, 1], [7, 6, 5, 2]])
SAMPLE = {
    "id": torch.arange(4),
    "net_input": {
        "src_tokens": torch.tensor([[5, 6, 2], [1, 8, 2], [9, 3, 2], [1, 7, 2]]),
        "src_lengths": torch.tensor([3, 2, 3, 2]),
        "prev_output_tokens": torch.tensor(
            [[2, 5, 6, 7], [2, 8, 1, 1], [2, 9, 9, 1], [2, 7, 6, 5]]
        ),
    },
    "target": TARGET,
    "ntokens": 13,
    "nsentences": 4,
}


def criterion(dictionary, **flags):
    config = AdversarialConfig(max_sample_length=5, fixed_length=False, seed=1, **flags)
    return CRITERION_REGISTRY["adversarial"](config, Task(dictionary))


def drop(model, share):
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = share


def moved(module) -> bool:
    gradients = [param.grad for param in module.parameters() if param.grad is not None]
    assert all(gradient.isfinite().all() for gradient in gradients)
    return sum(gradient.abs().sum() for gradient in gradients) > 0


def play_in_turns(model, play, case):
    """Two rounds of turns, in each of which one player gets a gradient and moves, alone."""
    players = {
        "discriminator": [model.discriminator],
        "generator": [model.encoder, model.decoder],
    }
    flags = TwoPlayerAdamWConfig(lr=[0.01], weight_decay=0.0)
    optimizer = TwoPlayerAdamW(flags, list(model.parameters()))
    torch.manual_seed(4)
    for player in 2 * ("discriminator", "generator"):
        (idle,) = players.keys() - {player}
        before = {name: copy.deepcopy(weights(parts)) for name, parts in players.items()}
        model.zero_grad()
        play.begin_turn(Turn(Phase.TURNS, player, 3))
        value, size, _ = play(model, SAMPLE)
        assert torch.isfinite(value) and size == 4
        value.backward()
        assert all(map(moved, players[player])), (case, player)
        for part in players[idle]:
            assert all(param.grad is None for param in part.parameters()), (case, player)
            for param in part.parameters():
                param.grad = torch.zeros_like(param)  # as data-parallel training fills them
        optimizer.step(groups={player})
        for own, old in zip(weights(players[player]), before[player], strict=True):
            assert not equal(own, old), (case, player)
        assert equal(weights(players[idle]), before[idle]), (case, player)


def weights(parts) -> list[dict]:
    return [part.state_dict() for part in parts]


def check_reload(model, config, dictionary):
    """Another model with the weights of ``model`` translates as it does, and did not before."""
    fresh = initialised(config, dictionary)
    assert not equal(fresh.state_dict(), model.state_dict())
    fresh.load_state_dict(model.state_dict())
    inputs = SAMPLE["net_input"]
    draws = []
    for one in (model.eval(), fresh.eval()):
        torch.manual_seed(5)
        source = Source(one.encoder, inputs["src_tokens"], inputs["src_lengths"])
        length = SampleLength(6, fixed=True)
        with torch.no_grad():
            draws.append(unroll(one.decoder, 4, length, ancestral, source).tokens)
    assert torch.equal(*draws) and len(draws[0].unique(dim=0)) > 1


@pytest.mark.parametrize("estimator", ESTIMATORS)
@pytest.mark.parametrize("generator", ["lstm", "dbam"])
def test_grid(generator, estimator, dictionary):
    """Two rounds of turns; who moves, moves alone; the trained translator draws the same again."""
    combinations = 0
    for loss, name in itertools.product(LOSSES, DISCRIMINATORS):
        if not admitted(loss, estimator, name):
            continue
        config = CONDITIONAL_GANS[f"{generator}-{name}"]
        model = initialised(config, dictionary).train()
        play = criterion(dictionary, gan_loss=loss, **ESTIMATORS[estimator])
        play.check_discriminator(model.discriminator.per_token)
        play_in_turns(model, play, (loss, name))
        check_reload(model, config, dictionary)
        combinations += 1
    assert combinations == {"mali": 3, "rollouts": 12}.get(estimator, 16)


@pytest.mark.parametrize("name", ["lstm-cnn", "dbam-rnn"])
def test_likelihood_is_teacher_forcing_given_the_source(name, dictionary):
    model = initialised(CONDITIONAL_GANS[name], dictionary).train()
    torch.manual_seed(4)
    loss, size, log = criterion(dictionary)(model, SAMPLE)
    inputs = SAMPLE["net_input"]
    torch.manual_seed(4)
    logits, _ = model.decoder(
        inputs["prev_output_tokens"],
        encoder_out=model.encoder(inputs["src_tokens"], inputs["src_lengths"]),
    )
    expected = F.cross_entropy(
        logits.transpose(1, 2), TARGET, ignore_index=dictionary.pad(), reduction="sum"
    )
    torch.testing.assert_close(loss, expected)
    assert size == 13 and log["nll_loss"] == loss


@pytest.mark.parametrize("name", ["lstm-cnn", "dbam-rnn"])
def test_plain_samples_have_no_dropout_in_the_encoder_either(name, dictionary):
    """Sampling leaves the modes of encoder and decoder as they were."""
    model = initialised(CONDITIONAL_GANS[name], dictionary).train()
    drop(model.encoder, 0.9)
    play = criterion(dictionary, gradient_estimator="reinforce")
    play.begin_turn(Turn(Phase.TURNS, "discriminator", 3))
    inputs = {key: SAMPLE["net_input"][key] for key in ("src_tokens", "src_lengths")}
    drawn = []
    for _ in range(2):
        torch.manual_seed(4)
        with torch.no_grad():
            model(
                play=lambda generator, discriminator, source: drawn.append(
                    play.estimator.sample(
                        play.game(generator, discriminator, SAMPLE, source)
                    ).tokens
                ),
                **inputs,
            )
        model.encoder.eval()  # the decoder alone says how the encoder is read
    assert torch.equal(*drawn)
    assert model.decoder.training and not model.encoder.training


@pytest.mark.parametrize("name", ["lstm-cnn", "dbam-rnn"])
def test_policy_gradient_is_of_the_probabilities_that_were_drawn_from(name, dictionary):
    """Nothing is dropped while modes stay, with a gradient for the encoder too."""
    model = initialised(CONDITIONAL_GANS[name], dictionary).train()
    drop(model, 0.9)
    inputs = SAMPLE["net_input"]
    source = Source(model.encoder, inputs["src_tokens"], inputs["src_lengths"])
    samples = Samples(TARGET, TARGET.ne(1), condition=source)
    log_probs = token_log_probs(model.decoder, samples, SampleLength(5))
    assert model.decoder.training and model.encoder.training
    log_probs.sum().backward()
    assert moved(model.encoder) and moved(model.decoder)
    model.eval()
    torch.testing.assert_close(log_probs, token_log_probs(model.decoder, samples, SampleLength(5)))
