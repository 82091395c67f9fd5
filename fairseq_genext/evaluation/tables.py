"""Figures as the text of a table: what each is called, how many decimals it has."""

import pandas as pd

from fairseq_genext.evaluation.metrics.samples import ORDERS

# Of a text, in the order of genext-evaluate, with the direction that is better.
TEXT_FIGURES = {
    "num_samples": "samples",
    **{f"bleu_{order}": f"BLEU-{order} ↑" for order in ORDERS},
    **{f"self_bleu_{order}": f"Self-BLEU-{order} ↓" for order in ORDERS},
    "distinct_1": "distinct-1 ↑",
    "distinct_2": "distinct-2 ↑",
    "duplicates": "duplicates ↓",
    "copied": "copied from training",
    "mean_length": "mean length in tokens",
    "length_divergence": "length divergence ↓",
    "unigram_divergence": "1-gram divergence ↓",
    "bigram_divergence": "2-gram divergence ↓",
    "frechet": "Fréchet distance ↓",
    "mauve": "MAUVE ↑",
    "lm_score": "LM score, nats a token ↓",
    "reverse_lm_score": "reverse LM score, nats a token ↓",
    "perplexity": "held-out perplexity ↓",
    "generator_nll": "generator's NLL, nats a token ↓",
    "residual_nll": "NLL with its discriminator ↓",
    "residual_gain": "gain ↑",
    "discriminator_loss": "discriminator's held-out loss",
}
# Other names go by themselves, with blanks for underscores.
HEADINGS = TEXT_FIGURES | {
    "top_p": "top-p",
    "generator_parameters": "of the generator",
    "seconds": "training s",
    "processor_seconds": "processor s",
    "peak_memory_mib": "peak memory, MiB",
    "tokens_per_second": "tokens/s ↑",
    "training_tokens_per_second": "trained tokens/s ↑",
    "sampling_tokens_per_second": "sampled tokens/s ↑",
    "sentences_per_second": "sentences/s ↑",
    "bleu": "BLEU ↑",
    "bleu_ci": "± (95 %)",
    "bleu_deviation": "sd over seeds",
    "bleu_p": "p",
    "chrf": "chrF ↑",
    "chrf_ci": "± (95 %)",
    "chrf_p": "p (chrF)",
    "difference": "BLEU − baseline",
    "oracle_nll": "NLL_oracle ↓",
    "oracle_nll_ci": "± (95 %)",
    "test_nll": "NLL_test ↓",
    "gain": "below its start",
    "below_curve": "below the likelihood curve",
    "checkpoint_updates": "chosen at",
    "smallest_share": "smallest class ↑",
    "sure": "classifier sure ↑",
}
DECIMALS = {
    "perplexity": 1,
    "mean_length": 1,
    **dict.fromkeys(
        (
            "parameters", "generator_parameters", "updates", "seconds", "processor_seconds",
            "tokens_seen", "tokens_per_second", "sampling_tokens_per_second",
            "training_tokens_per_second", "sentences_per_second", "peak_memory_mib", "num_samples",
            "candidates",
        ),
        0,
    ),
}  # fmt: skip


def columns(*names: str, **headings: str) -> dict[str, str]:
    """Headings of figures by name; ``headings`` come last, or replace those of ``HEADINGS``."""
    return {name: HEADINGS.get(name, name.replace("_", " ")) for name in names} | headings


def figure_text(row: dict, name: str, **decimals: int) -> str:
    """A figure, – without it; its decimals are 3 unless told here or in ``DECIMALS``."""
    value = row.get(name)
    if value is None or value != value:
        return "–"
    if isinstance(value, str):
        return value
    return f"{value:,.{decimals.get(name, DECIMALS.get(name, 3))}f}"


def known(figures: pd.Series) -> dict[str, float | None]:
    """Figures by name, None for those that are missing."""
    return figures.astype(object).where(figures.notna(), None).to_dict()


def format_table(rows: list[dict], columns: dict[str, str], **decimals: int) -> pd.DataFrame:
    """Rows as text, under their headings; columns that no row fills are left out.

    Args:
        rows: figures by name.
        columns: name to heading, in order.
        decimals: of a figure.
    """
    shown = [name for name in columns if any(row.get(name) is not None for row in rows)]
    return pd.DataFrame(
        [[figure_text(row, name, **decimals) for name in shown] for row in rows],
        columns=[columns[name] for name in shown],
    )


def markdown(frame: pd.DataFrame) -> str:
    """A table as Markdown, its text as it is."""
    return frame.to_markdown(index=False, disable_numparse=True)
