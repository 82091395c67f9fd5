"""Samples a checkpoint from nothing at a row of temperatures and top-p, and reads held-out text.

    python -m fairseq_genext.evaluation.sample DATA --checkpoint PATH --output samples/gpt \\
        --temperatures 0.8 1.0 --top-p 0.9 --sentencepiece-model PIECES.model

writes samples/gpt/t0.80.txt, t1.00.txt, p0.90.txt, a sample a line, and samples/gpt.json: the
points with their settings and speed, and the perplexity of the test split, a token. The samples are
those of fairseq-generate with the same seed. The checkpoint holds any language model of fairseq, or
a GAN; with --partition-samples, the figures of ``evaluation.residual`` stand there too.
"""

import argparse
import json
import sys
from dataclasses import dataclass
from pathlib import Path

import torch
from fairseq import utils
from fairseq_cli.eval_lm import eval_lm
from torch import nn

from fairseq_genext.data import pieces
from fairseq_genext.errors import (
    UsageError,
    require_least,
    require_positive,
    require_resampling,
    require_temperature,
)
from fairseq_genext.evaluation import command
from fairseq_genext.evaluation.checkpoints import (
    held_out_batches,
    load_language_model,
    require_checkpoint,
)
from fairseq_genext.evaluation.generation import Generated, generate
from fairseq_genext.evaluation.residual import require_residual, residual_likelihood
from fairseq_genext.files import write_lines, write_whole


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
        resample: candidates a text, of which a GAN's discriminator chooses one.
        resample_weight: factor on its logit.
    """

    data: str
    num_samples: int
    max_length: int
    batch_size: int
    seed: int
    sentencepiece_model: str | None = None
    resample: int = 1
    resample_weight: float = 1.0

    def flags(self, checkpoint: str, temperature: float, top_p: float) -> list[str]:
        """Arguments of fairseq-generate; top-p 1 is no top-p."""
        flags = [
            self.data, "--task", "unconditional_generation", "--path", checkpoint,
            "--num-samples", str(self.num_samples), "--sampling", "--beam", "1",
            "--temperature", str(temperature), "--max-len-b", str(self.max_length),
            "--batch-size", str(self.batch_size), "--seed", str(self.seed),
            "--log-format", "tqdm" if sys.stderr.isatty() else "none",
        ]  # fmt: skip
        if top_p < 1:
            flags += ["--sampling-topp", str(top_p)]
        if self.resample > 1:
            flags += ["--resample", str(self.resample)]
            flags += ["--resample-weight", str(self.resample_weight)]
        if self.sentencepiece_model:
            flags += ["--bpe", "sentencepiece", "--sentencepiece-model", self.sentencepiece_model]
        return flags


def draw(
    sampling: Sampling,
    checkpoint: str,
    temperature: float,
    top_p: float = 1.0,
    untrained: bool = False,
) -> Generated:
    """Samples of a checkpoint.

    Raises:
        UsageError: the data folder or the checkpoint is not as the task needs it.
    """
    return generate(sampling.flags(checkpoint, temperature, top_p), untrained)


@torch.no_grad()
def held_out_perplexity(model: nn.Module, task, split: str, seed: int) -> float:
    """exp of the mean negative log-likelihood of a token of a split, as ``fairseq-eval-lm`` has it.

    For a generator with noise it is that of one draw of noise a sentence, an upper bound in
    expectation.
    """
    utils.set_torch_seed(seed)
    batches = held_out_batches(model, task, split)
    device = next(model.parameters()).device
    return float(eval_lm([model], task.dictionary, batches, device=device)["perplexity"])


def add_sampling_flags(parser: argparse.ArgumentParser) -> None:
    """The flags that say how to sample."""
    parser.add_argument("data", help="binarised data folder of the checkpoints' dictionary")
    parser.add_argument("--temperatures", nargs="+", type=float, default=[0.7, 0.85, 1.0, 1.2])
    parser.add_argument("--top-p", nargs="*", type=float, default=[], help="at temperature 1")
    parser.add_argument("--num-samples", type=int, default=1000, help="of each point")
    parser.add_argument("--max-length", type=int, default=40, help="in tokens of the model")
    parser.add_argument("--batch-size", type=int, default=250)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--sentencepiece-model", help="joins the model's pieces to words")
    command.add_resampling_flags(parser)


def read_sampling_flags(args: argparse.Namespace) -> tuple[Sampling, dict[str, tuple]]:
    """The settings, and every point's name with its temperature and top-p.

    Raises:
        UsageError: a number is out of range, or two points are the same.
    """
    require_positive(args, "max_length", "batch_size")
    require_resampling(args)
    if args.num_samples < 2:
        raise UsageError(f"--num-samples is {args.num_samples}; it must be 2 or greater")
    if args.sentencepiece_model:
        pieces.load(args.sentencepiece_model)  # or fairseq would end in a traceback
    require_temperature(args, "temperatures")
    for top_p in args.top_p:
        if not 0 < top_p < 1:
            raise UsageError(f"--top-p has {top_p}; each must lie between 0 and 1")
    points = {f"t{value:.2f}": (value, 1.0) for value in args.temperatures}
    points |= {f"p{value:.2f}": (1.0, value) for value in args.top_p}
    if len(points) < len(args.temperatures) + len(args.top_p):
        raise UsageError("two --temperatures or two --top-p are the same to two decimals")
    sampling = Sampling(
        args.data, args.num_samples, args.max_length, args.batch_size, args.seed,
        args.sentencepiece_model, args.resample, args.resample_weight,
    )  # fmt: skip
    return sampling, points


def sample_point(
    sampling: Sampling,
    checkpoint: str,
    temperature: float,
    top_p: float,
    path: Path,
    untrained: bool = False,
) -> dict:
    """Writes a point's samples to ``path``; returns its settings and speed."""
    drawn = draw(sampling, checkpoint, temperature, top_p, untrained)
    write_lines(path, drawn.texts)
    return {
        "temperature": temperature,
        "top_p": top_p,
        "samples": str(path),
        "seconds": drawn.seconds,
        "tokens_per_second": drawn.tokens / drawn.seconds,
    }


def main() -> None:
    """The command line."""
    parser = command.parser("sample", __doc__)
    add_sampling_flags(parser)
    parser.add_argument("--checkpoint", required=True)
    parser.add_argument(
        "--untrained", action="store_true", help="its architecture with fresh weights"
    )
    parser.add_argument(
        "--partition-samples",
        type=int,
        default=0,
        metavar="M",
        help="of a GAN whose discriminator scores whole texts: samples that log Z comes from",
    )
    parser.add_argument("--output", type=Path, required=True, help="folder, and name of the JSON")
    args = parser.parse_args()
    require_checkpoint(args.checkpoint)
    sampling, points = read_sampling_flags(args)
    measured = (1.0, 1.0) in points.values()  # a likelihood is that of temperature 1
    model = task = None
    if measured:
        utils.set_torch_seed(args.seed)  # of fresh weights
        model, task = load_language_model(args.checkpoint, args.data, untrained=args.untrained)
    if args.partition_samples:
        require_least(args, 2, "partition_samples")
        if not measured:
            raise UsageError(
                "--partition-samples: a likelihood is that of temperature 1; add 1 to "
                "--temperatures, or leave the flag out"
            )
        require_residual(model, task)
    # Before anything is written, as the held-out text may not be as the model needs it.
    likelihood = {}
    if measured:
        likelihood["perplexity"] = held_out_perplexity(model, task, "test", args.seed)
        if args.partition_samples:
            likelihood |= residual_likelihood(
                model, task, "test", args.partition_samples, args.seed
            )
    sampled = []
    for name, (temperature, top_p) in points.items():
        path = args.output / f"{name}.txt"
        point = sample_point(sampling, args.checkpoint, temperature, top_p, path, args.untrained)
        if (temperature, top_p) == (1, 1):
            point |= likelihood
        sampled.append(point)
        print(f"{path}: {args.num_samples} samples in {point['seconds']:.1f} s", flush=True)
    write_whole(f"{args.output}.json", json.dumps({"points": sampled}, indent=1) + "\n")


if __name__ == "__main__":
    main()
