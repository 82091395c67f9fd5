"""Prompts of several lengths in a batch, and ``--no-repeat-ngram-size``.

A text must not depend on the batch that it is generated in, with fairseq's own tasks either.
"""

import torch
from fairseq.ngram_repeat_block import NGramRepeatBlock
from fairseq.sequence_generator import SequenceGenerator
from torch import Tensor

from fairseq_genext.modules.prompts import END, hold_to_lengths
from fairseq_genext.patches.patch import patch


@patch(SequenceGenerator, "_prefix_tokens")
def hold_ended_prompts_to_lengths(
    force, self, step: int, lprobs, scores, tokens, prefix_tokens, beam_size: int
) -> tuple[Tensor, Tensor, Tensor]:
    """While one prompt of the batch goes on, fairseq forgets ``--min-len`` and suppressed tokens
    for all others.
    """
    forced = prefix_tokens.masked_fill(prefix_tokens.eq(END), self.pad)
    lprobs, tokens, scores = force(self, step, lprobs, scores, tokens, forced, beam_size)
    if self.token_indices_to_suppress is not None:
        free = forced[:, step].eq(self.pad).repeat_interleave(beam_size).nonzero()
        lprobs[free, self.token_indices_to_suppress.to(free)] = -torch.inf
    hold_to_lengths(self, step, lprobs, prefix_tokens, beam_size)
    return lprobs, tokens, scores


@patch(NGramRepeatBlock, "_no_repeat_ngram")
def forbid_repeated_ngrams(_, self, tokens, lprobs, bsz: int, beam_size: int, step: int) -> Tensor:
    """fairseq looks for the last words of a text at the end of its padded buffer, and so finds
    nothing to forbid; with size 1 it never does; and it would forbid the words of a prompt.

    Args:
        self: fairseq's module.
        tokens: what is written, from the token that every text starts from: ``(rows, longest)``.
        lprobs: ``(rows, vocabulary)``.
        bsz: number of texts.
        beam_size: rows of each.
        step: words that are written.
    """
    size = self.no_repeat_ngram_size
    text = tokens[:, 1 : step + 1]
    if text.size(1) < size:
        return lprobs
    ngrams = text.unfold(1, size, 1)  # (rows, n-grams, size)
    last = text[:, text.size(1) - size + 1 :].unsqueeze(1)
    rows, places = ngrams[..., :-1].eq(last).all(dim=2).nonzero(as_tuple=True)
    allowed = lprobs.index_put((rows, ngrams[rows, places, -1]), lprobs.new_tensor(-torch.inf))
    # A word of a prompt, or an end that is due, is all that may come.
    return torch.where(allowed.isneginf().all(dim=1, keepdim=True), lprobs, allowed)
