"""Figures as the text of a table."""

import pandas as pd

DECIMALS = {
    "perplexity": 1,
    "mean_length": 1,
    **dict.fromkeys(
        (
            "parameters", "generator_parameters", "updates", "seconds", "processor_seconds",
            "tokens_seen", "tokens_per_second", "sampling_tokens_per_second",
            "training_tokens_per_second", "sentences_per_second", "peak_memory_mib",
        ),
        0,
    ),
}  # fmt: skip


def format_table(rows: list[dict], columns: dict[str, str], **decimals: int) -> pd.DataFrame:
    """Rows as text, under their headings; columns that no row fills are left out.

    Args:
        rows: figures by name.
        columns: name to heading, in order.
        decimals: of a figure; 3 unless told here or in ``DECIMALS``.
    """

    def text(name: str, value) -> str:
        if value is None or value != value:
            return "–"
        if isinstance(value, str):
            return value
        return f"{value:,.{decimals.get(name, DECIMALS.get(name, 3))}f}"

    shown = [name for name in columns if any(row.get(name) is not None for row in rows)]
    return pd.DataFrame(
        [[text(name, row.get(name)) for name in shown] for row in rows],
        columns=[columns[name] for name in shown],
    )
