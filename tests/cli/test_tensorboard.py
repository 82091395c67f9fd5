"""A GAN's figures reach TensorBoard and the progress bar."""

import re

import pytest
from commands import run

PLAYERS = ("d_loss", "d_accuracy_real", "d_accuracy_fake", "g_loss", "reward_mean", "reward_spread")
SAMPLES = ("nll_loss", "sample_bleu_2", "sample_bleu_4", "sample_self_bleu_2", "sample_duplicates")


def scalars(folder) -> dict[str, dict[int, float]]:
    """Of each tag in a folder of events, its value at each step."""
    # Here, so that no worker but the one that reads events imports it.
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(folder)).Reload()
    return {
        tag: {event.step: event.value for event in events.Scalars(tag)}
        for tag in events.Tags()["scalars"]
    }


def test_figures_of_both_players_and_of_samples(corpus):
    result = run(
        "fairseq-train", "lm", "--task", "gan", "--arch", "gan_doc_tiny", "--criterion",
        "adversarial", "--gradient-estimator", "reinforce", "--optimizer", "two_player_adamw",
        "--lr", "0.01", "--batch-size", 8, "--max-sample-length", 8, "--valid-samples", 20,
        "--generator-pretrain-updates", 1, "--discriminator-warmup-updates", 1, "--max-update", 4,
        "--log-interval", 1, "--log-format", "tqdm", "--tensorboard-logdir", "board",
        "--no-save", folder=corpus,
    )  # fmt: skip
    training = scalars(corpus / "board" / "train_inner")
    validation = scalars(corpus / "board" / "valid")
    assert training["phase"] == {1: 0, 2: 1, 3: 2, 4: 2}
    assert all(4 in validation[figure] for figure in SAMPLES)
    shown = result.stdout + result.stderr
    for figure in PLAYERS:
        step, value = max(training[figure].items())
        bar = re.search(rf"train_inner .*{figure}=([0-9.]+),.*num_updates={step},", shown)
        assert float(bar[1]) == pytest.approx(value, rel=1e-3), figure
