"""The decoder of a GPT: masked self-attention over the whole text at once, cached when generating.

Pre-layer-norm blocks (Radford et al. 2019). For a block with input x:

    x = x + attention(layer_norm(x)),   x = x + mlp(layer_norm(x))
"""

import math

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from fairseq_genext.modules.gpt_block import Block, GPTSettings
from fairseq_genext.modules.lora import freeze_all_but_adapters
from fairseq_genext.modules.rotary import rotation
from fairseq_genext.modules.word_decoder import WordDecoder


class GPTDecoder(WordDecoder):
    """p(y_t | y_<t) by masked self-attention.

    Sequences are padded on the right: padding then comes after every real token and the causal
    mask alone hides it.

    Args:
        dictionary: target dictionary.
        settings: what it is made of.
        embed_tokens: embeddings to share with another module, instead of new ones; they are
            initialised anew.
    """

    def __init__(
        self, dictionary, settings: GPTSettings, embed_tokens: nn.Embedding | None = None
    ) -> None:
        super().__init__(dictionary)
        self.settings = settings
        width = settings.embed_dim
        self.embed_tokens = embed_tokens or nn.Embedding(len(dictionary), width, dictionary.pad())
        self.embed_positions = None
        if settings.positions == "learned":
            self.embed_positions = nn.Embedding(settings.max_positions, width)
        self.dropout = nn.Dropout(settings.dropout)
        self.blocks = nn.ModuleList(Block(settings) for _ in range(settings.num_layers))
        self.layer_norm = settings.norm(width)
        self.output_projection = nn.Linear(width, len(dictionary), bias=False)
        if settings.tied:
            self.output_projection.weight = self.embed_tokens.weight
        self.apply(init_weights)
        for block in self.blocks:
            for into_residual in (block.attention.out_proj, block.mlp[2]):
                std = 0.02 / math.sqrt(2 * settings.num_layers)
                nn.init.normal_(into_residual.weight, std=std)
        if settings.lora_rank > 0:
            freeze_all_but_adapters(self)
        if settings.compile:
            for block in self.blocks:
                block.compile()

    def forward(
        self,
        prev_output_tokens: Tensor,
        encoder_out=None,
        incremental_state: dict | None = None,
        token_embeddings: Tensor | None = None,
        features_only: bool = False,
        **unused,
    ) -> tuple[Tensor, None]:
        """
        Args:
            prev_output_tokens: ``(batch, time)``, the text shifted right by one.
            encoder_out: unused; there is no encoder.
            incremental_state: cache of keys and values; tokens already in it are not read again.
            token_embeddings: ``(batch, tokens read, embed_dim)``, taken instead of the embeddings
                of ``prev_output_tokens``: the way in for tokens that carry a gradient.
            features_only: return the last hidden states instead of the logits.

        Returns:
            Logits ``(batch, tokens read, vocabulary)``, and None, where other decoders have
            attention to a source.

        Raises:
            ValueError: the text is longer than there are positions.
        """
        time = prev_output_tokens.size(1)
        if time > self.max_positions():
            raise ValueError(
                f"{time} tokens are more than the model's {self.max_positions()} positions"
            )
        unread = self.unread_tokens(prev_output_tokens, incremental_state)
        x = self.embed_tokens(unread) if token_embeddings is None else token_embeddings
        positions = torch.arange(time - unread.size(1), time, device=x.device)
        turned = None
        if self.embed_positions is None:
            turned = rotation(positions, self.settings.head_dim)
        else:
            x = x + self.embed_positions(positions)
        x = self.dropout(x)
        for block in self.blocks:
            if incremental_state is not None:
                # Not through the compiled block: the cache changes its shape at every step.
                x = block.forward(x, turned, incremental_state)
            elif self.settings.checkpoint_activations and self.training:
                x = checkpoint(block, x, turned, use_reentrant=False)
            else:
                x = block(x, turned)
        x = self.layer_norm(x)
        return x if features_only else self.output_layer(x), None

    def unread_tokens(self, prev_output_tokens: Tensor, incremental_state: dict | None) -> Tensor:
        """Those of ``(batch, time)`` tokens whose keys and values are not in the cache yet."""
        return prev_output_tokens[:, self.blocks[0].attention.cached_length(incremental_state) :]

    def reorder_incremental_state_scripting(self, incremental_state: dict, new_order: Tensor):
        """As fairseq's, without copying everything where all sequences stay where they are."""
        batch = self.blocks[0].attention.cached_batch(incremental_state)
        if not new_order.equal(torch.arange(batch, device=new_order.device)):
            super().reorder_incremental_state_scripting(incremental_state, new_order)

    def max_positions(self) -> int:
        """Longest sequence that it reads."""
        return self.settings.max_positions


def init_weights(module: nn.Module) -> None:
    """N(0, 0.02) for weights, zero for biases (Radford et al. 2018, section 4.1)."""
    if isinstance(module, (nn.Linear, nn.Embedding)):
        nn.init.normal_(module.weight, std=0.02)
    if isinstance(module, nn.Linear) and module.bias is not None:
        nn.init.zeros_(module.bias)
