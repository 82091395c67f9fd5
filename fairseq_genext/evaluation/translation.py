"""Corpus BLEU and chrF of translations, by sacrebleu, beside copying the source."""

from sacrebleu.metrics import BLEU, CHRF


def measure(hypotheses: list[str], references: list[str]) -> dict[str, float | str]:
    """``bleu`` (Papineni et al. 2002) and ``chrf`` (Popović 2015), 0 to 100, higher is better.

    The signatures ``bleu_signature`` and ``chrf_signature`` say which variant; neither metric sees
    a right translation that uses other words than the reference.
    """
    figures: dict[str, float | str] = {}
    for name, metric in (("bleu", BLEU()), ("chrf", CHRF())):
        figures[name] = metric.corpus_score(hypotheses, [references]).score
        figures[f"{name}_signature"] = str(metric.get_signature())
    return figures
