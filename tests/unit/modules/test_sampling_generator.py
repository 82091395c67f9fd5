"""The fast sampler against fairseq's own generator, under one seed."""

import pytest
import torch
from fairseq import search
from fairseq.sequence_generator import SequenceGenerator
from small_models import LANGUAGE_MODELS, build

from fairseq_genext.modules.document_generator import DocumentGenerator
from fairseq_genext.modules.key_value_cache import append, reordered
from fairseq_genext.modules.sampling_generator import SamplingGenerator, penalised

# Of different lengths; padding is 1.
PROMPTS = torch.tensor([[5, 6, 7, 1], [8, 9, 1, 1], [10, 11, 12, 13], [14, 15, 16, 1]])


def sampled(model, dictionary, kind, prompts=None, seed=7, **flags):
    """Hypotheses of four texts."""
    limits = {"max_len_a": 0, "max_len_b": 12, **flags}
    strategy = search.Sampling(
        dictionary, limits.pop("sampling_topk", -1), limits.pop("sampling_topp", -1.0)
    )
    generator = kind([model], dictionary, beam_size=1, search_strategy=strategy, **limits)
    torch.manual_seed(seed)
    sample = {"net_input": {"src_tokens": torch.full((4, 1), 2)}, "id": torch.arange(4)}
    found = generator.generate([model], sample, prefix_tokens=prompts, bos_token=2)
    return [hypotheses[0] for hypotheses in found]


@pytest.mark.parametrize("prompts", [None, PROMPTS], ids=["from nothing", "prompts"])
@pytest.mark.parametrize(
    "flags",
    [
        {},
        {"temperature": 0.7, "unk_penalty": 0.5, "min_len": 5},
        {"sampling_topk": 5, "len_penalty": 0.5},
        {"sampling_topp": 0.8, "normalize_scores": False},
    ],
    ids=["plain", "temperature", "topk", "topp"],
)
@pytest.mark.parametrize("name", ["gpt_doc", "gpt_doc-modern", "rnn_lm-lstm", "gan-gpt-prefix"])
def test_samples_are_those_of_fairseq(name, flags, prompts, dictionary):
    model = build(LANGUAGE_MODELS[name], dictionary)
    end = torch.zeros(len(dictionary)).index_fill(0, torch.tensor(dictionary.eos()), 2.5)
    # A likelier end: texts shall leave the batch.
    model.decoder.output_projection.register_forward_hook(lambda _, __, logits: logits + end)
    lengths = set()
    for seed in range(3):
        ours = sampled(model, dictionary, SamplingGenerator, prompts, seed, **flags)
        theirs = sampled(model, dictionary, SequenceGenerator, prompts, seed, **flags)
        for our, other in zip(ours, theirs, strict=True):
            assert torch.equal(our["tokens"], other["tokens"])
            torch.testing.assert_close(
                our["positional_scores"], other["positional_scores"], rtol=1e-4, atol=1e-4
            )
            torch.testing.assert_close(our["score"], other["score"], rtol=1e-4, atol=1e-4)
    lengths = {len(hypothesis["tokens"]) for hypothesis in ours}
    assert len(lengths) > 1 or flags


def test_what_all_prompts_have_is_read_at_once(dictionary):
    model = build(LANGUAGE_MODELS["gpt_doc"], dictionary)
    read = []
    norm = model.decoder.blocks[0].attention_norm
    norm.register_forward_pre_hook(lambda _, given: read.append(given[0].size(1)))
    sampled(model, dictionary, SamplingGenerator, PROMPTS, min_len=12)
    assert read == [2] + [1] * 11


def test_documents_go_on_to_their_length(dictionary):
    model = build(LANGUAGE_MODELS["gpt_doc"], dictionary)
    found = sampled(model, dictionary, DocumentGenerator, PROMPTS)
    assert [len(hypothesis["tokens"]) for hypothesis in found] == [12] * 4
    for prompt, hypothesis in zip(PROMPTS, found, strict=True):
        words = prompt[prompt.ne(1)]
        assert torch.equal(hypothesis["tokens"][: len(words)], words)


def test_nothing_is_copied_while_nothing_moves():
    """The buffers are the same until they are full, and then twice as long."""
    key = torch.randn(2, 3, 1, 4)
    cache, buffers = None, []
    for step in range(131):
        cache, keys, values = append(cache, key + step, key - step, most=100_000)
        assert keys.shape == values.shape == (2, 3, step + 1, 4)
        assert torch.equal(keys[:, :, step : step + 1], key + step)
        if not buffers or cache["key"].data_ptr() != buffers[-1]:
            buffers.append(cache["key"].data_ptr())
    assert len(buffers) == 3
    assert torch.equal(keys[:, :, :1], key)
    moved = reordered(cache, torch.tensor([1, 1, 0]))
    assert moved["length"] == 131
    assert torch.equal(moved["key"][:, :, :131], keys[[1, 1, 0]])


def test_no_more_room_than_there_are_positions():
    cache, *_ = append(None, torch.randn(1, 1, 1, 2), torch.randn(1, 1, 1, 2), most=16)
    assert cache["key"].size(2) == 16


def test_repetition_penalty_by_hand():
    """What is there, in the prompt too, is divided where it is positive and multiplied else."""
    logits = torch.tensor([[1.0, -1.0, 3.0, -2.0]])
    found = penalised(logits, torch.tensor([[2, 3, 2]]), 2.0)
    assert found.tolist() == [[1.0, -1.0, 1.5, -4.0]]
