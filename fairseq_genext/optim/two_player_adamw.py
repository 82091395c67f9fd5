"""`two_player_adamw`: one optimizer for two networks that take turns (GAN).

Each player has its own AdamW state and learning rate. A step moves only the players it names: the
idle one keeps parameters and moments bit by bit. Skipping gradients alone would not do, because
data-parallel and fp16 training fill them with zeros and Adam then moves on by momentum.
"""

from dataclasses import dataclass, field

import torch
from fairseq.optim import register_optimizer

from fairseq_genext.errors import UsageError
from fairseq_genext.optim.fused_adamw import FusedAdamW, FusedAdamWConfig, decay_matrices_only

PLAYERS = ("generator", "discriminator")


@dataclass
class TwoPlayerAdamWConfig(FusedAdamWConfig):
    discriminator_lr: float = field(
        default=-1.0,
        metadata={
            "help": "learning rate of the discriminator; negative takes --lr, the "
            "generator's. A scheduler keeps the ratio of the two"
        },
    )


@register_optimizer("two_player_adamw", dataclass=TwoPlayerAdamWConfig)
class TwoPlayerAdamW(FusedAdamW):
    """AdamW over parameters that carry ``param_group``, "generator" or "discriminator".

    Raises:
        UsageError: some parameter belongs to no player: the model is not a GAN, or fp16 training
            has flattened both players into one tensor.
    """

    def parameter_groups(self, params: list) -> list[dict]:
        """Each player's matrices and vectors, in a fixed order, marked with the player's name."""
        by_player: dict[str, list] = {player: [] for player in PLAYERS}
        for param in params:
            player = getattr(param, "param_group", None)
            if player not in by_player:
                raise UsageError(
                    "--optimizer two_player_adamw needs a model whose parameters belong to a "
                    "generator or a discriminator (--arch gan_doc), and with --fp16 also "
                    "--fp16-no-flatten-grads"
                )
            by_player[player].append(param)
        return [
            {**group, "player": player}
            for player, own in by_player.items()
            for group in decay_matrices_only(own, self.cfg.weight_decay)
        ]

    def build_torch_optimizer(self, groups: list[dict]) -> torch.optim.Optimizer:
        """AdamW that can step some groups and leave the others."""
        optimizer = PlayerAdamW(groups, **self.optimizer_config, fused=True)
        self._optimizer = optimizer
        self.set_lr(self.optimizer_config["lr"])
        return optimizer

    def set_lr(self, lr: float) -> None:
        """Sets the generator's rate to ``lr`` and scales the discriminator's alike."""
        base = self.optimizer_config["lr"]
        own = self.cfg.discriminator_lr
        # With a base of 0 there is no ratio to keep, and the discriminator's rate stands.
        ratio = own / base if own >= 0 and base > 0 else 1.0
        discriminator_lr = own if own >= 0 and base == 0 else lr * ratio
        for group in self.param_groups:
            group["lr"] = lr if group["player"] == "generator" else discriminator_lr

    @property
    def supports_flat_params(self) -> bool:
        """A flattened tensor would mix the players."""
        return False


class PlayerAdamW(torch.optim.AdamW):
    """torch's AdamW with fairseq's ``groups``: the names of the players that move."""

    supports_groups = True

    def step(self, closure=None, groups=None):
        """Updates the parameter groups of the players in ``groups``, all of them if None."""
        every_group = self.param_groups
        if groups is not None:
            self.param_groups = [group for group in every_group if group["player"] in groups]
        try:
            return super().step(closure)
        finally:
            self.param_groups = every_group
