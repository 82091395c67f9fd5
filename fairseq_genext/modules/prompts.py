"""Continues prompts of several lengths in one batch, each as if it were alone.

fairseq's generator counts a prompt as output: in ``--max-len-b``, ``--min-len``, scores and what it
writes. And a prompt that is shorter than another of its batch is held to no ``--min-len`` until the
longer one ends. Here lengths count new tokens, and a hypothesis is what follows its prompt.
"""

import contextlib
from collections.abc import Iterator

import torch
from fairseq.sequence_generator import SequenceGenerator
from torch import Tensor

END = -1  # where a row of prefix tokens has this, its text ends


def limits(generator: SequenceGenerator, sample: dict, lengths: Tensor) -> Tensor:
    """Where each text ends at the latest, its prompt included: ``(batch,)``.

    A text has at most ``--max-len-a`` times its own source's length plus ``--max-len-b`` new
    tokens, end of sentence left out, and no more than the model has positions.

    Args:
        generator: of fairseq.
        sample: fairseq's batch.
        lengths: of the prompts, ``(batch,)``.
    """
    new = generator.max_len_a * sample["net_input"]["src_lengths"] + generator.max_len_b
    return (lengths + new.to(lengths)).clamp(max=generator.max_len - 1)


def continued(
    generator: SequenceGenerator, models: list, sample: dict, prompts: Tensor, bos: int
) -> list[list[dict[str, Tensor]]]:
    """Hypotheses of each prompt, best first: tokens and scores of what follows it.

    Args:
        generator: of fairseq.
        models: an ensemble.
        sample: fairseq's batch.
        prompts: ``(batch, longest)``, padded on the right.
        bos: what every text starts from.
    """
    lengths = prompts.ne(generator.pad).sum(dim=1)
    ends = limits(generator, sample, lengths)
    longest = int(ends.max())
    rows = prompts.new_full((len(prompts), longest + 1), generator.pad)
    rows[:, : prompts.size(1)] = prompts
    rows.scatter_(1, ends.unsqueeze(1), END)
    with at_most(generator, longest):
        found = generator.generate(models, sample, prefix_tokens=rows, bos_token=bos)
    for hypotheses, length in zip(found, lengths.tolist(), strict=True):
        keep(generator, hypotheses, slice(length, None))
    return found


def keep(generator: SequenceGenerator, hypotheses: list[dict[str, Tensor]], part: slice) -> None:
    """Cuts the hypotheses of a text to a part of their tokens, and scores and orders them by it."""
    for hypothesis in hypotheses:
        for key in ("tokens", "positional_scores"):
            hypothesis[key] = hypothesis[key][part]
        total = hypothesis["positional_scores"].sum()
        length = len(hypothesis["tokens"]) if generator.normalize_scores else 1
        hypothesis["score"] = total / length**generator.len_penalty
    hypotheses.sort(key=lambda hypothesis: hypothesis["score"], reverse=True)


@contextlib.contextmanager
def at_most(generator: SequenceGenerator, length: int) -> Iterator[None]:
    """A context in which texts, prompts included, have at most ``length`` tokens."""
    before = generator.max_len_a, generator.max_len_b, generator.min_len
    generator.max_len_a, generator.max_len_b = 0, length
    generator.min_len = min(generator.min_len, length)  # the positions may leave no more
    try:
        yield
    finally:
        generator.max_len_a, generator.max_len_b, generator.min_len = before


def hold_to_lengths(
    generator: SequenceGenerator, step: int, lprobs: Tensor, prefix: Tensor, beam: int
) -> None:
    """Forbids an end that comes too early, and forces the one that is due.

    Args:
        generator: of fairseq.
        step: tokens that a text has by now, its prompt included.
        lprobs: ``(batch × beam, vocabulary)``, changed in place.
        prefix: tokens to force, then padding, then perhaps ``END``: ``(batch, longest)``.
        beam: hypotheses of a text.
    """
    due = prefix.eq(END)
    # Of fairseq's own prefixes no end is known, and --min-len counts them.
    counted = prefix.ne(generator.pad).sum(dim=1) - 1
    begun = torch.where(due.any(dim=1), counted, 0)
    early = prefix[:, step].eq(generator.pad) & (step - begun < generator.min_len)
    lprobs[early.repeat_interleave(beam), generator.eos] = -torch.inf
    stops = due[:, step].repeat_interleave(beam).nonzero()
    others = torch.arange(lprobs.size(1), device=lprobs.device).ne(generator.eos)
    lprobs[stops, others.nonzero().squeeze(1)] = -torch.inf
