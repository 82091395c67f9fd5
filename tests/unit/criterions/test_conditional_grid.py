"""Every estimator, loss and discriminator with both seq2seq generators: both train and reload."""

import pytest
import torch
from gan_options import ESTIMATORS, admitted
from gan_turns import check_reload, criterion, has_gradient, train_in_turns
from pairwise import grid
from small_models import CONDITIONAL_GANS, initialised
from torch.nn import functional as F

from fairseq_genext.gan.discriminators import DISCRIMINATORS
from fairseq_genext.gan.losses import LOSSES
from fairseq_genext.gan.schedule import Phase, Turn
from fairseq_genext.gan.step import token_log_probs
from fairseq_genext.modules.conditions import Source
from fairseq_genext.modules.samplers import SampleLength, Samples, ancestral, unroll

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


def drop(model, share):
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = share


def draw(model):
    inputs = SAMPLE["net_input"]
    source = Source(model.encoder, inputs["src_tokens"], inputs["src_lengths"])
    return unroll(model.decoder, 4, SampleLength(6, fixed=True), ancestral, source).tokens


@pytest.mark.parametrize(
    ("loss", "estimator", "discriminator", "generator"),
    grid(
        LOSSES, ESTIMATORS, DISCRIMINATORS, ["lstm", "dbam"],
        admits=lambda *case: admitted(*case[:3]),
    ),
)  # fmt: skip
def test_grid(loss, estimator, discriminator, generator, dictionary):
    """Two rounds of turns; who moves, moves alone; the trained translator draws the same again."""
    config = CONDITIONAL_GANS[f"{generator}-{discriminator}"]
    model = initialised(config, dictionary).train()
    adversarial = criterion(dictionary, gan_loss=loss, **ESTIMATORS[estimator])
    adversarial.check_discriminator(model.discriminator.per_token)
    train_in_turns(model, adversarial, SAMPLE, (loss, estimator, generator, discriminator))
    check_reload(model, config, dictionary, draw)


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
    adversarial = criterion(dictionary, gradient_estimator="reinforce")
    adversarial.begin_turn(Turn(Phase.TURNS, "discriminator", 3))
    inputs = {key: SAMPLE["net_input"][key] for key in ("src_tokens", "src_lengths")}
    drawn = []
    for _ in range(2):
        torch.manual_seed(4)
        with torch.no_grad():
            model(
                compute=lambda generator, discriminator, source: drawn.append(
                    adversarial.estimator.sample(
                        adversarial.step(generator, discriminator, SAMPLE, source)
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
    assert has_gradient(model.encoder) and has_gradient(model.decoder)
    model.eval()
    torch.testing.assert_close(log_probs, token_log_probs(model.decoder, samples, SampleLength(5)))
