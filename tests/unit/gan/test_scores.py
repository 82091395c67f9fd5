"""The mean that a loss takes over a discriminator's logits."""

import torch

from fairseq_genext.gan.scores import Scores


def test_mean_reads_only_what_counts():
    logits = torch.tensor([[1.0, 2.0, 6.0], [4.0, torch.nan, torch.inf]])
    mask = torch.tensor([[True, True, True], [True, False, False]])
    scores = Scores(logits, mask, per_token=True)
    assert scores.mean().tolist() == [3.0, 4.0]
    torch.testing.assert_close(scores.mean(logits.square()), torch.tensor([41 / 3, 16.0]))


def test_scores_of_sequences_all_count():
    scores = Scores.of_sequences(torch.tensor([[1.0, 3.0], [0.0, -1.0]]))
    assert scores.mask.all() and not scores.per_token
    assert scores.mean().tolist() == [2.0, -0.5]
