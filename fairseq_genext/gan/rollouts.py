"""Monte-Carlo rollouts: what a sampled text is worth after each of its tokens.

    Q(y_1..t) = 1/N sum_n reward(y_1..t completed by the generator),   Q(y_1..T) = reward(y)

SeqGAN (Yu et al. 2017, https://arxiv.org/abs/1609.05473, equation 4). Completions of all prefixes
and all N repeats grow together as one batch: the sample's own row branches after every token, with
the state that it has there, so that no prefix is read twice and a finished completion costs
nothing.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from fairseq_genext.modules.conditions import Condition, draw_condition
from fairseq_genext.modules.samplers import SampleLength, Samples, inverse_cdf

PROJECTED_ROWS = 128  # rows of logits at a time: as many as stay near a CPU's cores
PROJECTED_ON_GPU = 4096  # as many as fit in memory, since each piece costs a dozen calls


@dataclass
class Completions:
    """Every completion of every prefix of a batch of samples.

    Attributes:
        tokens: ids ``(completions, time)``, padded.
        mask: ``(completions, time)``, True up to and with the end of sentence.
        sample: ``(completions,)``, which sample each continues.
        prefix: ``(completions,)``, how many of its tokens it keeps.
    """

    tokens: Tensor
    mask: Tensor
    sample: Tensor
    prefix: Tensor


@dataclass
class Draws:
    """The random numbers of a batch with its rollouts, all drawn at once, in [0, 1).

    Attributes:
        samples: ``(batch, time)``, one for each token of the samples.
        completions: ``(batch, prefix - 1, rollout, time)``, one for each token of the completions.
    """

    samples: Tensor
    completions: Tensor

    @classmethod
    def fresh(cls, batch_size: int, rollouts: int, steps: int, device) -> "Draws":
        """Numbers from torch's stream."""
        return cls(
            torch.rand(batch_size, steps, device=device),
            torch.rand(batch_size, max(steps - 1, 0), rollouts, steps, device=device),
        )


def sample_with_rollouts(
    decoder,
    batch_size: int,
    length: SampleLength,
    rollouts: int,
    condition: Condition | None = None,
    draws: Draws | None = None,
) -> tuple[Samples, Completions]:
    """Samples sequences, and ``rollouts`` completions of each of their proper prefixes.

    Args:
        decoder: an incremental decoder with ``embed_tokens``, ``dictionary``, ``output_layer`` and
            the argument ``features_only``.
        batch_size: number of samples.
        length: how long they are.
        rollouts: completions of a prefix.
        condition: what the decoder is given; fresh noise, where it takes any, if None.
        draws: random numbers; fresh ones if None.
    """
    pad, eos = decoder.dictionary.pad(), decoder.dictionary.eos()
    device = decoder.embed_tokens.weight.device
    forbidden = torch.tensor(length.forbidden(decoder.dictionary), device=device)
    steps = length.maximum
    if condition is None:
        condition = draw_condition(decoder, batch_size)
    if draws is None:
        draws = Draws.fresh(batch_size, rollouts, steps, device)
    # Rows 0 … batch_size - 1 are the samples, those behind are the completions as they branch off.
    capacity = batch_size * (1 + rollouts * (steps - 1))
    tokens = torch.full((capacity, steps), pad, device=device)
    sample = torch.arange(batch_size, device=device).repeat(capacity // batch_size)
    prefix = torch.zeros(capacity, dtype=torch.long, device=device)
    repeat = torch.zeros(capacity, dtype=torch.long, device=device)
    used = batch_size

    def draw(features: Tensor, uniform: Tensor) -> Tensor:
        logits = decoder.output_layer(features).float().index_fill_(1, forbidden, -torch.inf)
        return inverse_cdf(logits, uniform)

    def draw_in_pieces(features: Tensor, uniform: Tensor) -> Tensor:
        at_once = PROJECTED_ON_GPU if features.is_cuda else PROJECTED_ROWS
        pieces = zip(features.split(at_once), uniform.split(at_once), strict=True)
        return torch.cat([draw(some, numbers) for some, numbers in pieces])

    rows = torch.arange(batch_size, device=device)  # whose turn it is to grow
    previous = torch.full((batch_size, 1), eos, device=device)
    state: dict = {}
    given = condition.read(decoder)
    for step in range(steps):
        features, _ = decoder(
            previous, incremental_state=state, features_only=True, **given.arguments
        )
        features = features[:, -1]
        # What was drawn up to here are samples, which come first, and completions that live on;
        # each sample alive also branches here, into completions that keep the tokens before this
        # step and are drawn from the same probabilities.
        alive = int(rows.lt(batch_size).sum())
        own, others = rows[:alive], rows[alive:]
        uniform = draws.samples[own, step].unsqueeze(1)
        parents = torch.arange(rows.size(0), device=device)
        if step > 0 and rollouts > 0:
            uniform = torch.cat([uniform, draws.completions[own, step - 1, :, step]], dim=1)
            new = torch.arange(used, used + alive * rollouts, device=device)
            origin = own.repeat_interleave(rollouts)
            tokens[new, :step] = tokens[origin, :step]
            sample[new], prefix[new] = origin, step
            repeat[new] = torch.arange(rollouts, device=device).repeat(alive)
            used += new.size(0)
            parents = torch.cat([parents, parents[:alive].repeat_interleave(rollouts)])
            rows = torch.cat([rows, new])
        drawn = draw_in_pieces(features[:alive], uniform)
        chosen = [drawn[:, 0]]
        if others.size(0) > 0:
            place = (sample[others], prefix[others] - 1, repeat[others], step)
            uniform = draws.completions[place].unsqueeze(1)
            chosen.append(draw_in_pieces(features[alive:], uniform).squeeze(1))
        chosen = torch.cat([*chosen, drawn[:, 1:].flatten()])
        tokens[rows, step] = chosen
        going = chosen.ne(eos).nonzero().squeeze(1)
        if going.size(0) == 0:
            break
        if step + 1 < steps:
            rows, parents = rows[going], parents[going]
            previous = F.pad(tokens[rows, : step + 1], (1, 0), value=eos)
            decoder.reorder_incremental_state_scripting(state, parents)
            given = given.select(parents)
    tokens = tokens[:used, : step + 1]
    mask = tokens.ne(pad)
    own, behind = slice(batch_size), slice(batch_size, used)
    return (
        Samples(tokens[own], mask[own], condition=condition),
        Completions(tokens[behind], mask[behind], sample[behind], prefix[behind]),
    )


def rollout_rewards(
    samples: Samples,
    completions: Completions,
    rollouts: int,
    reward: Callable[[Samples, Tensor], Tensor],
    rows: int,
) -> Tensor:
    """Q of every token, ``(batch, time)``, 0 in the padding.

    Args:
        samples: the sampled texts.
        completions: ``rollouts`` completions of each proper prefix of each sample.
        rollouts: completions of a prefix.
        reward: maps texts, and which sample each of them is or continues, to rewards
            ``(sequences,)``.
        rows: how many completions it is given at a time.
    """
    lengths = samples.mask.sum(dim=1)
    values = samples.mask.new_zeros(samples.tokens.shape, dtype=torch.float)
    last = (torch.arange(len(samples), device=lengths.device), lengths - 1)
    values[last] = reward(samples, last[0]).float()
    if completions.tokens.size(0) > 0:
        pieces = torch.arange(completions.tokens.size(0), device=lengths.device).split(rows)
        earned = torch.cat(
            [
                reward(
                    Samples(
                        completions.tokens[some],
                        completions.mask[some],
                        condition=samples.condition.select(completions.sample[some]),
                    ),
                    completions.sample[some],
                ).float()
                for some in pieces
            ]
        )
        values.index_put_(
            (completions.sample, completions.prefix - 1), earned / rollouts, accumulate=True
        )
    return values
