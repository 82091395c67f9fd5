"""`gpt_doc`: the GPT of the literature, a decoder-only Transformer language model.

Radford et al. 2018 and 2019 (GPT, GPT-2): learned positions, pre-layer-norm blocks, GELU in its
tanh form, tied embeddings, weights from N(0, 0.02) with the projections back into the residual
stream scaled by 1 / sqrt(2 * layers). For a block with input x:

    x = x + attention(layer_norm(x)),   x = x + mlp(layer_norm(x))

What later models do otherwise is a flag each; the presets ``gpt_doc_modern…`` set them.
"""

from dataclasses import dataclass, field

from fairseq.dataclass import FairseqDataclass
from fairseq.models import FairseqLanguageModel, register_model, register_model_architecture

from fairseq_genext.errors import (
    UsageError,
    flag,
    require_choice,
    require_divisible,
    require_positive,
    require_probability,
)
from fairseq_genext.models.presets import preset
from fairseq_genext.modules.gpt_block import (
    ACTIVATIONS,
    NORMALIZATIONS,
    POSITIONS,
    GPTSettings,
)
from fairseq_genext.modules.gpt_decoder import GPTDecoder
from fairseq_genext.modules.words_only import WordsOnly


@dataclass
class GPTDocConfig(FairseqDataclass):
    decoder_layers: int = field(default=12, metadata={"help": "number of blocks"})
    decoder_embed_dim: int = field(default=768, metadata={"help": "width of the residual stream"})
    decoder_attention_heads: int = field(
        default=12, metadata={"help": "attention heads; must divide --decoder-embed-dim"}
    )
    decoder_ffn_embed_dim: int = field(
        default=0, metadata={"help": "width inside the MLP; 0 means 4 * --decoder-embed-dim"}
    )
    max_target_positions: int = field(
        default=1024, metadata={"help": "longest sequence, in tokens: the learned positions"}
    )
    dropout: float = field(
        default=0.1, metadata={"help": "dropout on embeddings, attention weights and residuals"}
    )
    decoder_kv_heads: int = field(
        default=0,
        metadata={
            "help": "heads of keys and values, which must divide --decoder-attention-heads; 0 "
            "means as many (grouped-query attention)"
        },
    )
    positions: str = field(default="learned", metadata={"help": "learned or rotary"})
    normalization: str = field(
        default="layer", metadata={"help": "layer or rms (of layer norm without mean and bias)"}
    )
    qk_norm: bool = field(
        default=False, metadata={"help": "normalise queries and keys, head by head (RMSNorm)"}
    )
    activation_fn: str = field(
        default="gelu",
        metadata={"help": "of the MLP: gelu (in its tanh form), gelu_exact, relu2 or swiglu"},
    )
    no_biases: bool = field(
        default=False, metadata={"help": "leave biases out of linear layers and layer norms"}
    )
    untie_embeddings: bool = field(
        default=False, metadata={"help": "give the output layer weights of its own"}
    )
    checkpoint_activations: bool = field(
        default=False,
        metadata={
            "help": "keep each block's input alone for the backward pass and compute the rest "
            "again: less memory, a third more time"
        },
    )
    compile: bool = field(
        default=False,
        metadata={"help": "compile the blocks (torch.compile): a slower start, faster updates"},
    )
    lora_rank: int = field(
        default=0,
        metadata={
            "help": "train low-rank adapters of this rank on the linear layers of the blocks, and "
            "nothing else; with --finetune-from-model. 0: none"
        },
    )
    lora_alpha: float = field(
        default=16.0, metadata={"help": "adapters count --lora-alpha / --lora-rank times"}
    )
    words_only: bool = field(
        default=False,
        metadata={
            "help": "<s>, <pad> and <unk> have the probability 0, as in a model of Hugging Face's, "
            "which lacks them"
        },
    )


@register_model("gpt_doc", dataclass=GPTDocConfig)
class GPTDoc(FairseqLanguageModel):
    """A fairseq language model around ``GPTDecoder``."""

    @classmethod
    def build_model(cls, cfg: GPTDocConfig, task) -> "GPTDoc":
        """Builds the model for the task's dictionary.

        Raises:
            UsageError: a flag's value does not exist or does not fit another's.
        """
        require_positive(
            cfg,
            "decoder_layers",
            "decoder_embed_dim",
            "decoder_attention_heads",
            "max_target_positions",
        )
        require_divisible(cfg, "decoder_embed_dim", "decoder_attention_heads")
        require_probability(cfg, "dropout")
        require_choice(cfg, "positions", POSITIONS)
        require_choice(cfg, "normalization", NORMALIZATIONS)
        require_choice(cfg, "activation_fn", ACTIVATIONS)
        for name in ("decoder_ffn_embed_dim", "decoder_kv_heads", "lora_rank"):
            if getattr(cfg, name) < 0:
                raise UsageError(f"{flag(name)} is {getattr(cfg, name)}; it must be 0 or greater")
        require_positive(cfg, "lora_alpha")
        if cfg.decoder_kv_heads > 0:
            require_divisible(cfg, "decoder_attention_heads", "decoder_kv_heads")
        if cfg.compile:
            require_compiler()
        if len(task.source_dictionary) != len(task.target_dictionary):
            raise UsageError("--output-dictionary-size: gpt_doc reads and writes the same words")
        settings = GPTSettings(
            embed_dim=cfg.decoder_embed_dim,
            num_layers=cfg.decoder_layers,
            num_heads=cfg.decoder_attention_heads,
            max_positions=cfg.max_target_positions,
            dropout=cfg.dropout,
            ffn_dim=cfg.decoder_ffn_embed_dim,
            kv_heads=cfg.decoder_kv_heads,
            positions=cfg.positions,
            normalization=cfg.normalization,
            qk_norm=cfg.qk_norm,
            activation=cfg.activation_fn,
            biases=not cfg.no_biases,
            tied=not cfg.untie_embeddings,
            checkpoint_activations=cfg.checkpoint_activations,
            compile=cfg.compile,
            lora_rank=cfg.lora_rank,
            lora_alpha=cfg.lora_alpha,
        )
        if settings.positions == "rotary" and settings.head_dim % 2 != 0:
            raise UsageError(
                f"--positions rotary turns pairs of numbers, and a head has {settings.head_dim}: "
                "choose another --decoder-embed-dim or --decoder-attention-heads"
            )
        decoder = GPTDecoder(task.target_dictionary, settings)
        if cfg.words_only:
            decoder.output_projection = WordsOnly(decoder.output_projection, task.target_dictionary)
        return cls(decoder)


def require_compiler() -> None:
    """Raises UsageError if torch.compile finds no C++ compiler."""
    from torch._inductor.cpp_builder import get_cpp_compiler  # imports the whole compiler

    try:
        get_cpp_compiler()
    except RuntimeError:
        raise UsageError(
            "--compile needs a C++ compiler (g++ or clang++): install one, or leave the flag out"
        ) from None


@register_model_architecture("gpt_doc", "gpt_doc_tiny")
def gpt_doc_tiny(args) -> None:
    """For tests: 2 layers of 32."""
    preset(
        args,
        decoder_layers=2,
        decoder_embed_dim=32,
        decoder_attention_heads=2,
        max_target_positions=64,
        dropout=0.0,
    )


@register_model_architecture("gpt_doc", "gpt_doc_mini")
def gpt_doc_mini(args) -> None:
    """Sentences on a CPU: 4 layers of 256."""
    preset(
        args,
        decoder_layers=4,
        decoder_embed_dim=256,
        decoder_attention_heads=4,
        max_target_positions=256,
    )


@register_model_architecture("gpt_doc", "gpt_doc_gpt1")
def gpt_doc_gpt1(args) -> None:
    """The size of the first GPT: 12 layers of 768, 512 positions (its post-layer-norm left out)."""
    preset(args, max_target_positions=512)


@register_model_architecture("gpt_doc", "gpt_doc_gpt2")
def gpt_doc_gpt2(args) -> None:
    """GPT-2 small, 124 million parameters with its own dictionary: the flags' defaults."""


@register_model_architecture("gpt_doc", "gpt_doc_gpt2_medium")
def gpt_doc_gpt2_medium(args) -> None:
    """GPT-2 medium, 355 million parameters."""
    preset(args, decoder_layers=24, decoder_embed_dim=1024, decoder_attention_heads=16)


@register_model_architecture("gpt_doc", "gpt_doc_gpt2_large")
def gpt_doc_gpt2_large(args) -> None:
    """GPT-2 large, 774 million parameters."""
    preset(args, decoder_layers=36, decoder_embed_dim=1280, decoder_attention_heads=20)


@register_model_architecture("gpt_doc", "gpt_doc_gpt2_xl")
def gpt_doc_gpt2_xl(args) -> None:
    """GPT-2 XL, 1.56 billion parameters."""
    preset(args, decoder_layers=48, decoder_embed_dim=1600, decoder_attention_heads=25)


def modern(args, **values) -> None:
    """What language models of the 2020s have in common, and sizes of one's own."""
    preset(
        args,
        positions="rotary",
        normalization="rms",
        qk_norm=True,
        activation_fn="swiglu",
        no_biases=True,
        untie_embeddings=True,
        **values,
    )


@register_model_architecture("gpt_doc", "gpt_doc_modern")
def gpt_doc_modern(args) -> None:
    """GPT-2 small's width and depth in modern blocks."""
    modern(args)


@register_model_architecture("gpt_doc", "gpt_doc_modern_tiny")
def gpt_doc_modern_tiny(args) -> None:
    """For tests: 2 layers of 32, and a head of keys and values for each two of queries."""
    modern(args, decoder_kv_heads=1)
    gpt_doc_tiny(args)


@register_model_architecture("gpt_doc", "gpt_doc_modern_mini")
def gpt_doc_modern_mini(args) -> None:
    """Sentences on a CPU: 4 layers of 256."""
    modern(args)
    gpt_doc_mini(args)
