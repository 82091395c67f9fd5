"""Measures the samples of one system against held-out text.

    python -m fairseq_genext.evaluation.measure samples/gpt.json --references HELD_OUT \\
        --train TRAIN --output measured/gpt.json

The JSON is that of ``evaluation.sample``. Every point gets the figures of ``metrics.samples``, the
Fréchet distance and, at temperature 1 where mauve-text is installed, MAUVE; with --scorer and
--reverse-scorers, language models trained apart, also the language-model scores of
``metrics.lm_score``.
"""

import argparse
from pathlib import Path

from fairseq_genext.evaluation import command
from fairseq_genext.evaluation.metrics.text_metrics import TextMetrics, add_text_flags
from fairseq_genext.files import read_points, read_tokens


def plain(point: dict) -> bool:
    """Whether a point is at temperature 1 without top-p, or not sampled at all."""
    return point.get("temperature") in (1, None) and point.get("top_p") in (1, None)


def add_scores(points: list[dict], args: argparse.Namespace) -> None:
    """Adds the language-model scores that there are scorers for."""
    from fairseq_genext.evaluation.metrics.lm_score import ScoringLM, lm_scores

    def load(path: str | Path) -> ScoringLM:
        return ScoringLM(str(path), args.scorer_data, args.sentencepiece_model)

    scorer = args.scorer and load(args.scorer)
    # At blanks, whatever cuts the text for the other figures.
    references = read_tokens(args.references)
    for point in points:
        by, reverse = scorer if args.score_all_points or plain(point) else None, None
        if args.reverse_scorers:
            own = args.reverse_scorers / Path(point["samples"]).stem / "checkpoint_last.pt"
            reverse = load(own) if plain(point) or own.is_file() else None
        if by or reverse:
            scored = read_tokens(args.scored or point["samples"])
            point |= lm_scores(scored, references, by, reverse)


def main() -> None:
    """The command line."""
    parser = command.parser("measure", __doc__)
    parser.add_argument("samples", type=Path, help="JSON of evaluation.sample")
    add_text_flags(parser)
    parser.add_argument("--scorer", help="checkpoint of a language model trained on real text")
    parser.add_argument("--scored", help="text for --scorer in place of samples it was trained on")
    parser.add_argument(
        "--reverse-scorers",
        type=Path,
        help="folder of those trained on samples: NAME/checkpoint_last.pt for a point NAME.txt; "
        "points but temperature 1 may have none",
    )
    parser.add_argument(
        "--score-all-points", action="store_true", help="by --scorer, not temperature 1 alone"
    )
    parser.add_argument("--scorer-data", help="folder of the scorers' dict.txt")
    parser.add_argument("--sentencepiece-model", help="pieces of scorers and systems")
    parser.add_argument("--output", required=True, help="JSON to write")
    args = parser.parse_args()
    metrics = TextMetrics.of_flags(args, args.sentencepiece_model)
    points = read_points(args.samples, "samples")
    for point in points:
        texts = metrics.read(point["samples"])
        point |= metrics.measure(texts, mauve=plain(point))
    if args.scorer or args.reverse_scorers:  # fairseq takes seconds to import
        add_scores(points, args)
    settings = {
        "num_references": len(metrics.references),
        "encoder": metrics.encoder.name,
        "tokenize": args.tokenize,
    }
    command.write_json(args.output, settings=settings, points=points)


if __name__ == "__main__":
    main()
