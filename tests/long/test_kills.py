"""A hundred kills a family, in every phase and epoch; a minute or more each: ``-m long -s``.

Its table says how many kills each phase had, and after how many of them training went on exactly.
"""

import pytest
from commands import run
from killing import kill_and_compare, random_kills

KILLS = 100
TASK = ("lm", "--task", "unconditional_generation", "--criterion", "cross_entropy")
LM = (*TASK, "--optimizer", "fused_adamw", "--lr", 0.01, "--batch-size", 32)
MT = (
    "mt", "--task", "translation", "--optimizer", "fused_adamw", "--lr", 0.01, "--batch-size", 32,
)  # fmt: skip
GAN = (
    "--criterion", "adversarial", "--optimizer", "two_player_adamw", "--lr", 0.01, "--batch-size",
    32, "--max-sample-length", 8, "--discriminator-warmup-updates", 6, "--valid-samples", 20,
)  # fmt: skip
PRETRAIN = ("--generator-pretrain-updates", 10)
FAMILIES = {
    "gpt_doc": (*LM, "--arch", "gpt_doc_tiny"),
    "rnn_lm": (*LM, "--arch", "rnn_lm_tiny"),
    "rnn_lm relational": (*LM, "--arch", "rnn_lm_tiny", "--rnn-cell", "relational",
                          "--decoder-layers", 1, "--memory-slots", 2),
    "lstm_seq2seq_doc": (*MT, "--arch", "lstm_seq2seq_doc_tiny", "--criterion", "cross_entropy"),
    "dbam": (*MT, "--arch", "dbam_tiny", "--criterion", "dbam", "--draft-loss-weight", 0.1),
    "gan_doc": ("lm", "--task", "gan", *GAN, *PRETRAIN, "--arch", "gan_doc_tiny"),
    "gan with rollouts": ("lm", "--task", "gan", *GAN, *PRETRAIN, "--arch", "gan_doc_tiny",
                          "--gradient-estimator", "reinforce", "--rollouts", 2),
    "gan_seq2seq": ("mt", "--task", "conditional_gan", *GAN, "--arch", "gan_seq2seq_tiny",
                    "--generator-checkpoint", "start/checkpoint_last.pt"),
    "gan_image": ("images", "--task", "gan_image", "--arch", "gan_image_doc_tiny", "--criterion",
                  "adversarial_image", "--optimizer", "two_player_adamw", "--lr", 0.01,
                  "--image-height", 4, "--image-width", 5, "--batch-size", 5),
}  # fmt: skip


def phase(name: str, update: int) -> str:
    """Of a GAN, what the update trains; of others which quarter of four epochs it is in."""
    pretrain = 10 if name in ("gan_doc", "gan with rollouts") else 0
    if "gan" not in name or name == "gan_image":
        return f"quarter {update // 10 + 1}"
    return ("pretrain", "warm-up", "turns")[(update >= pretrain) + (update >= pretrain + 6)]


@pytest.mark.long
@pytest.mark.parametrize("name", FAMILIES)
def test_killed_a_hundred_times(corpus, name):
    if name == "gan_seq2seq":
        start = (*FAMILIES["lstm_seq2seq_doc"], "--max-update", 5, "--save-dir", "start")
        run("fairseq-train", *start, folder=corpus)
    kills = kill_and_compare(
        FAMILIES[name], 40, random_kills(), corpus, name.replace(" ", "-"),
        lambda update: phase(name, update), KILLS,
    )  # fmt: skip
    for of in sorted(kills.total):
        total, equal = kills.total[of], kills.equal[of]
        print(
            f"\n{name:20} {of:10} kills {total:3}  equal {equal:3}  not {total - equal:3}", end=""
        )
    print("\n" + ", ".join(f"{point}: {count}" for point, count in kills.points.items()))
    assert not kills.wrong, "\n".join(kills.wrong)
