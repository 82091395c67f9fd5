"""``--diverse-beam-groups`` counts the words that groups share for each sentence of a batch."""

from fairseq import search

from fairseq_genext.patches.patch import patch


@patch(search.DiverseBeamSearch, "step")
def count_by_place(
    step_of, self, step: int, lprobs, scores, prev_output_tokens=None, original_batch_idxs=None
):
    """The candidates of one step.

    fairseq looks a sentence's counts up by its number in the data (``original_batch_idxs``, of
    the sentences that are not finished, each int64) in a table of the batch's size: it counts for
    another sentence, or ends in an ``IndexError``.
    """
    if step == 0:
        self.batch_ids = original_batch_idxs
    places = (original_batch_idxs[:, None] == self.batch_ids[None]).int().argmax(1)
    return step_of(self, step, lprobs, scores, prev_output_tokens, places)
