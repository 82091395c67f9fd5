"""Text GANs taken through turns by hand, as the trainer takes them, and through a reload."""

import copy

import torch
from fairseq.criterions import CRITERION_REGISTRY
from gan_options import Task
from gan_states import equal
from small_models import initialised

from fairseq_genext.criterions.adversarial import AdversarialConfig
from fairseq_genext.gan.schedule import Phase, Turn
from fairseq_genext.optim.two_player_adamw import TwoPlayerAdamW, TwoPlayerAdamWConfig


def criterion(dictionary, **flags):
    config = AdversarialConfig(max_sample_length=5, fixed_length=False, seed=1, **flags)
    return CRITERION_REGISTRY["adversarial"](config, Task(dictionary))


def has_gradient(module) -> bool:
    """Whether any gradient of ``module`` is not zero; all must be finite."""
    gradients = [param.grad for param in module.parameters() if param.grad is not None]
    assert all(gradient.isfinite().all() for gradient in gradients)
    return sum(gradient.abs().sum() for gradient in gradients) > 0


def weights(parts) -> list[dict]:
    return [part.state_dict() for part in parts]


def train_in_turns(model, adversarial, sample, case) -> None:
    """Two rounds of turns, in each of which one player gets a gradient and moves, alone.

    Args:
        model: a GAN in training mode.
        adversarial: its criterion.
        sample: a batch.
        case: named by the assertion that fails.
    """
    translator = [model.encoder] if hasattr(model, "encoder") else []
    players = {"discriminator": [model.discriminator], "generator": [*translator, model.decoder]}
    flags = TwoPlayerAdamWConfig(lr=[0.01], weight_decay=0.0)
    optimizer = TwoPlayerAdamW(flags, list(model.parameters()))
    torch.manual_seed(4)
    for player in 2 * ("discriminator", "generator"):
        (idle,) = players.keys() - {player}
        before = {name: copy.deepcopy(weights(parts)) for name, parts in players.items()}
        model.zero_grad()
        adversarial.begin_turn(Turn(Phase.TURNS, player, 3))
        value, size, log = adversarial(model, sample)
        assert torch.isfinite(value) and size == sample["nsentences"]
        penalised = player == "discriminator" and bool(adversarial.loss.penalties)
        assert ("gradient_penalty" in log) == penalised, (case, player)
        value.backward()
        assert all(map(has_gradient, players[player])), (case, player)
        for param in (param for part in players[idle] for param in part.parameters()):
            assert param.grad is None and param.requires_grad, (case, player)
            param.grad = torch.zeros_like(param)  # as data-parallel training fills them
        optimizer.step(groups={player})
        for own, old in zip(weights(players[player]), before[player], strict=True):
            assert not equal(own, old), (case, player)
        assert equal(weights(players[idle]), before[idle]), (case, player)


def check_reload(model, config, dictionary, draw) -> None:
    """Another model with the weights of ``model`` draws what it draws, and did not before.

    Args:
        draw: takes a model, returns tokens ``(batch, time)``.
    """
    fresh = initialised(config, dictionary)
    assert not equal(fresh.state_dict(), model.state_dict())
    fresh.load_state_dict(model.state_dict())
    draws = []
    for one in (model.eval(), fresh.eval()):
        torch.manual_seed(5)
        with torch.no_grad():
            draws.append(draw(one))
    assert torch.equal(*draws) and len(draws[0].unique(dim=0)) > 1
