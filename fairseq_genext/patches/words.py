"""``<s>``, padding and made-up words are never written, by whatever search and whatever model.

fairseq forbids padding alone. Likelihoods are as before: the other words keep their probabilities.
"""

import torch
from fairseq import search
from torch import Tensor

from fairseq_genext.modules.words_only import never_written
from fairseq_genext.patches.patch import patch


@patch(search.Search, "__init__")
def know_what_is_no_word(init, self, tgt_dict, *args, **kwargs) -> None:
    """A search is built from the dictionary, and keeps only its size."""
    init(self, tgt_dict, *args, **kwargs)
    self.never_written = torch.tensor(never_written(tgt_dict))


def words_alone(self, lprobs: Tensor) -> Tensor:
    """Forbids what is no word, in place; one that is forced, as by a prompt, stays.

    Args:
        self: a search.
        lprobs: ``(batch, beam, vocabulary)``.
    """
    never = self.never_written = self.never_written.to(lprobs.device)
    held = lprobs[..., never]
    lprobs[..., never] = -torch.inf
    forced = lprobs.amax(dim=-1, keepdim=True).isneginf()
    lprobs[..., never] = held.masked_fill(~forced, -torch.inf)
    return lprobs


for _search in (
    search.BeamSearch, search.DiverseBeamSearch, search.DiverseSiblingsSearch,
    search.LengthConstrainedBeamSearch, search.LexicallyConstrainedBeamSearch,
    search.PrefixConstrainedBeamSearch,
):  # fmt: skip

    @patch(_search, "step")
    def rank_words(step_of, self, step: int, lprobs, *args, **kwargs):
        """The candidates of one step."""
        return step_of(self, step, words_alone(self, lprobs), *args, **kwargs)


@patch(search.Sampling, "step")
def draw_words(step_of, self, step: int, lprobs, *args, **kwargs) -> tuple[Tensor, Tensor, Tensor]:
    """Draws from what is left, of which ``--sampling-topp`` is a share too.

    It is brought to a sum of 1 first: that of a prompt's word, the only one left, is all but 0
    where the model holds it for impossible, as at a low temperature, and then fairseq has nothing
    to draw from. Scores are those of the model all the same.
    """
    lprobs = words_alone(self, lprobs)
    left = lprobs.logsumexp(dim=-1, keepdim=True)
    scores, words, beams = step_of(self, step, lprobs - left, *args, **kwargs)
    return scores + left.squeeze(-1), words, beams
