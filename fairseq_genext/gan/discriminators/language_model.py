"""A language model that scores a text by one logit, a linear map of its features' mean over time.

The unidirectional energy function of Deng et al. 2020 (https://arxiv.org/abs/2004.11714), section
4.1. It can start from the weights of a trained model (``--discriminator-checkpoint``); the linear
map starts at 0, where nothing is told apart.
"""

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from fairseq_genext.errors import require_choice, require_positive
from fairseq_genext.gan.discriminators.discriminator import Discriminator
from fairseq_genext.gan.discriminators.transformer import require_sizes
from fairseq_genext.gan.scores import Scores
from fairseq_genext.modules.gpt_block import GPTSettings
from fairseq_genext.modules.gpt_decoder import GPTDecoder
from fairseq_genext.modules.rnn import CELLS
from fairseq_genext.modules.rnn_decoder import RNNDecoder
from fairseq_genext.modules.word_decoder import WordDecoder


class LanguageModelDiscriminator(Discriminator):
    """One logit a sequence: positive says real.

    Args:
        decoder: of a language model; its output layer is left out.
        width: of what that would read.
    """

    start_positions = 1

    def __init__(self, decoder: WordDecoder, width: int) -> None:
        super().__init__()
        self.decoder = decoder
        decoder.output_projection = nn.Identity()
        self.output = nn.Linear(width, 1)
        nn.init.zeros_(self.output.weight)
        nn.init.zeros_(self.output.bias)

    def forward(self, sequence: Tensor, mask: Tensor) -> Scores:
        """As ``Discriminator.forward``: scores ``(batch, 1)``."""
        read = torch.cat([torch.ones_like(mask[:, :1]), mask], dim=1)
        features = self.features(sequence, mask).masked_fill(~read.unsqueeze(2), 0.0)
        mean = features.sum(dim=1) / read.sum(dim=1, keepdim=True)
        return Scores.of_sequences(self.output(mean))

    def features(self, sequence: Tensor, mask: Tensor) -> Tensor:
        """``(batch, 1 + time, width)``: behind the start of the text, and behind each token."""
        eos = self.decoder.dictionary.eos()
        tokens = torch.full((len(mask), 1), eos, device=mask.device)
        if not sequence.is_floating_point():
            return self.decoder.extract_features(torch.cat([tokens, sequence], dim=1))[0]
        table = self.decoder.embed_tokens.weight
        words = (sequence.to(table.dtype) @ table) * mask.unsqueeze(2)
        embeddings = torch.cat([self.decoder.embed_tokens(tokens), words], dim=1)
        # A gradient penalty differentiates twice, which the fused attention kernels cannot.
        with sdpa_kernel(SDPBackend.MATH):
            return self.decoder.extract_features(
                tokens.expand(-1, embeddings.size(1)), token_embeddings=embeddings
            )[0]

    def max_positions(self) -> int:
        """Longest sequence, in tokens."""
        return self.decoder.max_positions() - self.start_positions


class GPTDiscriminator(LanguageModelDiscriminator):
    """`gpt_doc`'s decoder as a discriminator."""

    @classmethod
    def from_config(cls, cfg, dictionary) -> "GPTDiscriminator":
        """As ``Discriminator.from_config``."""
        require_sizes(cfg)
        settings = GPTSettings(
            embed_dim=cfg.discriminator_embed_dim,
            num_layers=cfg.discriminator_layers,
            num_heads=cfg.discriminator_heads,
            ffn_dim=cfg.discriminator_hidden_dim,
            max_positions=cfg.max_target_positions,
            dropout=cfg.discriminator_dropout,
        )
        return cls(GPTDecoder(dictionary, settings), cfg.discriminator_embed_dim)


class RNNLMDiscriminator(LanguageModelDiscriminator):
    """`rnn_lm`'s decoder as a discriminator."""

    @classmethod
    def from_config(cls, cfg, dictionary) -> "RNNLMDiscriminator":
        """As ``Discriminator.from_config``."""
        require_choice(cfg, "discriminator_cell", CELLS)
        require_positive(
            cfg, "discriminator_embed_dim", "discriminator_hidden_dim", "discriminator_layers"
        )
        decoder = RNNDecoder(
            dictionary,
            cell=cfg.discriminator_cell,
            embed_dim=cfg.discriminator_embed_dim,
            hidden_dim=cfg.discriminator_hidden_dim,
            num_layers=cfg.discriminator_layers,
            dropout=cfg.discriminator_dropout,
        )
        return cls(decoder, cfg.discriminator_hidden_dim)
