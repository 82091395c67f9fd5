"""Validation that draws at random, and yet alike every time."""

import contextlib

import torch


class RepeatableValidation:
    """Mixin for criterions with a ``seed``."""

    @contextlib.contextmanager
    def validation_randomness(self, sample):
        """Draws that are the same at every validation and leave training's stream alone."""
        ids = sample["id"]
        with torch.random.fork_rng([ids.device] if ids.is_cuda else []):
            torch.manual_seed(self.seed + int(ids.min()))
            yield
