"""What a checkpoint holds of the two players of a text GAN, to compare bit by bit."""

import shutil

import torch

PLAYERS = {"decoder": "generator", "discriminator": "discriminator"}


def states(checkpoint):
    """Parameters and optimizer moments of each player."""
    optimizer = checkpoint["last_optimizer_state"]
    moments = {player: [] for player in PLAYERS.values()}
    for group in optimizer["param_groups"]:
        for index in group["params"]:
            moments[group["player"]].append(optimizer["state"].get(index, {}))
    model = checkpoint["model"]
    return {
        prefix: (
            {name: value for name, value in model.items() if name.startswith(prefix)},
            moments[player],
        )
        for prefix, player in PLAYERS.items()
    }


def checkpoints_by_update(folder):
    """Every checkpoint that ``--save-interval-updates`` has left, by update."""
    return {
        int(path.stem.split("_")[-1]): torch.load(path, weights_only=True)
        for path in folder.glob("checkpoint_*_*.pt")
    }


def start_from(folder, update, other):
    """Makes a folder ``other`` in which the training of ``folder`` goes on after ``update``."""
    other.mkdir()
    (saved,) = folder.glob(f"checkpoint_*_{update}.pt")
    shutil.copy(saved, other / "checkpoint_last.pt")
    return other


def states_by_update(folder):
    """``states`` of those checkpoints, by update."""
    return {update: states(saved) for update, saved in checkpoints_by_update(folder).items()}


def equal(one, other) -> bool:
    """Bitwise equality of nested dicts, lists and tensors."""
    if isinstance(one, torch.Tensor):
        return torch.equal(one, other)
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(equal(one[key], other[key]) for key in one)
    if isinstance(one, (list, tuple)):
        return len(one) == len(other) and all(map(equal, one, other))
    return one == other


def check_moves(found, moves) -> None:
    """Between checkpoints of ``states_by_update`` the player in ``moves`` moved, alone.

    Args:
        found: states after update 1, 2, …
        moves: who made update 1, 2, …: ``decoder`` or ``discriminator``.
    """
    for update in range(2, len(moves) + 1):
        moving = moves[update - 1]
        (idle,) = {*PLAYERS} - {moving}
        assert equal(found[update - 1][idle], found[update][idle]), (update, idle)
        assert not equal(found[update - 1][moving][0], found[update][moving][0]), (update, moving)
