"""Counts the floating-point operations of one training update: equal compute on every machine.

    python -m fairseq_genext.flops DATA (flags of fairseq-train) [--output FILE]

prints as JSON what one update computes, forward and backward: ``likelihood`` of a language model or
a translation model, ``likelihood``, ``discriminator`` and ``generator`` of a GAN (a generator's
update with its samples and rollouts, a discriminator's with the texts it is shown), and the
``batch`` it is counted for.

What counts is what ``torch.utils.flop_counter`` counts: matrix products and convolutions, 2 for a
multiplication with its addition, in float32. A recurrent layer with g gates (4 LSTM, 3 GRU, 1 RNN)
so has 2 * g * hidden * (input + hidden) a token, attention over n keys 4 * n * width a query, and
the backward pass twice as much. Sums of looked-up rows are added, 1 for an addition, by which a
discriminator reads many samples (see ``gan/discriminators/ngram_tables.py``).

The count depends on shapes alone. Every sentence has the mean length of the training split, with
its end, and so has every sample, unless ``--max-sample-length`` is shorter. Weights do not matter:
the checkpoints that a GAN's players start from are not read (but by a conditional GAN, whose
shape they are). The code is that of a CPU, with its fused kernels off, which no counter sees into.
"""

import argparse
import contextlib
import json
import sys
import warnings
from collections.abc import Iterator

import numpy as np
import torch
from fairseq import options, tasks
from fairseq.dataclass.utils import convert_namespace_to_omegaconf
from torch import Tensor
from torch.nn import functional as F
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from fairseq_genext import plugin  # noqa: F401  as a command of its own nothing has yet
from fairseq_genext.errors import UsageError
from fairseq_genext.files import write_whole
from fairseq_genext.gan.discriminators import ngram_tables
from fairseq_genext.gan.schedule import Phase, Turn
from fairseq_genext.modules.samplers import SampleLength
from fairseq_genext.tasks.gan import GANTask
from fairseq_genext.tasks.turns import Turns
from fairseq_genext.tasks.validation_samples import ValidationSamples

aten = torch.ops.aten
STARTS = ("generator_checkpoint", "discriminator_checkpoint")
TURNS = {
    "likelihood": Turn(Phase.GENERATOR_PRETRAINING, "generator"),
    "discriminator": Turn(Phase.TURNS, "discriminator"),
    "generator": Turn(Phase.TURNS, "generator"),
}


def embedding_bag_flops(
    table,
    rows,
    offsets,
    scale=False,
    mode=0,
    sparse=False,
    weights=None,
    *args,
    out_shape,
    **kwargs,
) -> int:
    """An addition for each number of each row, and with weights a multiplication; of shapes."""
    return rows.numel() * table[1] * (1 if weights is None else 2)


class NoModules(contextlib.nullcontext):
    """In place of the counter's tracker of modules, which a gradient penalty does not get past."""

    parents = ("Global",)


FORMULAS = {
    aten._embedding_bag: embedding_bag_flops,
    aten._embedding_bag_forward_only: embedding_bag_flops,
}


def update_flops(cfg) -> dict:
    """Floating-point operations of one update of each kind that a run makes.

    Args:
        cfg: fairseq's configuration of a training.

    Returns:
        The numbers by kind, and ``batch``: the ``sentences`` of an update and their ``tokens``, of
        the target where there is a source.

    Raises:
        UsageError: the data are no sentences, or the configuration does not fit them.
    """
    task = tasks.setup_task(cfg.task)
    if isinstance(task, GANTask):
        for start in STARTS:
            if hasattr(cfg.model, start):
                setattr(cfg.model, start, "")
    lengths = mean_lengths(task, cfg.dataset.train_subset)
    sentences = sentences_of_update(cfg, lengths)
    batch = synthetic_batch(task, sentences, lengths)
    model, criterion = task.build_model(cfg.model), task.build_criterion(cfg.criterion)
    model.train()

    def one_update() -> int:
        model.zero_grad()
        counter = FlopCounterMode(display=False, custom_mapping=FORMULAS)
        counter.mod_tracker = NoModules()
        with countable(), counter:
            loss, _, _ = criterion(model, batch)
            loss.backward()
        return counter.get_total_flops()

    counted = {}
    if isinstance(task, Turns):
        # No sample ends before its time.
        criterion.length = SampleLength(min(lengths[-1], task.length.maximum), fixed=True)
        for kind, turn in TURNS.items():
            criterion.begin_turn(turn)
            counted[kind] = one_update()
    else:
        counted["likelihood"] = one_update()
    return {**counted, "batch": {"sentences": sentences, "tokens": batch["ntokens"]}}


def mean_lengths(task, split: str) -> list[int]:
    """Mean tokens of a training sentence, rounded: of the source, if there is one, and the target.

    Raises:
        UsageError: the data are no sentences.
    """
    task.load_dataset(split)
    sizes = getattr(task.dataset(split), "sizes", None)
    if sizes is None:
        raise UsageError("operations are counted for sentences only, which this task does not have")
    means = np.asarray(sizes).reshape(len(task.dataset(split)), -1).mean(axis=0)
    lengths = [int(mean + 0.5) for mean in means]
    return [task.length.maximum] if has_fixed_length(task) else lengths


def has_fixed_length(task) -> bool:
    """Whether sentences have no end (``--fixed-length``)."""
    return isinstance(task, ValidationSamples) and task.length.fixed


def sentences_of_update(cfg, lengths: list[int]) -> int:
    """Sentences that one update reads: ``--batch-size``, or what ``--max-tokens`` has room for.

    Raises:
        UsageError: neither is given.
    """
    if cfg.dataset.batch_size is None and cfg.dataset.max_tokens is None:
        raise UsageError("the size of an update is open: give --batch-size or --max-tokens")
    sentences = cfg.dataset.batch_size or max(1, cfg.dataset.max_tokens // max(lengths))
    return sentences * cfg.optimization.update_freq[0]


def synthetic_batch(task, sentences: int, lengths: list[int]) -> dict:
    """A batch of the task's kind whose sentences all have the same length, and different words."""
    end = not has_fixed_length(task)
    target = text(task.target_dictionary, sentences, lengths[-1], end)
    previous = F.pad(target[:, :-1], (1, 0), value=task.target_dictionary.eos())
    if len(lengths) == 1:
        inputs = {"src_tokens": previous}
    else:
        source = text(task.source_dictionary, sentences, lengths[0], end)
        inputs = {"src_tokens": source, "prev_output_tokens": previous}
    inputs["src_lengths"] = torch.full((sentences,), inputs["src_tokens"].size(1))
    return {
        "id": torch.arange(sentences),
        "nsentences": sentences,
        "ntokens": target.numel(),
        "net_input": inputs,
        "target": target,
    }


def text(dictionary, sentences: int, length: int, end: bool) -> Tensor:
    """Ids ``(sentences, length)``: words in the dictionary's order, the last one the end if any."""
    words = torch.arange(sentences * length).remainder(len(dictionary) - dictionary.nspecial)
    ids = (words + dictionary.nspecial).view(sentences, length)
    if end:
        ids[:, -1] = dictionary.eos()
    return ids


@contextlib.contextmanager
def countable() -> Iterator[None]:
    """Within, layers run as products that a counter sees, and as many of them every time."""
    fastpath, number_words = torch.backends.mha.get_fastpath_enabled(), ngram_tables.number_words
    precision = torch.get_float32_matmul_precision()
    torch.backends.mha.set_fastpath_enabled(False)
    torch.set_float32_matmul_precision("highest")
    ngram_tables.number_words = whole_dictionary
    try:
        with torch.backends.mkldnn.flags(enabled=False), sdpa_kernel(SDPBackend.MATH):
            yield
    finally:
        torch.backends.mha.set_fastpath_enabled(fastpath)
        torch.set_float32_matmul_precision(precision)
        ngram_tables.number_words = number_words


def whole_dictionary(tokens: Tensor, mask: Tensor, embeddings: Tensor) -> tuple[Tensor, Tensor]:
    """As ``ngram_tables.number_words``, as if all words occurred: which do is up to the weights."""
    nothing = len(embeddings)
    return tokens.int().masked_fill(~mask, nothing), F.pad(embeddings, (0, 0, 0, 1))


def main(argv: list[str] | None = None) -> None:
    """The command line."""
    own = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    own.add_argument("--output")
    mine, flags = own.parse_known_args(sys.argv[1:] if argv is None else argv)
    warnings.simplefilter("ignore")  # fairseq's and hydra's about their own code
    parser = options.get_training_parser()
    cfg = convert_namespace_to_omegaconf(options.parse_args_and_arch(parser, flags))
    counted = json.dumps(update_flops(cfg))
    print(counted)
    if mine.output is not None:
        write_whole(mine.output, counted + "\n")


if __name__ == "__main__":
    main()
