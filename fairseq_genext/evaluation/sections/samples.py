"""Samples to read, and how near the training text they are."""

from pathlib import Path

from fairseq_genext.evaluation.metrics.nearest import NearestSentences
from fairseq_genext.evaluation.results import HELD_OUT, Results
from fairseq_genext.evaluation.sections import page
from fairseq_genext.files import read_lines

SHOWN = 8  # samples of each system
WITH_NEAREST = 4  # of them, with the nearest training sentence


def read_examples(results: Results) -> dict[str, dict]:
    """Samples of every system and of the held-out text, some with their nearest training sentence.

    They are the first in the file of the first seed at temperature 1: the model drew them at
    random, nobody chose among them.
    """
    systems = results.of_kind("sentences", "samples")
    train = read_lines(results.text_file(systems[0], "train.txt"))
    search = NearestSentences(list(map(results.normalizer(systems[0]), train)))
    examples = {}
    for name in [system.name for system in systems] + [HELD_OUT] * (HELD_OUT in results.points):
        lines = read_lines(results.first_point(name)["samples"], at_least=2)[:SHOWN]
        nearest = [
            {"sample": sample, "similarity": similarity, "training": sentence}
            for sample, (similarity, sentence) in zip(
                lines, search.find(lines[:WITH_NEAREST]), strict=False
            )
        ]
        examples[name] = {"samples": lines, "nearest": nearest}
    return examples


def build(results: Results, folder: Path) -> page.Section:
    """The section."""
    examples = read_examples(results)
    groups = [
        [
            [results.label(name), row["sample"], f"{row['similarity']:.2f}", row["training"]]
            for row in example["nearest"]
        ]
        for name, example in examples.items()
    ]
    blocks = [
        page.Paragraph("The first of the first seed at temperature 1."),
        page.Columns({results.label(name): found["samples"] for name, found in examples.items()}),
        page.Heading("Samples and the nearest training sentence"),
        page.Paragraph(
            "Similarity: cosine of TF-IDF over words and word pairs; 1.00 is a copy. Held-out text "
            "shows how near honest text comes."
        ),
        page.Texts(["system", "sample", "similarity", "nearest training sentence"], groups),
    ]
    return page.Section("Samples at random, not chosen", blocks, examples)
