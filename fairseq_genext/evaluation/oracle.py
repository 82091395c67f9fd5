"""NLL_oracle and NLL_test of a generator, at a row of temperatures.

    python -m fairseq_genext.evaluation.oracle DATA --oracle ORACLE.npz --checkpoint PATH \\
        --temperatures 1.0 0.8 --output measured/gan.json

A lower temperature improves the one and worsens the other (Caccia et al. 2020,
https://arxiv.org/abs/1811.02549, section 5), so that neither counts alone:

- NLL_oracle, quality: mean -log p_oracle of a token of the samples, in nats (Yu et al. 2017,
  section 5.1). Lower is better down to what the oracle's own text has; below that samples are too
  likely. It does not see that samples are alike.
- NLL_test, diversity: mean -log p_generator of a token of held-out oracle text, in nats. Lower is
  better. It does not see what else the generator writes.

The temperature divides the logits, when sampling and when reading held-out text. For a generator
with noise NLL_test is that of one draw of noise, an upper bound in expectation. With --resample it
is that of the residual energy-based model (``gan.residual``), with its logit by --resample-weight.
"""

from pathlib import Path

import torch
from torch import Tensor

from fairseq_genext.data.oracle import OracleLSTM
from fairseq_genext.errors import (
    UsageError,
    require_least,
    require_resampling,
    require_temperature,
)
from fairseq_genext.evaluation import command
from fairseq_genext.evaluation.checkpoints import (
    FixedLengthGenerator,
    load_language_model,
    require_checkpoint,
)
from fairseq_genext.evaluation.metrics.bootstrap import half_width
from fairseq_genext.evaluation.metrics.diversity import duplicate_share
from fairseq_genext.evaluation.metrics.ngram_bleu import mean_scores, self_bleu_scores
from fairseq_genext.evaluation.residual import ResampledFixedLength
from fairseq_genext.evaluation.tables import columns, format_table, markdown
from fairseq_genext.gan.residual import scorer_of

BATCH = 500  # sequences that the oracle reads at once
SELF_BLEU_SAMPLES = 2000
COLUMNS = columns(
    "temperature", "oracle_nll", "oracle_nll_ci", "test_nll", "self_bleu_2", "duplicates"
)


def measure(
    generator: FixedLengthGenerator,
    oracle: OracleLSTM,
    held_out: Tensor,
    temperature: float,
    number: int,
) -> dict[str, float]:
    """Both figures of a generator, and how alike its samples are.

    Args:
        generator: of texts as long as the oracle's.
        oracle: reads the ids of the generator's dictionary.
        held_out: the oracle's own sequences, ``(sequences, time)``.
        temperature: divides the logits.
        number: samples to draw.

    Returns:
        ``oracle_nll`` with ``oracle_nll_ci``, ``test_nll``, ``self_bleu_2`` (of at most 2,000
        samples) and ``duplicates``.
    """
    samples = generator.sample(number, temperature)
    costs = torch.cat([oracle.nll(batch) for batch in samples.split(BATCH)]).tolist()
    texts = samples.tolist()
    return {
        "temperature": temperature,
        "oracle_nll": sum(costs) / len(costs),
        "oracle_nll_ci": half_width(costs),
        "test_nll": generator.nll(held_out, temperature).mean().item(),
        "self_bleu_2": mean_scores(self_bleu_scores(texts[:SELF_BLEU_SAMPLES], 2))[1],
        "duplicates": duplicate_share(texts),
    }


def read_held_out(task, split: str) -> Tensor:
    """The sequences of a split of the task's data, without end of sentence.

    Raises:
        UsageError: they differ in length.
    """
    task.load_dataset(split)
    rows = [item["target"][:-1] for item in task.dataset(split)]
    if len({len(row) for row in rows}) != 1:
        raise UsageError(f"the sentences of {split} differ in length: this is no oracle's text")
    return torch.stack(rows)


def main() -> None:
    """The command line."""
    parser = command.parser("oracle", __doc__)
    parser.add_argument("data", help="binarised folder with dict.txt and the held-out split")
    parser.add_argument("--oracle", required=True, help="npz file of the oracle's weights")
    parser.add_argument("--checkpoint", required=True, help="a language model or a GAN")
    parser.add_argument("--temperatures", nargs="+", type=float, default=[1.0])
    parser.add_argument("--num-samples", type=int, default=10000)
    parser.add_argument("--split", default="test", help="held-out split (default: test)")
    command.add_resampling_flags(parser)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--output", type=Path, required=True, help="JSON file to write")
    args = parser.parse_args()
    require_temperature(args, "temperatures")
    require_least(args, 2, "num_samples")  # which an interval needs
    require_resampling(args)
    require_checkpoint(args.checkpoint)
    model, task = load_language_model(args.checkpoint, args.data)
    device = next(model.parameters()).device
    oracle = OracleLSTM.load(args.oracle, task.target_dictionary).to(device)
    held_out = read_held_out(task, args.split).to(device)
    generator = FixedLengthGenerator(model.decoder, held_out.size(1))
    if args.resample > 1:
        try:
            generator = ResampledFixedLength(
                generator, scorer_of(model), args.resample, args.resample_weight
            )
        except ValueError as error:
            raise UsageError(f"--resample: {args.checkpoint}: {error}") from None
    points = []
    for temperature in args.temperatures:
        torch.manual_seed(args.seed)
        points.append(measure(generator, oracle, held_out, temperature, args.num_samples))
    settings = {
        "oracle": args.oracle,
        "own_nll": oracle.nll(held_out).mean().item(),
        "split": args.split,
        "num_samples": args.num_samples,
        "seed": args.seed,
    }
    command.write_json(args.output, settings=settings, points=points)
    print(markdown(format_table(points, COLUMNS)))


if __name__ == "__main__":
    main()
