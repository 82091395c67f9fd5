"""Source and target as one sequence: what counts, what does not, and whether D can use it."""

import pytest
import torch
from fairseq.data import Dictionary
from small_models import CONDITIONAL_GANS, build
from torch.nn import functional as F

from fairseq_genext.gan.pairs import JointVocabulary, PairDiscriminator
from fairseq_genext.gan.rollouts import Draws, rollout_rewards, sample_with_rollouts
from fairseq_genext.gan.step import Step
from fairseq_genext.modules.conditions import Source
from fairseq_genext.modules.samplers import SampleLength, Samples

# Of 3 and 2 tokens, </s> included, as fairseq pads a source; targets of 2 and 4.
SOURCE = torch.tensor([[7, 8, 2], [1, 9, 2]])
TARGET = torch.tensor([[5, 2, 1, 1], [6, 5, 6, 2]])
ROWS = [([7, 8, 2], [5, 2]), ([9, 2], [6, 5, 6, 2])]
NAMES = list(CONDITIONAL_GANS)


def words(prefix: str, number: int = 30) -> Dictionary:
    made = Dictionary()
    for index in range(number):
        made.add_symbol(f"{prefix}{index}")
    return made


def test_two_dictionaries_share_no_id_and_a_joined_one_stays():
    source, target = words("s", 10), words("t", 20)
    apart = JointVocabulary(source, target)
    assert apart.target_offset == len(source) and len(apart) == len(source) + len(target)
    joined = JointVocabulary(source, words("s", 10))
    assert joined.target_offset == 0 and len(joined) == len(source)
    assert apart.pad() == joined.pad() == 1


@pytest.mark.parametrize("joined", [True, False])
@pytest.mark.parametrize("name", NAMES)
@torch.no_grad()
def test_scores_are_those_of_the_written_out_sequence(name, joined, dictionary):
    discriminator = build(CONDITIONAL_GANS[name], dictionary, None if joined else words("t"))
    discriminator = discriminator.discriminator
    offset = 0 if joined else len(dictionary)
    scores = discriminator.given(Source(None, SOURCE, None))(TARGET, TARGET.ne(1))
    for row, (source, target) in enumerate(ROWS):
        sequence = torch.tensor([source + [token + offset for token in target]])
        alone = discriminator.discriminator(sequence, torch.ones_like(sequence, dtype=torch.bool))
        if not scores.per_token:
            torch.testing.assert_close(scores.logits[row], alone.logits[0])
            continue
        length = len(target)
        torch.testing.assert_close(scores.logits[row, :length], alone.logits[0, len(source) :])
        assert scores.mask[row].tolist() == [True] * length + [False] * (4 - length)
        assert scores.logits[row, length:].abs().sum() == 0


@pytest.mark.parametrize("name", NAMES)
@torch.no_grad()
def test_padding_and_its_side_make_no_difference(name, dictionary):
    discriminator = build(CONDITIONAL_GANS[name], dictionary).discriminator
    plain = discriminator(SOURCE, TARGET, TARGET.ne(1))
    wider = F.pad(TARGET, (0, 3), value=1)
    on_the_right = torch.tensor([[7, 8, 2, 1, 1], [9, 2, 1, 1, 1]])
    padded = discriminator(on_the_right, wider, wider.ne(1))
    torch.testing.assert_close(plain.mean(), padded.mean())
    assert plain.mean().std() > 0


@pytest.mark.parametrize("joined", [True, False])
@pytest.mark.parametrize("name", NAMES)
def test_one_hot_weights_score_as_ids_and_carry_a_gradient(name, joined, dictionary):
    target = dictionary if joined else words("t", 20)
    discriminator = build(CONDITIONAL_GANS[name], dictionary, target).discriminator
    mask = TARGET.ne(1)
    weights = F.one_hot(TARGET, len(target)).float() * mask.unsqueeze(2)
    weights.requires_grad_()
    ids, soft = discriminator(SOURCE, TARGET, mask), discriminator(SOURCE, weights, mask)
    torch.testing.assert_close(soft.logits, ids.logits)
    soft.mean().sum().backward()
    per_token = weights.grad.abs().sum(2)
    assert (per_token[mask] > 0).any() and per_token[~mask].sum() == 0


@pytest.mark.parametrize("name", ["dbam-rnn", "lstm-transformer"])
def test_matched_pairs_can_be_told_from_mismatched(name, dictionary):
    """A target that names the source's first word is real; one with another word is not."""
    torch.manual_seed(5)
    discriminator: PairDiscriminator = build(CONDITIONAL_GANS[name], dictionary).discriminator
    optimizer = torch.optim.AdamW(discriminator.parameters(), 0.02)

    def batch(number):
        word = torch.randint(4, 8, (number,))
        other = 4 + (word - 4 + torch.randint(1, 4, (number,))) % 4
        end = torch.full((number, 1), 2)
        source = torch.cat([word.unsqueeze(1), torch.randint(8, 12, (number, 2)), end], 1)
        real, fake = (torch.cat([chosen.unsqueeze(1) + 10, end], 1) for chosen in (word, other))
        return source, real, fake

    for _ in range(150):
        source, real, fake = batch(64)
        mask = torch.ones_like(real, dtype=torch.bool)
        loss = F.softplus(-discriminator(source, real, mask).mean())
        loss = loss + F.softplus(discriminator(source, fake, mask).mean())
        optimizer.zero_grad()
        loss.mean().backward()
        optimizer.step()
    source, real, fake = batch(200)
    matched, mismatched = (
        discriminator(source, side, torch.ones_like(side, dtype=torch.bool)).mean()
        for side in (real, fake)
    )
    assert (matched > mismatched).float().mean() > 0.9


@pytest.mark.parametrize("name", ["lstm-cnn", "dbam-multi_representation"])
@torch.no_grad()
def test_rollouts_in_a_batch_are_scored_with_their_own_source(name, dictionary):
    model = build(CONDITIONAL_GANS[name], dictionary)
    length, rollouts = SampleLength(5), 2
    lengths = SOURCE.ne(1).sum(1)
    torch.manual_seed(3)
    draws = Draws.fresh(2, rollouts, length.maximum, "cpu")

    def values(rows):
        source = Source(model.encoder, SOURCE[rows], lengths[rows])
        step = Step(model.decoder, model.discriminator, Samples(None, None), length, 0, source)
        own = Draws(draws.samples[rows], draws.completions[rows])
        drawn = sample_with_rollouts(model.decoder, len(rows), length, rollouts, source, own)
        return rollout_rewards(*drawn, rollouts, lambda texts, of: step.scores(texts).mean(), 3)

    together = values(torch.tensor([0, 1]))
    for row in (0, 1):
        alone = values(torch.tensor([row]))
        torch.testing.assert_close(together[row, : alone.size(1)], alone[0])
    assert together[0, 0] != together[1, 0]
