"""`rnn_lm`: a recurrent language model, the GAN's RNN generator without noise and discriminator.

LSTM (Hochreiter & Schmidhuber 1997), GRU (Cho et al. 2014), plain RNN (Elman 1990), or relational
memory (Santoro et al. 2018), which RelGAN's generator is:

    s_t = cell(s_{t-1}, embed(y_{t-1})),   p(y_t | y_<t) = softmax(W_o output(s_t) + b)

Its decoder is the one that ``gan.generators`` put noise into, so that ``--generator-checkpoint`` of
a GAN takes an `rnn_lm`.
"""

from dataclasses import dataclass, field

from fairseq.dataclass import FairseqDataclass
from fairseq.models import FairseqLanguageModel, register_model, register_model_architecture

from fairseq_genext.errors import (
    UsageError,
    require_choice,
    require_divisible,
    require_positive,
    require_probability,
)
from fairseq_genext.models.presets import preset
from fairseq_genext.modules.relational_memory import RelationalMemory
from fairseq_genext.modules.rnn import CELLS
from fairseq_genext.modules.rnn_decoder import RNNDecoder

RELATIONAL = "relational"


@dataclass
class RNNLMConfig(FairseqDataclass):
    rnn_cell: str = field(
        default="lstm", metadata={"help": f"one of {', '.join([*CELLS, RELATIONAL])}"}
    )
    decoder_embed_dim: int = field(default=256, metadata={"help": "token embedding width"})
    decoder_hidden_dim: int = field(
        default=256, metadata={"help": "recurrent width; relational: width of a memory slot"}
    )
    decoder_layers: int = field(
        default=1, metadata={"help": "number of recurrent layers; relational has 1"}
    )
    decoder_attention_heads: int = field(
        default=2,
        metadata={
            "help": "relational: attention heads; must divide --decoder-hidden-dim",
            "argparse_alias": "--decoder-heads",
        },
    )
    memory_slots: int = field(default=1, metadata={"help": "relational: memory slots"})
    dropout: float = field(
        default=0.1,
        metadata={"help": "dropout on embeddings, between layers and before the output layer"},
    )
    share_decoder_input_output_embed: bool = field(
        default=False,
        metadata={
            "help": "the output layer shares the weights of the embeddings",
            "argparse_alias": "--tie-embeddings",
        },
    )


@register_model("rnn_lm", dataclass=RNNLMConfig)
class RNNLM(FairseqLanguageModel):
    """A fairseq language model around ``RNNDecoder``."""

    @classmethod
    def build_model(cls, cfg: RNNLMConfig, task) -> "RNNLM":
        """Builds the model for the task's dictionary.

        Raises:
            UsageError: a flag's value does not exist or does not fit another's.
        """
        check(cfg)
        if len(task.source_dictionary) != len(task.target_dictionary):
            raise UsageError("--output-dictionary-size: rnn_lm reads and writes the same words")
        shape = {
            "embed_dim": cfg.decoder_embed_dim,
            "hidden_dim": output_dim(cfg),
            "dropout": cfg.dropout,
            "tie_embeddings": cfg.share_decoder_input_output_embed,
        }
        if cfg.rnn_cell == RELATIONAL:
            shape["rnn"] = RelationalMemory(
                cfg.decoder_embed_dim,
                cfg.memory_slots,
                cfg.decoder_hidden_dim,
                cfg.decoder_attention_heads,
            )
        else:
            shape |= {"cell": cfg.rnn_cell, "num_layers": cfg.decoder_layers}
        return cls(RNNDecoder(task.target_dictionary, **shape))


def output_dim(cfg: RNNLMConfig) -> int:
    """Width of what the recurrence gives to the output layer."""
    return cfg.decoder_hidden_dim * (cfg.memory_slots if cfg.rnn_cell == RELATIONAL else 1)


def check(cfg: RNNLMConfig) -> None:
    """Raises UsageError for a flag whose value does not exist or does not fit another's."""
    require_choice(cfg, "rnn_cell", [*CELLS, RELATIONAL])
    require_positive(cfg, "decoder_embed_dim", "decoder_hidden_dim", "decoder_layers")
    require_probability(cfg, "dropout")
    if cfg.rnn_cell == RELATIONAL:
        require_positive(cfg, "decoder_attention_heads", "memory_slots")
        require_divisible(cfg, "decoder_hidden_dim", "decoder_attention_heads")
        if cfg.decoder_layers != 1:
            raise UsageError(
                f"--decoder-layers is {cfg.decoder_layers}; --rnn-cell relational has 1"
            )
    if cfg.share_decoder_input_output_embed and output_dim(cfg) != cfg.decoder_embed_dim:
        raise UsageError(
            f"an output {output_dim(cfg)} wide (--decoder-hidden-dim) does not fit tied embeddings "
            f"of --decoder-embed-dim {cfg.decoder_embed_dim}: make them equal or leave out "
            "--share-decoder-input-output-embed"
        )


@register_model_architecture("rnn_lm", "rnn_lm_tiny")
def rnn_lm_tiny(args) -> None:
    """For tests: 16 units, the generator of `gan_doc_tiny`."""
    preset(args, decoder_embed_dim=16, decoder_hidden_dim=16, dropout=0.0)


@register_model_architecture("rnn_lm", "rnn_lm_seqgan")
def rnn_lm_seqgan(args) -> None:
    """The generator of `gan_seqgan` and `gan_maligan` (Yu et al. 2017): an LSTM of 32 units."""
    preset(args, decoder_embed_dim=32, decoder_hidden_dim=32, dropout=0.0)


@register_model_architecture("rnn_lm", "rnn_lm_relgan")
def rnn_lm_relgan(args) -> None:
    """The generator of `gan_relgan` (Nie et al. 2019): one memory slot, two heads of 256."""
    preset(
        args,
        rnn_cell=RELATIONAL,
        decoder_embed_dim=32,
        decoder_hidden_dim=512,
        decoder_attention_heads=2,
        memory_slots=1,
        dropout=0.0,
    )
