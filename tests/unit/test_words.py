"""What is no word is never written: not by a model that likes nothing better."""

import pytest
import torch
from fairseq import search
from fairseq.data import Dictionary
from fairseq.sequence_generator import SequenceGenerator
from small_models import LANGUAGE_MODELS, SEQ2SEQ, build

from fairseq_genext.evaluation.checkpoints import FixedLengthGenerator
from fairseq_genext.gan.rollouts import sample_with_rollouts
from fairseq_genext.gan.step import token_log_probs
from fairseq_genext.modules.document_generator import DocumentGenerator
from fairseq_genext.modules.samplers import SampleLength, ancestral, gumbel_softmax, unroll
from fairseq_genext.modules.sampling_generator import SamplingGenerator
from fairseq_genext.modules.words_only import made_up_words, never_written

FAVOUR = 300.0  # in nats: nothing else would ever be drawn, and e^-300 is no float32


@pytest.fixture
def padded():
    """A dictionary of 16 words and four made-up ones, rounded up as fairseq-preprocess does it."""
    words = Dictionary()
    for index in range(16):
        words.add_symbol(f"w{index}", 16 - index)
    words.finalize(padding_factor=24)
    return words


@pytest.fixture
def favouring(padded):
    """Builds a small model that favours what is no word."""

    def make(config):
        model = build(config, padded)
        bonus = torch.zeros(len(padded))
        bonus[never_written(padded)] = FAVOUR
        model.decoder.output_projection.register_forward_hook(lambda _, __, logits: logits + bonus)
        return model

    return make


def test_what_is_no_word(padded, dictionary):
    assert made_up_words(padded) == [20, 21, 22, 23] and padded[23] == "madeupword0003"
    assert never_written(padded) == [padded.bos(), padded.pad(), 20, 21, 22, 23]
    assert made_up_words(dictionary) == []
    one_symbol = Dictionary(bos="</s>")  # begins and ends a text
    assert never_written(one_symbol) == [one_symbol.pad()]
    assert SampleLength(5, fixed=True).forbidden(padded) == [0, 1, 2, 3, 20, 21, 22, 23]


SEARCHES = {
    "sampling": lambda words: search.Sampling(words),
    "top-k": lambda words: search.Sampling(words, sampling_topk=3),
    "top-p": lambda words: search.Sampling(words, sampling_topp=0.8),
    "beam": lambda words: search.BeamSearch(words),
    "diverse groups": lambda words: search.DiverseBeamSearch(words, 3, 0.5),
    "diverse siblings": lambda words: search.DiverseSiblingsSearch(words, 0.5),
    "prefixes": lambda words: search.PrefixConstrainedBeamSearch(
        words, lambda *_: list(range(len(words)))
    ),
}


def written(kind, model, words, strategy, beam, prompts=None, **limits):
    generator = kind(
        [model], words, beam_size=beam, max_len_b=8, search_strategy=strategy, **limits
    )
    torch.manual_seed(3)
    inputs = {"src_tokens": torch.tensor([[5, 6, 2]] * 4), "src_lengths": torch.full((4,), 3)}
    found = generator.generate(
        [model], {"net_input": inputs, "id": torch.arange(4)}, prefix_tokens=prompts, bos_token=2
    )
    return [hypothesis for hypotheses in found for hypothesis in hypotheses]


@pytest.mark.parametrize("name", SEARCHES)
@pytest.mark.parametrize("kind", [SequenceGenerator, SamplingGenerator, DocumentGenerator])
def test_by_no_search(kind, name, favouring, padded):
    model = favouring(LANGUAGE_MODELS["gpt_doc"])
    strategy = SEARCHES[name](padded)
    alone = kind is SamplingGenerator and isinstance(strategy, search.Sampling)
    beam = 1 if alone else 3
    for hypothesis in written(kind, model, padded, strategy, beam):
        assert not {*hypothesis["tokens"].tolist()} & {*never_written(padded)}
        assert len(hypothesis["tokens"]) > 1 and hypothesis["score"].isfinite()


@pytest.mark.parametrize("name", ["sampling", "beam"])
def test_by_no_translation(name, favouring, padded):
    model = favouring(SEQ2SEQ["seq2seq-lstm"])
    for hypothesis in written(SequenceGenerator, model, padded, SEARCHES[name](padded), 2):
        assert not {*hypothesis["tokens"].tolist()} & {*never_written(padded)}


def test_scores_are_the_model_s_all_the_same(favouring, padded):
    model = favouring(LANGUAGE_MODELS["rnn_lm-lstm"])
    for name in ("sampling", "top-p", "beam"):
        for hypothesis in written(SequenceGenerator, model, padded, SEARCHES[name](padded), 1):
            tokens = hypothesis["tokens"].unsqueeze(0)
            inputs = torch.cat([torch.tensor([[2]]), tokens[:, :-1]], dim=1)
            logits = model(inputs)[0].log_softmax(dim=-1)
            expected = logits.gather(2, tokens.unsqueeze(2)).flatten()
            torch.testing.assert_close(hypothesis["positional_scores"], expected)


def test_draws_are_from_what_is_left():
    """And the nucleus is a share of that: 0.8 of (0.5, 0.3, 0.2) are the first two."""
    words = Dictionary()
    for word in ("a", "b", "c"):
        words.add_symbol(word)
    words.finalize(padding_factor=8)
    chances = torch.tensor([0.9, 0.0, 0.0, 0.0, 0.05, 0.03, 0.02, 0.0])  # <s> has nine tenths
    for top_p, expected in ((-1.0, [0.5, 0.3, 0.2]), (0.75, [0.625, 0.375, 0.0])):
        torch.manual_seed(2)
        lprobs = chances.log().expand(20000, 1, -1).clone()
        _, drawn, _ = search.Sampling(words, sampling_topp=top_p).step(0, lprobs, None)
        shares = torch.bincount(drawn.flatten(), minlength=8)[4:7] / 20000
        torch.testing.assert_close(shares, torch.tensor(expected), atol=0.012, rtol=0)


@pytest.mark.parametrize("name", ["sampling", "top-p", "beam"])
def test_a_prompt_may_have_anything(name, favouring, padded):
    """Also a word that the model holds for all but impossible: e^-300 is none of float32."""
    model = favouring(LANGUAGE_MODELS["gpt_doc"])
    prompts = torch.tensor([[20, 5], [0, 20], [6, 7], [5, 1]])
    found = written(SequenceGenerator, model, padded, SEARCHES[name](padded), 1, prompts)
    for hypothesis, prompt in zip(found, prompts.tolist(), strict=True):
        told = [token for token in prompt if token != 1]
        assert hypothesis["tokens"][: len(told)].tolist() == told
        rest = hypothesis["tokens"][len(told) :].tolist()
        assert rest and not {*rest} & {*never_written(padded)}


@pytest.mark.parametrize("name", ["gpt_doc", "rnn_lm-relational", "gan-lstm", "gan-gpt-prefix"])
def test_by_no_sampler(name, favouring, padded):
    """Nor by GANs in training, whose policy gradient is that of what they draw from."""
    decoder = favouring(LANGUAGE_MODELS[name]).decoder
    never = torch.tensor(never_written(padded))
    torch.manual_seed(3)
    length = SampleLength(7)
    plain = unroll(decoder, 50, length, ancestral)
    relaxed = unroll(decoder, 9, length, lambda logits: gumbel_softmax(logits, 1.0, hard=False))
    assert relaxed.weights[..., never].eq(0).all()
    texts, completions = sample_with_rollouts(decoder, 9, length, 2)
    documents = unroll(decoder, 9, SampleLength(7, through_ends=True), ancestral)
    fixed = FixedLengthGenerator(decoder, 7).sample(9, temperature=1.5)
    for tokens, mask in (
        *((drawn.tokens, drawn.mask) for drawn in (plain, relaxed, texts, completions, documents)),
        (fixed, torch.ones_like(fixed, dtype=torch.bool)),
    ):
        assert not torch.isin(tokens[mask], never).any()

    log_probs = token_log_probs(decoder, plain, length)
    assert log_probs.isfinite().all() and log_probs[plain.mask].mean() > -10
    # What they draw from has a sum of 1: that of one step over all words.
    allowed = [word for word in range(len(padded)) if word not in never]
    every = torch.tensor(allowed).unsqueeze(1)
    same = (
        None if plain.condition is None else plain.condition.select(torch.zeros(len(every)).long())
    )
    drawn = type(plain)(every, torch.ones_like(every, dtype=torch.bool), condition=same)
    total = token_log_probs(decoder, drawn, length).exp().sum()
    torch.testing.assert_close(total, torch.tensor(1.0))


def test_likelihoods_are_as_before(favouring, padded):
    """What eval-lm reads are the model's own probabilities."""
    model = favouring(LANGUAGE_MODELS["gpt_doc"])
    tokens = torch.tensor([[2, 5, 6, 7]])
    logits, _ = model(tokens)
    probs = model.get_normalized_probs((logits, None), log_probs=False)
    torch.testing.assert_close(probs[..., never_written(padded)].sum(-1), torch.ones(1, 4))
