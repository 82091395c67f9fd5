"""Unrolls a decoder token by token, for training and validation.

Generation commands use fairseq's own ``SequenceGenerator``; this loop exists because a GAN's
samples must be able to carry a gradient, and to be drawn by the thousand.
"""

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from fairseq_genext.modules.conditions import Condition, draw_condition
from fairseq_genext.modules.words_only import never_written

BLOCK = 64  # entries of a vocabulary that are added up before one of them is looked for


@dataclass
class Samples:
    """A batch of sampled sequences, each with its end of sentence unless it was cut at the end.

    Attributes:
        tokens: ids ``(batch, time)``, padding after the end of sentence.
        mask: ``(batch, time)``, True up to and with the end of sentence.
        weights: ``(batch, time, vocabulary)``, what the sampled tokens look like to a network that
            sends a gradient back; None where tokens are plain ids.
        condition: what they were drawn from.
    """

    tokens: Tensor
    mask: Tensor
    weights: Tensor | None = None
    condition: Condition | None = None

    def __len__(self) -> int:
        return self.tokens.size(0)


def one_batch(parts: Sequence[Samples], pad: int) -> Samples:
    """Plain ids of several batches as one, padded as far as the longest; without conditions."""
    time = max(part.tokens.size(1) for part in parts)

    def together(tensors: list[Tensor], filling: int) -> Tensor:
        return torch.cat([F.pad(x, (0, time - x.size(1)), value=filling) for x in tensors])

    return Samples(
        together([part.tokens for part in parts], pad), together([part.mask for part in parts], 0)
    )


@dataclass(frozen=True)
class SampleLength:
    """How long samples are.

    Attributes:
        maximum: longest sample in tokens, end of sentence included.
        fixed: all samples are ``maximum`` words long, and there is no end of sentence.
        through_ends: all samples are ``maximum`` tokens long, and sentences end inside them.
    """

    maximum: int
    fixed: bool = False
    through_ends: bool = False

    def forbidden(self, dictionary) -> list[int]:
        """Ids that no sample has: what no text may have, and where length is fixed every special
        symbol."""
        never = never_written(dictionary)
        return sorted({*never, *range(dictionary.nspecial)}) if self.fixed else never


def unroll(
    decoder,
    batch_size: int,
    length: SampleLength,
    choose: Callable[[Tensor], tuple[Tensor, Tensor | None]],
    condition: Condition | None = None,
    feedback: bool = True,
    ends: bool = False,
) -> Samples:
    """Samples ``batch_size`` sequences.

    Args:
        decoder: an incremental decoder with ``embed_tokens``, ``dictionary`` and the argument
            ``token_embeddings``.
        batch_size: number of sequences.
        length: how long they are.
        choose: maps logits ``(batch, vocabulary)`` to token ids ``(batch,)`` and, for samples with
            a gradient, weights ``(batch, vocabulary)``.
        condition: what the decoder is given; fresh noise, where it takes any, if None.
        feedback: the next input is the mean of the embeddings by ``choose``'s weights, through
            which a gradient flows from step to step; otherwise it is the chosen token's embedding.
        ends: the gradient knows that an end takes away all that follows: weights of step t have the
            factor prod_{s < t} (1 - weight_s[end]), whose value is the mask's where weights are
            one-hot. Without it an end looks like one more word in the middle of a text, which no
            discriminator likes, and the generator learns never to end.
    """
    pad, eos = decoder.dictionary.pad(), decoder.dictionary.eos()
    device = decoder.embed_tokens.weight.device
    forbidden = torch.tensor(length.forbidden(decoder.dictionary), device=device)
    if condition is None:
        condition = draw_condition(decoder, batch_size)
    given = condition.read(decoder)
    # fairseq's language models start from the end of the sentence before.
    tokens = torch.full((batch_size, 1), eos, device=device)
    alive = torch.ones(batch_size, dtype=torch.bool, device=device)
    left = alive
    embeddings, state, masks, weights = None, {}, [], []
    for _ in range(length.maximum):
        logits, _ = decoder(
            tokens, incremental_state=state, token_embeddings=embeddings, **given.arguments
        )
        logits = logits[:, -1].float().index_fill_(1, forbidden, -torch.inf)
        chosen, weight = choose(logits)
        # Not written in place: the graph of a sample with a gradient holds the earlier tokens.
        tokens = torch.cat([tokens, torch.where(alive, chosen, pad).unsqueeze(1)], dim=1)
        masks.append(alive)
        if weight is not None:
            weights.append(weight * left.unsqueeze(1))
            if feedback:
                table = decoder.embed_tokens.weight
                embeddings = (weight.to(table.dtype) @ table).unsqueeze(1)
        if not length.through_ends:
            alive = alive & chosen.ne(eos)
            left = straight_through(alive.float(), left * (1 - weight[:, eos])) if ends else alive
        if not alive.any():
            break
    return Samples(
        tokens=tokens[:, 1:],
        mask=torch.stack(masks, dim=1),
        weights=torch.stack(weights, dim=1) if weights else None,
        condition=condition,
    )


def ancestral(logits: Tensor) -> tuple[Tensor, None]:
    """Draws from softmax(logits): the ``choose`` of plain samples."""
    uniform = torch.rand(logits.size(0), 1, device=logits.device)
    return inverse_cdf(logits, uniform).squeeze(1), None


def inverse_cdf(logits: Tensor, uniform: Tensor) -> Tensor:
    """Draws from softmax(logits) by one uniform number a draw.

    The draw is the first entry whose cumulated probability is above the number. (torch.multinomial
    draws a number for every entry.) It is looked for in two levels, the block of entries and the
    entry in the block, because a CPU adds up blocks many times as fast as it cumulates.

    Args:
        logits: ``(batch, vocabulary)``.
        uniform: ``(batch, draws)``, each in [0, 1).

    Returns:
        Ids ``(batch, draws)``.
    """
    probs = logits.softmax(dim=-1)
    vocabulary = probs.size(-1)
    whole = vocabulary // BLOCK
    blocks = probs[:, : whole * BLOCK].unflatten(-1, (whole, BLOCK)).sum(dim=-1)
    if whole * BLOCK < vocabulary:
        rest = probs[:, whole * BLOCK :].sum(dim=-1, keepdim=True)
        blocks = torch.cat([blocks, rest], dim=-1)
    cdf = blocks.cumsum(dim=-1)
    target = uniform * cdf[:, -1:]
    block = first_above(cdf, target)
    target = target - F.pad(cdf, (1, 0)).gather(1, block)
    entries = block.unsqueeze(-1) * BLOCK + torch.arange(BLOCK, device=block.device)
    behind = entries >= vocabulary  # in the last block, which may be short
    inside = probs.gather(1, entries.clamp(max=vocabulary - 1).flatten(1)).view_as(entries)
    cdf = inside.masked_fill(behind, 0.0).cumsum(dim=-1)
    return block * BLOCK + first_above(cdf, target.unsqueeze(-1)).squeeze(-1)


def first_above(cdf: Tensor, target: Tensor) -> Tensor:
    """Index of the first entry of ``(…, entries)`` cumulated values above each ``(…, draws)``."""
    total = cdf[..., -1:]
    # Rounding up to the total would point behind the last entry.
    target = torch.minimum(target, torch.nextafter(total, torch.zeros_like(total)))
    return torch.searchsorted(cdf, target, right=True)


def straight_through(value: Tensor, soft: Tensor) -> Tensor:
    """``value`` forward, the gradient of ``soft`` backward."""
    return value + (soft - soft.detach())


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


@contextlib.contextmanager
def without_dropout(*modules: nn.Module):
    """A context with gradient and without dropout in ``modules``, which stay in training mode.

    In evaluation mode cuDNN's RNNs have no gradient. Dropout has its probability under one of three
    names: torch's layers and fairseq's, RNNs, attentions.
    """
    found = [
        (part, name, getattr(part, name, None))
        for module in modules
        for part in module.modules()
        for name in ("p", "dropout", "attention_dropout")
    ]
    found = [(part, name, value) for part, name, value in found if isinstance(value, float)]
    for part, name, _ in found:
        setattr(part, name, 0.0)
    try:
        yield
    finally:
        for part, name, value in found:
            setattr(part, name, value)


@contextlib.contextmanager
def plain_sampling(*players: nn.Module):
    """A context without gradient and without dropout in ``players``, as generation commands run."""
    training = [player.training for player in players]
    for player in players:
        player.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        for player, mode in zip(players, training, strict=True):
            player.train(mode)
