"""Unrolls a decoder token by token from nothing, for training and validation.

Generation commands use fairseq's own ``SequenceGenerator``; this loop exists because a GAN's
samples must be able to carry a gradient.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F


@dataclass
class Samples:
    """A batch of sampled sequences, each with its end of sentence unless it was cut at the end.

    Attributes:
        tokens: ids ``(batch, time)``, padding after the end of sentence.
        mask: ``(batch, time)``, True up to and with the end of sentence.
        weights: ``(batch, time, vocabulary)``, what the sampled tokens look like to a network that
            sends a gradient back; None where tokens are plain ids.
    """

    tokens: Tensor
    mask: Tensor
    weights: Tensor | None = None


def unroll(
    decoder,
    batch_size: int,
    max_length: int,
    choose: Callable[[Tensor], tuple[Tensor, Tensor | None]],
) -> Samples:
    """Samples ``batch_size`` sequences of at most ``max_length`` tokens.

    Args:
        decoder: an incremental decoder with ``embed_tokens``, ``dictionary`` and the argument
            ``token_embeddings``.
        batch_size: number of sequences.
        max_length: longest sequence, end of sentence included.
        choose: maps logits ``(batch, vocabulary)`` to token ids ``(batch,)`` and, for samples with
            a gradient, weights ``(batch, vocabulary)``. A weighted mean of embeddings is then the
            next input.
    """
    pad, eos = decoder.dictionary.pad(), decoder.dictionary.eos()
    device = decoder.embed_tokens.weight.device
    # fairseq's language models start from the end of the sentence before.
    tokens = torch.full((batch_size, 1), eos, device=device)
    alive = torch.ones(batch_size, dtype=torch.bool, device=device)
    embeddings, state, masks, weights = None, {}, [], []
    for _ in range(max_length):
        logits, _ = decoder(tokens, incremental_state=state, token_embeddings=embeddings)
        logits = logits[:, -1].float()
        logits = logits.index_fill(1, torch.tensor([pad], device=device), -torch.inf)
        chosen, weight = choose(logits)
        # Not written in place: the graph of a sample with a gradient holds the earlier tokens.
        tokens = torch.cat([tokens, torch.where(alive, chosen, pad).unsqueeze(1)], dim=1)
        masks.append(alive)
        if weight is not None:
            weights.append(weight * alive.unsqueeze(1))
            table = decoder.embed_tokens.weight
            embeddings = (weight.to(table.dtype) @ table).unsqueeze(1)
        alive = alive & chosen.ne(eos)
        if not alive.any():
            break
    return Samples(
        tokens=tokens[:, 1:],
        mask=torch.stack(masks, dim=1),
        weights=torch.stack(weights, dim=1) if weights else None,
    )


def ancestral(logits: Tensor) -> tuple[Tensor, None]:
    """Draws from softmax(logits): the ``choose`` of plain samples."""
    return torch.multinomial(logits.softmax(dim=-1), 1).squeeze(1), None


def gumbel_softmax(logits: Tensor, temperature: float, hard: bool) -> tuple[Tensor, Tensor]:
    """Draws a relaxed one-hot vector (Jang et al. 2017, https://arxiv.org/abs/1611.01144, eq. 2).

    Args:
        logits: ``(batch, vocabulary)``.
        temperature: towards 0 the sample nears one-hot.
        hard: straight-through, one-hot forward and the relaxed sample's gradient backward.

    Returns:
        The ids of the largest entries ``(batch,)``, and the sample ``(batch, vocabulary)``.
    """
    weights = F.gumbel_softmax(logits, tau=temperature, hard=hard)
    return weights.argmax(dim=-1), weights
