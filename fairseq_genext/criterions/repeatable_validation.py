"""Validation that draws at random, and yet alike every time."""

import contextlib

import torch

# fairseq seeds the updates of training with --seed, --seed + 1, and so on. Samples drawn under the
# same numbers would be those that a discriminator has learned.
APART_FROM_UPDATES = 2**31


class RepeatableValidation:
    """Mixin for criterions with a ``seed``."""

    @contextlib.contextmanager
    def validation_randomness(self, sample):
        """Draws that are the same at every validation and leave training's stream alone."""
        ids = sample["id"]
        with torch.random.fork_rng([ids.device] if ids.is_cuda else []):
            torch.manual_seed(APART_FROM_UPDATES + self.seed + int(ids.min()))
            yield
