"""Generative models for fairseq: seq2seq, GPT and GAN, trained and compared alike.

``--user-dir``, or ``import fairseq_genext``, registers

========================= ==================== ==================================================
name                      flag                 room
========================= ==================== ==================================================
lstm_seq2seq_doc          --arch               models/lstm_seq2seq_doc.py
dbam                      --arch               models/dbam.py
gpt_doc                   --arch               models/gpt_doc.py
rnn_lm                    --arch               models/rnn_lm.py
gan (preset gan_doc)      --arch               models/gan.py, with its players in gan/
conditional_gan           --arch               models/conditional_gan.py (preset gan_seq2seq)
gan_image (gan_image_doc) --arch               models/gan_image.py
unconditional_generation  --task               tasks/unconditional_generation.py
gan                       --task               tasks/gan.py
conditional_gan           --task               tasks/conditional_gan.py
gan_image                 --task               tasks/gan_image.py
adversarial               --criterion          criterions/adversarial.py
adversarial_image         --criterion          criterions/adversarial_image.py
sequence_mean_cross_entropy --criterion        criterions/sequence_mean_cross_entropy.py
dbam                      --criterion          criterions/dbam.py
fused_adamw               --optimizer          optim/fused_adamw.py
two_player_adamw          --optimizer          optim/two_player_adamw.py
sample_bleu, self_bleu    --scoring            scorers.py
bleu_chrf                 --scoring            scorers.py
========================= ==================== ==================================================

``modules/`` holds what several models share, ``data/`` writes corpora and feeds free generation,
``evaluation/`` measures and reports, and imports nothing of the training side; ``flops.py`` counts
what a training update computes.
"""

import sys

# argv[0] is -m while Python looks for a module to run, as in `python -m fairseq_genext.data.bible`.
# Such a command imports what it needs, and starts at once where it only reads text.
if sys.argv[0] != "-m":
    from fairseq_genext import plugin  # noqa: F401
