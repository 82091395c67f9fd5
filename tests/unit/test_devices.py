"""Every model, criterion and sampler on a CUDA device, which is fake: see ``fake_cuda.py``.

A tensor that is made without ``device=`` is on the CPU and fails here as it would on a GPU.
"""

import re
from types import SimpleNamespace

import pytest
import torch
from fairseq.criterions import CRITERION_REGISTRY
from fairseq.search import Sampling
from fairseq.sequence_generator import SequenceGenerator
from fake_cuda import DEVICE, fake_cuda, on_cuda, to_cuda
from gan_options import ESTIMATORS, Task, admitted
from gan_turns import criterion
from pairwise import grid
from small_models import (
    CONDITIONAL_GANS,
    DBAM,
    GANS_BY_PLAYERS,
    LANGUAGE_MODELS,
    SEQ2SEQ,
    initialised,
)
from torch._subclasses.fake_tensor import FakeTensor

from fairseq_genext.criterions.adversarial_image import AdversarialImageConfig
from fairseq_genext.data.oracle import OracleLSTM
from fairseq_genext.gan.discriminators import DISCRIMINATORS
from fairseq_genext.gan.estimators.baselines import BASELINES
from fairseq_genext.gan.generators import GENERATORS
from fairseq_genext.gan.losses import LOSSES
from fairseq_genext.gan.rewards import REWARDS
from fairseq_genext.gan.schedule import Phase, Turn
from fairseq_genext.models.gan_image import GANImage, GANImageConfig
from fairseq_genext.modules.conditions import Source
from fairseq_genext.modules.samplers import SampleLength, ancestral, unroll

TEXT = {
    "id": torch.arange(4),
    "net_input": {"src_tokens": torch.ones(4, 5).long(), "src_lengths": torch.full((4,), 5)},
    "target": torch.ones(4, 5).long(),
    "ntokens": 20,
    "nsentences": 4,
}
PAIRS = {**TEXT, "net_input": {**TEXT["net_input"], "prev_output_tokens": torch.ones(4, 5).long()}}


ALIKE = re.compile("seq2seq-(gru|rnn)|gan-(gru|rnn)$|rnn_lm-rnn")

# Each kind once with fairseq's own generation, which takes most of the time.
GENERATED = ("gpt_doc", "rnn_lm-lstm", "gan-gpt-step", "seq2seq-lstm-bridged", "dbam-gpt")


def check(loss, size, log) -> None:
    """A loss on the device, of which ``log`` has figures there or plain numbers."""
    assert loss.device == torch.device(DEVICE)
    for name, value in log.items():
        assert not isinstance(value, FakeTensor) or value.device == loss.device, name


def generate(model, dictionary, sample, **search) -> None:
    """fairseq's own generation, as its commands run it."""
    generator = SequenceGenerator([model], dictionary, beam_size=2, max_len_b=3, **search)
    # Without values no hypothesis ends, and after the last step fairseq asserts that all have.
    with pytest.raises(AssertionError, match="3 < 3"):
        generator.generate([model], sample, bos_token=dictionary.eos())


def each(*names: str) -> list:
    """One recurrent cell of each kind of model by default: torch runs all three alike."""
    return [
        pytest.param(name, marks=[pytest.mark.full] if ALIKE.search(name) else []) for name in names
    ]


@pytest.mark.parametrize("name", each(*LANGUAGE_MODELS))
def test_language_models(name, dictionary):
    with fake_cuda():
        model = to_cuda(initialised(LANGUAGE_MODELS[name], dictionary)).train()
        sample = on_cuda(TEXT)
        check(*CRITERION_REGISTRY["cross_entropy"](Task(dictionary), False)(model, sample))
        samples = unroll(model.eval().decoder, 3, SampleLength(4), ancestral)
        assert samples.tokens.device == torch.device(DEVICE)
        state: dict = {}
        for read in (2, 5):
            model.decoder(sample["target"][:, :read], incremental_state=state)
        if name in GENERATED:
            for strategy in (None, Sampling(dictionary)):
                generate(model, dictionary, sample, search_strategy=strategy)


@pytest.mark.parametrize("name", each(*SEQ2SEQ, *DBAM))
def test_translation_models(name, dictionary):
    with fake_cuda():
        model = to_cuda(initialised({**SEQ2SEQ, **DBAM}[name], dictionary)).train()
        sample = on_cuda(PAIRS)
        losses = ["sequence_mean_cross_entropy", *(["dbam"] if name in DBAM else [])]
        for loss in losses:
            for model_in_mode in (model.train(), model.eval()):
                check(*CRITERION_REGISTRY[loss](Task(dictionary))(model_in_mode, sample))
        if name in GENERATED:
            generate(model, dictionary, sample)


def take_turns(model, adversarial, sample) -> None:
    """Likelihood and both players."""
    for turn in (
        Turn(Phase.GENERATOR_PRETRAINING, "generator"),
        Turn(Phase.TURNS, "discriminator", 3),
        Turn(Phase.TURNS, "generator", 3),
    ):
        adversarial.begin_turn(turn)
        check(*adversarial(model.train(), sample))


@pytest.mark.parametrize(
    ("loss", "estimator", "discriminator", "generator"),
    grid(
        LOSSES,
        ESTIMATORS,
        DISCRIMINATORS,
        GENERATORS,
        admits=lambda *case: admitted(*case[:3]),
        together=1,
    ),
)
def test_gans(loss, estimator, discriminator, generator, dictionary):
    with fake_cuda():
        model = to_cuda(initialised(GANS_BY_PLAYERS[generator, discriminator], dictionary))
        adversarial = criterion(dictionary, gan_loss=loss, **ESTIMATORS[estimator])
        take_turns(model, adversarial, on_cuda(TEXT))


@pytest.mark.parametrize(
    ("reward", "baseline", "rollouts", "discriminator"),
    grid(
        REWARDS, BASELINES, (0, 2), DISCRIMINATORS,
        admits=lambda *case: not (case[2] and case[3] == "rnn"), together=1,
    ),
)  # fmt: skip
def test_rewards(reward, baseline, rollouts, discriminator, dictionary):
    with fake_cuda():
        model = to_cuda(initialised(GANS_BY_PLAYERS["rnn", discriminator], dictionary))
        adversarial = criterion(
            dictionary, gradient_estimator="reinforce", reward=reward, reward_baseline=baseline,
            rollouts=rollouts,
        )  # fmt: skip
        take_turns(model, adversarial, on_cuda(TEXT))


@pytest.mark.parametrize(("estimator", "name"), [("rollouts", "lstm-cnn"), ("whole", "dbam-rnn")])
def test_conditional_gans(estimator, name, dictionary):
    with fake_cuda():
        model = to_cuda(initialised(CONDITIONAL_GANS[name], dictionary))
        sample = on_cuda(PAIRS)
        take_turns(model, criterion(dictionary, **ESTIMATORS[estimator]), sample)
        inputs = sample["net_input"]
        source = Source(model.encoder, inputs["src_tokens"], inputs["src_lengths"])
        unroll(model.eval().decoder, 4, SampleLength(4), ancestral, source)


@pytest.mark.parametrize("loss", LOSSES)
def test_image_gan(loss):
    with fake_cuda():
        task = SimpleNamespace(image_shape=(4, 5), target_dictionary=None)
        model = to_cuda(GANImage.build_model(GANImageConfig(), task))
        flags = AdversarialImageConfig(gan_loss=loss, r1_weight=1.0, r2_weight=1.0, seed=1)
        adversarial = CRITERION_REGISTRY["adversarial_image"](flags, task)
        images = on_cuda({"images": torch.ones(3, 4, 5)})
        sample = {"id": torch.arange(3), "net_input": images, "ntokens": 3, "nsentences": 3}
        for player in ("discriminator", "generator"):
            adversarial.begin_turn(player)
            check(*adversarial(model.train(), sample))
        check(*adversarial(model.eval(), sample))


def test_an_oracle_reads_samples_of_a_gpu(dictionary):
    """It stays on the CPU."""
    with fake_cuda():
        oracle = OracleLSTM(9, 4)
        assert oracle.nll(torch.ones(2, 3, device=DEVICE).long()).shape == (2,)


def test_a_tensor_on_the_cpu_is_found():
    with fake_cuda(), pytest.raises(RuntimeError, match="same device"):
        torch.ones(3, device=DEVICE) + torch.zeros(3)
