"""Clipping by value, weight decay and turns, against torch's own AdamW."""

from types import SimpleNamespace

import pytest
import torch
from fairseq.optim import AMPOptimizer

from fairseq_genext.errors import UsageError
from fairseq_genext.optim.fused_adamw import FusedAdamW, FusedAdamWConfig
from fairseq_genext.optim.muon import Muon, MuonConfig
from fairseq_genext.optim.two_player_adamw import TwoPlayerAdamW, TwoPlayerAdamWConfig


def parameters(seed=1):
    torch.manual_seed(seed)
    return [torch.nn.Parameter(torch.randn(4, 3)), torch.nn.Parameter(torch.randn(3))]


def steps(optimizer, params, number=3, groups=None):
    torch.manual_seed(5)
    for _ in range(number):
        for param in params:
            param.grad = torch.randn_like(param) * 3
        optimizer.step(groups=groups) if groups else optimizer.step()


def test_equals_torch_with_decay_on_matrices_only():
    mine, theirs = parameters(), parameters()
    flags = FusedAdamWConfig(lr=[0.1], adam_betas="(0.8, 0.9)", adam_eps=1e-6, weight_decay=0.3)
    steps(FusedAdamW(flags, mine), mine)
    groups = [{"params": theirs[:1], "weight_decay": 0.3}, {"params": theirs[1:]}]
    reference = torch.optim.AdamW(groups, lr=0.1, betas=(0.8, 0.9), eps=1e-6, weight_decay=0.0)
    steps(reference, theirs)
    for one, other in zip(mine, theirs, strict=True):
        torch.testing.assert_close(one, other)


def test_weight_decay_of_what_fp16_has_flattened():
    """fairseq joins all parameters to one vector, in which no matrix is left to decay."""
    flat = torch.nn.Parameter(torch.randn(15))
    with pytest.raises(UsageError, match="add --fp16-no-flatten-grads"):
        FusedAdamW(FusedAdamWConfig(lr=[0.1], weight_decay=0.3), [flat])
    FusedAdamW(FusedAdamWConfig(lr=[0.1]), [flat])


def test_clip_value_steps_on_exactly_the_clamped_gradient():
    mine, theirs = parameters(), parameters()
    optimizer = FusedAdamW(FusedAdamWConfig(lr=[0.1], clip_value=0.5), mine)
    reference = torch.optim.AdamW(theirs, lr=0.1, weight_decay=0.0, fused=True)
    torch.manual_seed(5)
    for _ in range(3):
        for one, other in zip(mine, theirs, strict=True):
            gradient = torch.randn_like(one)
            one.grad, other.grad = gradient.clone(), gradient.clamp(-0.5, 0.5)
        optimizer.step()
        assert all(param.grad.abs().max() <= 0.5 for param in mine)
        reference.step()
    assert all(torch.equal(one, other) for one, other in zip(mine, theirs, strict=True))


def test_clip_value_under_automatic_mixed_precision():
    """fairseq's --amp, with a scaler that works on the CPU: the unscaled gradient is clamped."""
    mine, theirs = parameters(), parameters()
    optimizer = FusedAdamW(FusedAdamWConfig(lr=[0.1], clip_value=0.5), mine)
    common = SimpleNamespace(fp16_init_scale=4.0, amp_scale_window=None, min_loss_scale=1e-4)
    scaled = AMPOptimizer(SimpleNamespace(common=common, optimizer=None), mine, optimizer)
    scaled._grad_scaler = torch.amp.GradScaler("cpu", init_scale=1024.0)
    reference = torch.optim.AdamW(theirs, lr=0.1, weight_decay=0.0, fused=True)
    torch.manual_seed(5)
    for finite in (True, False, True):
        weights = [torch.randn_like(param) for param in mine]
        weights[0][0, 0] *= 1.0 if finite else float("inf")
        scaled.zero_grad()
        scaled.backward(sum((w * p).sum() for w, p in zip(weights, mine, strict=True)))
        scaled.clip_grad_norm(0)
        scaled.step()
        if finite:
            for weight, param in zip(weights, theirs, strict=True):
                param.grad = weight.clamp(-0.5, 0.5)
            reference.step()
        for one, other in zip(mine, theirs, strict=True):
            torch.testing.assert_close(one, other)


def test_negative_clip_value():
    with pytest.raises(UsageError, match="--clip-value is -1"):
        FusedAdamW(FusedAdamWConfig(lr=[0.1], clip_value=-1), parameters())


@pytest.fixture
def players():
    generator, discriminator = parameters(1), parameters(2)
    for params, player in ((generator, "generator"), (discriminator, "discriminator")):
        for param in params:
            param.param_group = player
    return generator, discriminator


def two_player(players, **flags):
    flags = {"lr": [0.1], "discriminator_lr": 0.02, **flags}
    return TwoPlayerAdamW(TwoPlayerAdamWConfig(**flags), [*players[0], *players[1]])


@pytest.mark.parametrize("moving", [0, 1])
def test_only_the_named_player_moves(players, moving):
    optimizer = two_player(players)
    name = ("generator", "discriminator")[moving]
    everything = [*players[0], *players[1]]
    steps(optimizer, everything)  # both have momentum now
    before = [param.detach().clone() for param in players[1 - moving]]
    moments = [dict(optimizer.optimizer.state[param]) for param in players[1 - moving]]
    copies = [{key: value.clone() for key, value in moment.items()} for moment in moments]
    steps(optimizer, everything, groups={name})
    for old, param, copy in zip(before, players[1 - moving], copies, strict=True):
        assert torch.equal(old, param)
        state = optimizer.optimizer.state[param]
        assert all(torch.equal(copy[key], state[key]) for key in copy)
    assert len(optimizer.param_groups) == 4


def test_a_player_moves_as_under_an_optimizer_of_its_own(players):
    alone = parameters(2)
    reference = torch.optim.AdamW(alone, lr=0.02, weight_decay=0.0, fused=True)
    optimizer = two_player(players)
    steps(optimizer, players[1], groups={"discriminator"})
    steps(reference, alone)
    assert all(torch.equal(one, other) for one, other in zip(players[1], alone, strict=True))


def test_schedulers_keep_the_ratio(players):
    def rates(optimizer):
        return {group["player"]: group["lr"] for group in optimizer.param_groups}

    optimizer = two_player(players)
    assert rates(optimizer) == {"generator": 0.1, "discriminator": 0.02}
    optimizer.set_lr(0.05)
    assert rates(optimizer) == pytest.approx({"generator": 0.05, "discriminator": 0.01})
    assert optimizer.get_lr() == 0.05
    optimizer = two_player(players, discriminator_lr=-1.0)
    assert rates(optimizer) == {"generator": 0.1, "discriminator": 0.1}
    optimizer = two_player(players, lr=[0.0], discriminator_lr=0.3)
    optimizer.set_lr(0.0)
    assert rates(optimizer) == {"generator": 0.0, "discriminator": 0.3}


def test_parameters_without_a_player():
    with pytest.raises(UsageError, match="two_player_adamw needs a model"):
        TwoPlayerAdamW(TwoPlayerAdamWConfig(lr=[0.1]), parameters())


def matrices(seed=1):
    """A square and a long matrix, an embedding and a vector."""
    torch.manual_seed(seed)
    params = [torch.nn.Parameter(torch.randn(*shape)) for shape in ((4, 4), (8, 4), (9, 4), (4,))]
    params[2].param_group = "embedding"
    return params


MUON = MuonConfig(lr=[0.1], adam_betas="(0.8, 0.9)", adam_eps=1e-6, weight_decay=0.3)


def test_muon_steps_by_torchs_muon_and_adamw():
    mine, theirs = matrices(), matrices()
    steps(Muon(MUON, mine), mine)
    muon = torch.optim.Muon(
        theirs[:2], lr=0.1, weight_decay=0.3, momentum=0.95, adjust_lr_fn="match_rms_adamw"
    )
    groups = [{"params": theirs[2:3], "weight_decay": 0.3}, {"params": theirs[3:]}]
    adamw = torch.optim.AdamW(groups, lr=0.1, betas=(0.8, 0.9), eps=1e-6, weight_decay=0.0)
    steps(SimpleNamespace(step=lambda: (muon.step(), adamw.step())), theirs)
    for one, other in zip(mine, theirs, strict=True):
        torch.testing.assert_close(one, other)


def test_muon_turns_a_gradient_into_an_orthogonal_step():
    """Of a square matrix, 0.2 * sqrt(4) * lr times one whose singular values are about 1."""
    param = torch.nn.Parameter(torch.zeros(4, 4))
    optimizer = Muon(MuonConfig(lr=[0.1]), [param])
    param.grad = torch.diag(torch.tensor([100.0, 1.0, 1.0, 0.5]))
    optimizer.step()
    values = torch.linalg.svdvals(param.detach()) / (0.2 * 2 * 0.1)
    assert values.min() > 0.3 and values.max() < 1.3


def test_muon_goes_on_from_its_state():
    whole, half = matrices(), matrices()
    optimizer = Muon(MUON, whole)
    steps(optimizer, whole)
    first = Muon(MUON, half)
    steps(first, half)
    second = Muon(MUON, half)
    second.load_state_dict(first.state_dict())
    steps(optimizer, whole)
    steps(second, half)
    assert all(torch.equal(one, other) for one, other in zip(whole, half, strict=True))


def test_muon_without_matrices():
    with pytest.raises(UsageError, match="--optimizer muon finds no matrix: with --fp16 add"):
        Muon(MUON, [torch.nn.Parameter(torch.randn(15))])
