"""What every discriminator must hold, and each one's own score by hand."""

from types import SimpleNamespace

import pytest
import torch
from fairseq.data import Dictionary
from torch.nn import functional as F

from fairseq_genext.gan.discriminators import (
    DISCRIMINATORS,
    CNNDiscriminator,
    MultiRepresentationDiscriminator,
    RNNDiscriminator,
    TransformerDiscriminator,
    ngram_classifier,
)
from fairseq_genext.gan.discriminators.language_model import LanguageModelDiscriminator
from fairseq_genext.gan.discriminators.ngram_classifier import ngram_maxima

NGRAMS = {"widths": [1, 2, 4], "filters": [3, 3, 3]}
RECURRENT = {"hidden_dim": 5, "num_layers": 2}
SIZES = {
    "cnn": NGRAMS,
    "multi_representation": {"representations": 3, **NGRAMS},
    "transformer": {"num_layers": 2, "num_heads": 3, "ffn_dim": 10, "max_positions": 11},
    **{f"rnn-{cell}": {"cell": cell, **RECURRENT} for cell in ("lstm", "gru", "rnn")},
}
SEQUENCES = [[5, 6, 7, 8, 9, 2], [4, 2], [2]]


def language_model_discriminators():
    words = Dictionary()
    for number in range(20 - len(words)):
        words.add_symbol(str(number))
    flags = SimpleNamespace(
        discriminator_embed_dim=6,
        discriminator_hidden_dim=5,
        discriminator_layers=2,
        discriminator_heads=3,
        discriminator_cell="lstm",
        discriminator_dropout=0.0,
        max_target_positions=12,
    )
    return {
        name: kind.from_config(flags, words)
        for name, kind in DISCRIMINATORS.items()
        if issubclass(kind, LanguageModelDiscriminator)
    }


@pytest.fixture(params=[*SIZES, *language_model_discriminators()])
def discriminator(request):
    """A discriminator of 20 words, with weights large enough that errors show; 1 is padding."""
    torch.manual_seed(1)
    built = language_model_discriminators().get(request.param)
    if built is None:
        built = DISCRIMINATORS[request.param.split("-")[0]](
            20, 1, embed_dim=6, dropout=0.0, **SIZES[request.param]
        )
    with torch.no_grad():
        for param in built.parameters():
            param.normal_(std=0.5)
    return built.eval()


def padded(width):
    tokens = torch.full((3, width), 1)
    for row, sequence in enumerate(SEQUENCES):
        tokens[row, : len(sequence)] = torch.tensor(sequence)
    return tokens


def test_every_discriminator_is_tested():
    tested = {name.split("-")[0] for name in SIZES} | language_model_discriminators().keys()
    assert tested == DISCRIMINATORS.keys()


def test_padding_is_not_seen(discriminator):
    narrow, wide = padded(6), padded(11)
    scores = discriminator(narrow, narrow.ne(1))
    torch.testing.assert_close(scores.mean(), discriminator(wide, wide.ne(1)).mean())
    for row, sequence in enumerate(SEQUENCES):
        alone = torch.tensor([sequence])
        own = discriminator(alone, alone.ne(1))
        torch.testing.assert_close(scores.logits[row][scores.mask[row]], own.logits[0])
        assert own.mask.all()
    assert scores.mean().std() > 0.01


def test_one_hot_weights_are_tokens(discriminator):
    tokens = padded(6)
    mask = tokens.ne(1)
    weights = F.one_hot(tokens, 20).float() * mask.unsqueeze(-1)
    from_tokens, from_weights = discriminator(tokens, mask), discriminator(weights, mask)
    torch.testing.assert_close(from_tokens.logits, from_weights.logits)


def test_gradients_reach_every_parameter_and_every_token(discriminator):
    tokens = padded(6)
    mask = tokens.ne(1)
    weights = F.one_hot(tokens, 20).float().requires_grad_()
    discriminator(weights, mask).mean(None).sum().backward()
    for name, param in discriminator.named_parameters():
        assert param.grad is not None and param.grad.abs().sum() > 0, name
    reached = weights.grad.abs().sum(-1) > 0
    assert reached[0].any() and not reached[~mask].any()


def test_penalties_on_the_gradient_can_be_learned(discriminator):
    """What wgan-gp needs: the gradient with respect to the sequence has a gradient itself."""
    weights = torch.rand(2, 4, 20, requires_grad=True)
    score = discriminator(weights, torch.ones(2, 4, dtype=torch.bool)).mean().sum()
    (slope,) = torch.autograd.grad(score, weights, create_graph=True)
    slope.square().sum().backward()
    table = next(x for name, x in discriminator.named_parameters() if "embed_tokens" in name)
    assert table.grad.abs().sum() > 0


@pytest.mark.parametrize("name", ["gpt", "rnn_lm"])
def test_a_language_model_scores_the_mean_of_its_features(name):
    """Behind the start and each token; before training, nothing is told apart."""
    torch.manual_seed(1)
    built = language_model_discriminators()[name].eval()
    tokens = torch.tensor([[5, 6, 2], [7, 2, 1]])
    assert built(tokens, tokens.ne(1)).logits.eq(0).all()
    torch.nn.init.normal_(built.output.weight)
    read = torch.tensor([[2, 5, 6, 2], [2, 7, 2, 1]])
    features = built.decoder.extract_features(read)[0]
    means = torch.stack([features[0].mean(0), features[1, :3].mean(0)])
    torch.testing.assert_close(built(tokens, tokens.ne(1)).logits, built.output(means))


def test_cnn_by_hand():
    """Two words of width 1, a filter of width 1 and one of width 2, an identity highway."""
    cnn = CNNDiscriminator(6, 1, 1, widths=[1, 2], filters=[1, 1], dropout=0.0)
    classifier = cnn.classifier
    with torch.no_grad():
        cnn.embed_tokens.weight.copy_(torch.tensor([[0.0], [0], [1], [-2], [3], [5]]))
        for conv, weight, bias in zip(
            classifier.convolutions, ([[[2.0]]], [[[1.0, -1.0]]]), (-1.0, 0.5), strict=True
        ):
            conv.weight.copy_(torch.tensor(weight))
            conv.bias.fill_(bias)
        classifier.gate.weight.zero_()
        classifier.gate.bias.zero_()  # g = 1/2
        classifier.transform.weight.copy_(torch.tensor([[1.0, 0], [0, -1]]))
        classifier.transform.bias.zero_()
        classifier.output.weight.copy_(torch.tensor([[1.0, 10.0]]))
        classifier.output.bias.fill_(0.25)
    tokens = torch.tensor([[4, 3, 2], [3, 2, 1]])
    scores = cnn(tokens, tokens.ne(1))
    # Row 0 embeds to 3, -2, 1: unigrams 5, -5, 1; bigrams 5.5, -2.5, 1.5 (the last with padding).
    # h = (5, 5.5); transformed relu(5, -5.5) = (5, 0); y = (5, 2.75); output 5 + 27.5 + 0.25.
    # Row 1 embeds to -2, 1: unigrams -5, 1; bigrams -2.5, 1.5. h = (1, 1.5), y = (1, 0.75).
    torch.testing.assert_close(scores.logits, torch.tensor([[32.75], [8.75]]))


@pytest.mark.parametrize("time", [1, 3, 12])
def test_ids_without_gradient_get_the_same_answer(monkeypatch, time):
    """Full and short sequences, more than are read at a time, and widths beyond the longest."""
    monkeypatch.setattr(ngram_classifier, "HIGHWAY_ROWS", 100)
    torch.manual_seed(1)
    cnn = CNNDiscriminator(20, 1, 6, widths=[1, 2, 5, 20], filters=[3, 4, 5, 6], dropout=0.0)
    for lengths in (torch.full((150,), time), torch.randint(1, time + 1, (150,))):
        mask = torch.arange(time) < lengths.unsqueeze(1)
        tokens = torch.randint(2, 20, (150, time)).masked_fill(~mask, 1)
        by_convolution = cnn(tokens, mask).logits
        with torch.no_grad():
            by_tables = cnn(tokens, mask).logits
        assert by_convolution.std() > 0.01
        torch.testing.assert_close(by_tables, by_convolution, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("dim", [1, 6])
@pytest.mark.parametrize("time", [1, 3, 12])
def test_maxima_are_those_of_conv1d(time, dim):
    """Values, gradients and the gradient of a gradient; more sequences than are read at a time."""
    torch.manual_seed(1)
    convolutions = torch.nn.ModuleList(
        torch.nn.Conv1d(dim, filters, width) for width, filters in ((1, 3), (2, 4), (5, 5), (20, 6))
    )
    rows = ngram_classifier.CONVOLVED_ROWS + 22
    weights = [convolution.weight for convolution in convolutions]

    def of_conv1d(embedded, mask, convolutions):
        responses = (
            F.conv1d(F.pad(embedded.transpose(1, 2), (0, conv.kernel_size[0] - 1)), conv.weight)
            for conv in convolutions
        )
        masked = (values.masked_fill(~mask.unsqueeze(1), -torch.inf) for values in responses)
        return torch.cat([values.amax(dim=2) for values in masked], dim=1)

    for lengths in (torch.full((rows,), time), torch.randint(1, time + 1, (rows,))):
        mask = torch.arange(time) < lengths.unsqueeze(1)
        embedded = (torch.randn(rows, time, dim) * mask.unsqueeze(2)).requires_grad_()
        direction = torch.randn(rows, 18)
        answers = []
        for function in (ngram_maxima, of_conv1d):
            maxima = function(embedded, mask, convolutions)
            slopes = torch.autograd.grad(
                (maxima * direction).sum(), [embedded, *weights], create_graph=True
            )
            of_slope = torch.autograd.grad(slopes[0].square().sum(), weights)
            answers.append([maxima, *slopes, *of_slope])
        for ours, reference in zip(*answers, strict=True):
            assert reference.abs().sum() > 0
            torch.testing.assert_close(ours, reference, rtol=1e-4, atol=1e-4)


def test_an_ngram_that_starts_in_the_padding_does_not_speak():
    cnn = CNNDiscriminator(20, 1, 6, dropout=0.0, **NGRAMS)
    torch.nn.init.constant_(cnn.classifier.convolutions[0].bias, 5.0)
    torch.nn.init.constant_(cnn.classifier.convolutions[0].weight, -1.0)
    torch.nn.init.constant_(cnn.embed_tokens.weight, 1.0)
    narrow, wide = padded(6), padded(9)
    scores = cnn(narrow, narrow.ne(1))
    torch.testing.assert_close(scores.logits, cnn(wide, wide.ne(1)).logits)


def test_each_representation_is_a_cnn_of_its_own_slice():
    torch.manual_seed(1)
    multi = MultiRepresentationDiscriminator(20, 1, 6, 3, dropout=0.0, **NGRAMS)
    single = CNNDiscriminator(20, 1, 2, dropout=0.0, **NGRAMS)
    single.classifier = multi.classifier
    tokens = padded(6)
    scores = multi(tokens, tokens.ne(1))
    assert scores.logits.shape == (3, 3) and not scores.per_token
    for index in range(3):
        table = multi.embed_tokens.weight[:, 2 * index : 2 * index + 2]
        single.embed_tokens.weight = torch.nn.Parameter(table.clone())
        alone = single(tokens, tokens.ne(1)).logits[:, 0]
        torch.testing.assert_close(scores.logits[:, index], alone)
    with pytest.raises(ValueError, match="width 6 cannot be cut into 4 slices"):
        MultiRepresentationDiscriminator(20, 1, 6, 4, dropout=0.0, **NGRAMS)


@pytest.mark.parametrize("cell", ["lstm", "gru", "rnn"])
def test_a_recurrent_score_reads_its_token_and_those_before(cell):
    torch.manual_seed(1)
    rnn = RNNDiscriminator(20, 1, cell, embed_dim=6, dropout=0.0, **RECURRENT)
    tokens = padded(6)
    mask = tokens.ne(1)
    before = rnn(tokens, mask)
    assert before.per_token and torch.equal(before.mask, mask)
    changed = tokens.clone()
    changed[0, 3] = 15
    after = rnn(changed, mask).logits
    assert torch.equal(before.logits[:, :3], after[:, :3])
    assert (before.logits[0, 3:] != after[0, 3:]).all()


def test_layer_norm_stands_after_each_recurrent_layer():
    torch.manual_seed(1)
    rnn = RNNDiscriminator(20, 1, "rnn", 6, hidden_dim=4, num_layers=1, dropout=0.0)
    tokens = torch.tensor([[5, 6]])
    cell = rnn.layers[0].layers
    h = torch.zeros(4)
    for time, token in enumerate((5, 6)):
        embedded = rnn.embed_tokens.weight[token]
        h = torch.tanh(
            cell.weight_ih_l0 @ embedded + cell.bias_ih_l0 + cell.weight_hh_l0 @ h + cell.bias_hh_l0
        )
        normed = (h - h.mean()) / (h.var(correction=0) + 1e-5).sqrt()
        expected = rnn.output.weight[0] @ normed + rnn.output.bias[0]
        torch.testing.assert_close(rnn(tokens, tokens.ne(1)).logits[0, time], expected)


def test_transformer_reads_both_directions_and_the_order():
    torch.manual_seed(1)
    transformer = TransformerDiscriminator(
        20, 1, 6, num_layers=1, num_heads=2, ffn_dim=8, max_positions=6, dropout=0.0
    ).eval()
    variants = torch.tensor([[5, 6, 7], [9, 6, 7], [5, 6, 9], [7, 6, 5]])
    logits = transformer(variants, torch.ones(4, 3, dtype=torch.bool)).logits
    assert logits.shape == (4, 1) and len(set(logits.flatten().tolist())) == 4
    first, second = (
        TransformerDiscriminator(20, 1, 6, 2, 2, 8, 6, 0.0).encoder.layers[layer].linear1.weight
        for layer in (0, 1)
    )
    assert not torch.equal(first, second)
