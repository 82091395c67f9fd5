"""Measures the samples of one system against held-out text.

    python -m fairseq_genext.evaluation.measure samples/gpt.json --references HELD_OUT \\
        --train TRAIN --output measured/gpt.json

The JSON is that of ``evaluation.sample``. Every point gets the figures of ``metrics.samples``, the
Fréchet distance and, at temperature 1 where mauve-text is installed, MAUVE; with --scorer and
--reverse-scorer, language models trained apart, also the language-model scores of
``metrics.lm_score``.
"""

import argparse
import json
from pathlib import Path

from fairseq_genext.evaluation.metrics import mauve_score
from fairseq_genext.evaluation.metrics.text_metrics import TextMetrics
from fairseq_genext.files import read_samples, read_tokens, write_whole


def plain(point: dict) -> bool:
    """Whether a point is at temperature 1 without top-p, or not sampled at all."""
    return point.get("temperature", 1) in (1, None) and point.get("top_p", 1) in (1, None)


def language_model_scores(args, texts: list[list[str]], references: list[list[str]]) -> dict:
    """``lm_score`` of the samples and ``reverse_lm_score`` of the references, where asked for."""
    figures: dict[str, float] = {}
    pairs = {
        "lm_score": (args.scorer, texts),
        "reverse_lm_score": (args.reverse_scorer, references),
    }
    for name, (checkpoint, text) in pairs.items():
        if checkpoint is not None:
            from fairseq_genext.evaluation.metrics.lm_score import ScoringLM, lm_score

            scorer = ScoringLM(checkpoint, args.scorer_data, args.sentencepiece_model)
            mean, interval = lm_score(scorer, [" ".join(tokens) for tokens in text])
            figures |= {name: mean, f"{name}_ci": interval}
    return figures


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m fairseq_genext.evaluation.measure",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("samples", type=Path, help="JSON of evaluation.sample")
    parser.add_argument("--references", required=True, help="held-out text, a sentence a line")
    parser.add_argument("--train", help="training text, to count copies")
    parser.add_argument("--scorer", help="checkpoint of a language model trained on real text")
    parser.add_argument("--reverse-scorer", help="of one trained on these samples")
    parser.add_argument("--scorer-data", help="folder of the scorers' dict.txt")
    parser.add_argument("--sentencepiece-model", help="pieces of the scorers")
    parser.add_argument("--output", required=True, help="JSON to write")
    args = parser.parse_args()
    references = read_tokens(args.references, at_least=2)
    known = {token for sentence in references for token in sentence}
    metrics = TextMetrics(references, read_tokens(args.train) if args.train else None)
    points = json.loads(args.samples.read_text(encoding="utf-8"))["points"]
    for point in points:
        texts = read_samples(point["samples"], known)
        point |= metrics.measure(texts)
        if plain(point):
            if mauve_score.is_installed():
                point["mauve"] = mauve_score.mauve_score(metrics.embed(texts), metrics.embedded)
            point |= language_model_scores(args, texts, references)
    settings = {"num_references": len(references), "encoder": metrics.encoder.name}
    written = {"settings": settings, "points": points}
    write_whole(args.output, json.dumps(written, indent=1) + "\n")


if __name__ == "__main__":
    main()
