"""Log-probability and perplexity of raw sentences, which nothing has binarised.

    python -m fairseq_genext.evaluation.score_text --checkpoint PATH \\
        --sentencepiece-model PIECES.model TEXT        # or - for standard input

prints a line for each sentence of the text, and one for all of them, which is what fairseq-eval-lm
says of the same text:

- log_probability: in nats, of the sentence and its end, each token given those before it
- tokens: of the model, the end of sentence included; unknown: those that its dictionary lacks
- perplexity: exp(-log_probability / tokens), which depends on the tokens
- bits_per_byte, bits_per_character: -log_probability / ln 2, divided by the bytes (UTF-8) or
  characters of the sentence and its line end. Models with other tokens can be compared by it,
  where no token is unknown.

The checkpoint holds any language model of fairseq, or a GAN: of a generator with noise it is the
likelihood at one draw of noise. A model of documents is given each line by itself.
"""

import json
import logging
import math
import sys
from pathlib import Path

from fairseq import utils

from fairseq_genext.evaluation import command
from fairseq_genext.evaluation.checkpoints import require_checkpoint
from fairseq_genext.evaluation.metrics.lm_score import ScoringLM
from fairseq_genext.files import plain_blanks, read_lines, write_whole

logger = logging.getLogger(__name__)

COLUMNS = (
    "line", "log_probability", "tokens", "unknown", "perplexity", "bits_per_byte",
    "bits_per_character",
)  # fmt: skip


def figures(cost: float, tokens: int, unknown: int, texts: list[str]) -> dict[str, float]:
    """The columns of some sentences.

    Args:
        cost: their negative log-likelihood in nats.
        tokens: their number.
        unknown: those that the dictionary lacks.
        texts: the sentences.
    """
    characters = sum(len(text) + 1 for text in texts)
    size = sum(len(text.encode()) + 1 for text in texts)
    bits = cost / math.log(2)
    return {
        "log_probability": -cost,
        "tokens": tokens,
        "unknown": unknown,
        # Of a single token that all but cannot be, it is no float.
        "perplexity": math.exp(cost / tokens) if cost / tokens < 700 else math.inf,
        "bits_per_byte": bits / size,
        "bits_per_character": bits / characters,
    }


def score(scorer: ScoringLM, texts: list[str]) -> list[dict]:
    """A row for each of the sentences, numbered from 1, and one for all: ``total``.

    Raises:
        UsageError: a sentence is longer than the model can read.
    """
    encoded = [scorer.encode(text) for text in texts]
    costs, lengths = scorer.costs(encoded), list(map(len, encoded))
    unknown = [int(tokens.eq(scorer.dictionary.unk()).sum()) for tokens in encoded]
    rows = [
        {"line": number, **figures(*measured, [text])}
        for number, (*measured, text) in enumerate(
            zip(costs, lengths, unknown, texts, strict=True), start=1
        )
    ]
    total = figures(math.fsum(costs), sum(lengths), sum(unknown), texts)
    return [*rows, {"line": "total", **total}]


def main() -> None:
    """The command line."""
    parser = command.parser("score_text", __doc__)
    parser.add_argument("text", help="a sentence a line; - is standard input")
    parser.add_argument("--checkpoint", required=True)
    parser.add_argument("--data", help="folder of its dict.txt (default: what it was trained on)")
    cut = parser.add_mutually_exclusive_group()
    cut.add_argument(
        "--sentencepiece-model",
        help="cuts the text as the training text was; without, it is split at blanks",
    )
    cut.add_argument(
        "--gpt2-encoding",
        metavar="FOLDER",
        help="likewise, of encoder.json and vocab.bpe (weights.huggingface)",
    )
    parser.add_argument("--format", choices=("tsv", "json"), default="tsv", help="json: one a line")
    parser.add_argument("--seed", type=int, default=1, help="of a generator's noise")
    parser.add_argument("--output", type=Path, help="file to write in place of standard output")
    args = parser.parse_args()
    require_checkpoint(args.checkpoint)
    # White space is a part of what GPT-2's encoding reads.
    texts = list(map(str if args.gpt2_encoding else plain_blanks, read_lines(args.text)))
    pieces = args.gpt2_encoding or args.sentencepiece_model
    scorer = ScoringLM(args.checkpoint, args.data, pieces)
    utils.set_torch_seed(args.seed)
    rows = score(scorer, texts)
    if unknown := rows[-1]["unknown"]:
        logger.warning(
            f"{unknown:,} of {rows[-1]['tokens']:,} tokens are not in the dictionary, and count as "
            "one word: is the text cut as the training text was (--sentencepiece-model)?"
        )
    if args.format == "json":
        written = "".join(json.dumps(row) + "\n" for row in rows)
    else:
        lines = [COLUMNS, *(map(str, row.values()) for row in rows)]
        written = "".join("\t".join(line) + "\n" for line in lines)
    if args.output:
        write_whole(args.output, written)
    else:
        sys.stdout.write(written)


if __name__ == "__main__":
    main()
