"""Samples from a checkpoint by fairseq-generate itself, run inside this process.

It is the command's own function with the command's own flags, so for a seed the samples are those
of the command; what is saved is starting Python and importing fairseq for every point of a sweep.
"""

import io
import logging
import re
import sys
import warnings
from contextlib import contextmanager
from dataclasses import dataclass

from fairseq import options
from fairseq.dataclass.utils import convert_namespace_to_omegaconf
from fairseq_cli import generate

from fairseq_genext import plugin  # noqa: F401
from fairseq_genext.evaluation.hypotheses import hypotheses

LOGGER = logging.getLogger("fairseq_cli.generate")
TIMING = re.compile(r"\([\d,]+ tokens\) in (?P<seconds>[\d.]+)s \(.*?(?P<speed>[\d.]+) tokens/s\)")


@dataclass(frozen=True)
class Sampling:
    """How many texts are drawn, and how.

    Attributes:
        data: binarised data folder, for its dictionary.
        num_samples: texts a point.
        max_length: tokens of the longest, end of sentence left out.
        batch_size: texts drawn at once; another size gives other samples of the same seed.
        seed: seed of every point.
        sentencepiece_model: joins pieces to words; None leaves tokens as they are.
    """

    data: str
    num_samples: int
    max_length: int
    batch_size: int
    seed: int
    sentencepiece_model: str | None = None

    def flags(self, checkpoint: str, temperature: float, top_p: float) -> list[str]:
        """Arguments of fairseq-generate; top-p 1 is no top-p."""
        flags = [
            self.data, "--task", "unconditional_generation", "--path", checkpoint,
            "--num-samples", str(self.num_samples), "--sampling", "--beam", "1",
            "--temperature", str(temperature), "--max-len-b", str(self.max_length),
            "--batch-size", str(self.batch_size), "--seed", str(self.seed),
            "--log-format", "tqdm" if sys.stderr.isatty() else "none",
            # Here fairseq's loaders do not end with the command: each worker is waited for, 5 s.
            "--num-workers", "0",
        ]  # fmt: skip
        if top_p < 1:
            flags += ["--sampling-topp", str(top_p)]
        if self.sentencepiece_model:
            flags += ["--bpe", "sentencepiece", "--sentencepiece-model", self.sentencepiece_model]
        return flags


@dataclass(frozen=True)
class Drawn:
    """Samples and what fairseq-generate says of its speed.

    Attributes:
        texts: one a sample, in the order of their numbers.
        seconds: spent in generation, without loading the model.
        tokens_per_second: ends of sentence included.
    """

    texts: list[str]
    seconds: float
    tokens_per_second: float


def draw(sampling: Sampling, checkpoint: str, temperature: float, top_p: float = 1.0) -> Drawn:
    """Samples of a checkpoint.

    Raises:
        UsageError: the data folder or the checkpoint is not as the task needs it.
    """
    parser = options.get_generation_parser()
    args = options.parse_args_and_arch(parser, sampling.flags(checkpoint, temperature, top_p))
    printed = io.StringIO()
    with _quiet_but_for(printed):
        generate._main(convert_namespace_to_omegaconf(args), printed)
    lines = printed.getvalue().split("\n")
    (timing,) = filter(None, map(TIMING.search, lines))
    return Drawn(
        hypotheses(lines, sampling.num_samples), float(timing["seconds"]), float(timing["speed"])
    )


@contextmanager
def _quiet_but_for(stream: io.StringIO):
    # The command logs to its standard output. With a handler there already, it does not bind the
    # root logger to a stream that is gone at the next point; and the rest of fairseq keeps quiet.
    root = logging.getLogger()
    logging.basicConfig()
    before = root.level, LOGGER.level, LOGGER.propagate
    handler = logging.StreamHandler(stream)
    LOGGER.addHandler(handler)
    root.setLevel(logging.WARNING)
    LOGGER.setLevel(logging.INFO)
    LOGGER.propagate = False
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # of hydra, at every reading of flags
            yield
    finally:
        LOGGER.removeHandler(handler)
        root.setLevel(before[0])
        LOGGER.setLevel(before[1])
        LOGGER.propagate = before[2]
