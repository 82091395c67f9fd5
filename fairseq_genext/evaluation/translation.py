"""Corpus BLEU and chrF of translations, by sacrebleu, compared with copying the source.

    python -m fairseq_genext.evaluation.translation --hypotheses H --references R [--source S]

prints them as JSON, under ``copy_of_source`` those of the source taken for its own translation.
"""

import json
from pathlib import Path

from sacrebleu.metrics import BLEU, CHRF

from fairseq_genext.data.pieces import normalizer
from fairseq_genext.errors import UsageError
from fairseq_genext.evaluation import command
from fairseq_genext.evaluation.tokenizers import add_tokenize_flag, choose
from fairseq_genext.files import read_lines


def measure(
    hypotheses: list[str], references: list[str], tokenize: str = "13a"
) -> dict[str, float | str]:
    """``bleu`` (Papineni et al. 2002) and ``chrf`` (Popović 2015), 0 to 100, higher is better.

    The signatures ``bleu_signature`` and ``chrf_signature`` say which variant; neither metric sees
    a right translation that uses other words than the reference.
    """
    figures: dict[str, float | str] = {}
    for name, metric in (("bleu", BLEU(tokenize=tokenize)), ("chrf", CHRF())):
        figures[name] = metric.corpus_score(hypotheses, [references]).score
        figures[f"{name}_signature"] = str(metric.get_signature())
    return figures


def read_aligned(path: str | Path, references: list[str]) -> list[str]:
    """Lines of a file that must have one for each reference.

    Raises:
        UsageError: as ``read_lines``, or the numbers of lines differ.
    """
    lines = read_lines(path)
    if len(lines) != len(references):
        raise UsageError(f"{path} has {len(lines)} lines for {len(references)} references")
    return lines


def main() -> None:
    """The command line."""
    parser = command.parser("translation", __doc__)
    parser.add_argument("--hypotheses", required=True, help="translations, a line a sentence")
    parser.add_argument("--references", required=True, help="right translations, in the same order")
    parser.add_argument("--source", help="what was translated, to score copying it")
    parser.add_argument("--sentencepiece-model", help="all texts are normalised as by this model")
    add_tokenize_flag(parser, "that of the language that --references ends in, else 13a")
    args = parser.parse_args()
    normalise = normalizer(args.sentencepiece_model) if args.sentencepiece_model else str
    references = list(map(normalise, read_lines(args.references)))

    tokenize = choose(args.tokenize, references, Path(args.references).suffix[1:])

    def scored(path: str) -> dict:
        return measure(list(map(normalise, read_aligned(path, references))), references, tokenize)

    figures = scored(args.hypotheses)
    if args.source:
        figures["copy_of_source"] = scored(args.source)
    print(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
