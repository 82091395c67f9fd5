"""What every decoder must hold, whatever its architecture."""

import torch

TOKENS = torch.tensor(
    [[2, 5, 6, 7, 8, 9], [2, 9, 8, 7, 6, 5], [2, 4, 4, 4, 4, 4], [2, 30, 31, 32, 33, 10]]
)


def select(inputs, rows: list[int]):
    """The inputs of some sequences of the batch; a tuple is a recurrent state, batch second."""
    if isinstance(inputs, dict):
        return {name: select(value, rows) for name, value in inputs.items()}
    if isinstance(inputs, list):
        return [select(value, rows) for value in inputs]
    if isinstance(inputs, tuple):
        return tuple(tensor[:, rows] for tensor in inputs)
    return inputs[rows]


def stepwise(decoder, tokens, inputs, state=None, start=1):
    """Logits of every position, one step at a time."""
    state = {} if state is None else state
    steps = [
        decoder(tokens[:, :end], incremental_state=state, **inputs)[0]
        for end in range(start, tokens.size(1) + 1)
    ]
    return torch.cat(steps, dim=1)


def test_full_pass_equals_stepwise(decoder_and_inputs):
    decoder, inputs = decoder_and_inputs
    full, _ = decoder(TOKENS, **inputs)
    assert full.std() > 0.1
    torch.testing.assert_close(full, stepwise(decoder, TOKENS, inputs), rtol=1e-4, atol=1e-5)


def test_several_tokens_may_come_first(decoder_and_inputs):
    decoder, inputs = decoder_and_inputs
    full, _ = decoder(TOKENS, **inputs)
    stepped = stepwise(decoder, TOKENS, inputs, start=4)
    torch.testing.assert_close(full, stepped, rtol=1e-4, atol=1e-5)


def test_later_tokens_do_not_change_earlier_outputs(decoder_and_inputs):
    decoder, inputs = decoder_and_inputs
    changed = TOKENS.clone()
    changed[:, 4] = 20
    before, _ = decoder(TOKENS, **inputs)
    after, _ = decoder(changed, **inputs)
    assert torch.equal(before[:, :4], after[:, :4])
    assert not torch.allclose(before[:, 4:], after[:, 4:])


def test_beam_reordering_moves_every_cached_tensor(decoder_and_inputs):
    decoder, inputs = decoder_and_inputs
    order = torch.tensor([3, 0, 0, 2])
    state = {}
    for end in range(1, 4):
        decoder(TOKENS[:, :end], incremental_state=state, **inputs)
    decoder.reorder_incremental_state_scripting(state, order)
    tokens = torch.cat([TOKENS[order, :3], TOKENS[:, 3:]], dim=1)
    reordered = select(inputs, order.tolist())
    continued = stepwise(decoder, tokens, reordered, state, start=4)
    full, _ = decoder(tokens, **reordered)
    torch.testing.assert_close(full[:, 3:], continued, rtol=1e-4, atol=1e-5)


def test_batch_size_and_order_do_not_matter(decoder_and_inputs):
    decoder, inputs = decoder_and_inputs
    full, _ = decoder(TOKENS, **inputs)
    shuffled, _ = decoder(TOKENS[[2, 0, 3, 1]], **select(inputs, [2, 0, 3, 1]))
    torch.testing.assert_close(full[[2, 0, 3, 1]], shuffled, rtol=1e-4, atol=1e-5)
    for row in range(4):
        alone, _ = decoder(TOKENS[row : row + 1], **select(inputs, [row]))
        torch.testing.assert_close(full[row : row + 1], alone, rtol=1e-4, atol=1e-5)


def test_padding_on_the_right_does_not_matter(decoder_and_inputs, dictionary):
    decoder, inputs = decoder_and_inputs
    full, _ = decoder(TOKENS, **inputs)
    padding = torch.full((4, 3), dictionary.pad())
    padded, _ = decoder(torch.cat([TOKENS, padding], dim=1), **inputs)
    torch.testing.assert_close(full, padded[:, :6], rtol=1e-4, atol=1e-5)


def test_embeddings_in_place_of_tokens(decoder_and_inputs):
    decoder, inputs = decoder_and_inputs
    from_tokens, _ = decoder(TOKENS, **inputs)
    from_embeddings, _ = decoder(TOKENS, token_embeddings=decoder.embed_tokens(TOKENS), **inputs)
    assert torch.equal(from_tokens, from_embeddings)
