"""Translations of the same sentences by several systems: scores, intervals, and paired tests."""

import logging

from sacrebleu.metrics import BLEU, CHRF
from sacrebleu.significance import PairedTest

# Importing fairseq turns the root logger up to where sacrebleu tells of every resampling.
logging.getLogger("sacrebleu").setLevel(logging.WARNING)


def compare(
    systems: dict[str, list[str]],
    references: list[str],
    resamples: int = 1000,
    tokenize: str = "13a",
) -> tuple[dict[str, dict[str, float | None]], list[str]]:
    """BLEU and chrF, and whether each system differs from the first.

    All by sacrebleu's paired bootstrap (Koehn 2004, https://aclanthology.org/W04-3250): every
    resample of sentences scores all systems.

    Args:
        systems: name to translations, a line a sentence; the first is the baseline.
        references: right translations, in the same order.
        resamples: number of resamples.
        tokenize: sacrebleu's name of what cuts text for BLEU.

    Returns:
        For each system ``bleu``, ``bleu_ci`` (half the width of the 95 % interval), ``bleu_p`` (the
        probability of a difference from the baseline as large as this if there were none; None for
        the baseline), and the same of ``chrf``; and sacrebleu's signatures.
    """
    test = PairedTest(
        list(systems.items()),
        {"bleu": BLEU(tokenize=tokenize), "chrf": CHRF()},
        [references],
        test_type="bs",
        n_samples=resamples,
    )
    signatures, scores = test()
    compared: dict[str, dict[str, float | None]] = {name: {} for name in scores.pop("System")}
    for metric, results in scores.items():
        key = {"BLEU": "bleu", "chrF2": "chrf"}[metric]
        for figures, result in zip(compared.values(), results, strict=True):
            figures[key] = float(result.score)
            figures[f"{key}_ci"] = float(result.ci)
            figures[f"{key}_p"] = None if result.p_value is None else float(result.p_value)
    return compared, [f"{metric}|{signature}" for metric, signature in signatures.items()]
