"""Flags of fairseq-train for every architecture, small, on ``corpus`` and images of 4 x 5."""

from pathlib import Path

import numpy as np

LANGUAGE = (
    "lm", "--task", "unconditional_generation", "--optimizer", "fused_adamw", "--lr", 0.001,
)  # fmt: skip
TRANSLATION = ("mt", "--task", "translation", "--optimizer", "fused_adamw", "--lr", 0.001)
# Of four updates one is of each phase, and one of each player in turns.
TURNS = (
    "--criterion", "adversarial", "--optimizer", "two_player_adamw", "--lr", 0.01,
    "--generator-pretrain-updates", 1, "--discriminator-warmup-updates", 1,
    "--discriminator-steps", 1, "--generator-steps", 1, "--max-sample-length", 8,
    "--valid-samples", 4,
)  # fmt: skip
ARCHITECTURES = {
    "gpt_doc": (*LANGUAGE, "--arch", "gpt_doc_tiny"),
    "gpt_doc-modern": (*LANGUAGE, "--arch", "gpt_doc_modern_tiny", "--optimizer", "muon"),
    "rnn_lm": (*LANGUAGE, "--arch", "rnn_lm_tiny"),
    "rnn_lm-relational": (*LANGUAGE, "--arch", "rnn_lm_tiny", "--rnn-cell", "relational"),
    "lstm_seq2seq_doc": (*TRANSLATION, "--arch", "lstm_seq2seq_doc_tiny"),
    "dbam": (*TRANSLATION, "--arch", "dbam_tiny", "--criterion", "dbam"),
    "gan": ("lm", "--task", "gan", "--arch", "gan_doc_tiny", *TURNS),
    "gan-reinforce": (
        "lm", "--task", "gan", "--arch", "gan_doc_tiny", *TURNS, "--gradient-estimator",
        "reinforce", "--rollouts", 2,
    ),
    "gan-wgan-gp": (
        "lm", "--task", "gan", "--arch", "gan_doc_tiny", *TURNS, "--gan-loss", "wgan-gp",
        "--discriminator", "rnn", "--r1-weight", 0.1, "--r2-weight", 0.1,
    ),
    "gan_image": (
        "images", "--task", "gan_image", "--arch", "gan_image_doc_tiny", "--criterion",
        "adversarial_image", "--optimizer", "two_player_adamw", "--lr", 0.01, "--image-height", 4,
        "--image-width", 5,
    ),
}  # fmt: skip
GANS = tuple(name for name in ARCHITECTURES if name.startswith("gan"))

# One of fairseq's own, as small as it can be, and its training of one update.
FAIRSEQ_LM = (
    "--task", "language_modeling", "--arch", "transformer_lm", "--decoder-embed-dim", 8,
    "--decoder-ffn-embed-dim", 8, "--decoder-layers", 1, "--decoder-attention-heads", 1,
    "--tokens-per-sample", 64, "--sample-break-mode", "eos", "--criterion", "cross_entropy",
    "--optimizer", "adam", "--batch-size", 300, "--max-update", 1, "--cpu",
)  # fmt: skip


def write_images(folder: Path) -> None:
    """Two kinds of small images; the last batch of an epoch has a single one."""
    folder.mkdir()
    draw = np.random.default_rng(1)
    for split, number in (("train", 49), ("valid", 20)):
        labels = np.arange(number) % 2
        pixels = draw.integers(0, 80, (number, 4, 5), dtype=np.uint8)
        pixels[labels == 1, :2] += 150
        np.savez(folder / f"{split}.npz", images=pixels, labels=labels)
