"""Generative models for fairseq: seq2seq, GPT and GAN, trained and compared alike.

``--user-dir``, or ``import fairseq_genext``, registers

========================= ==================== ==================================================
name                      flag                 file
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
ddo                       --criterion          criterions/ddo.py
gold                      --criterion          criterions/gold.py
fused_adamw               --optimizer          optim/fused_adamw.py
muon                      --optimizer          optim/muon.py
two_player_adamw          --optimizer          optim/two_player_adamw.py
sample_bleu, self_bleu    --scoring            scorers.py
bleu_chrf                 --scoring            scorers.py
========================= ==================== ==================================================

The other rooms:

- ``modules/``: what several models share; ``gan/``: the parts of a text GAN, a flag and a folder
  each (generators, discriminators, losses, estimators), and its schedule
- ``data/``: data sets of noise and images, and commands that write corpora
- ``evaluation/``: commands that sample, measure and report; it knows nothing of training
- ``weights/``: commands that make a checkpoint from others, and convert GPT-2's from and to
  Hugging Face
- ``commands.py``: fairseq's commands with the plugin loaded, which start in half the time
- ``flops.py``: the floating-point operations of a training update; ``utilisation.py``: the share
  of a GPU's peak that they are
- ``plugin.py`` registers all of it; ``patches/`` is what it changes in fairseq's own commands, and
  ``precision.py`` how torch multiplies
- ``files.py`` and ``errors.py`` read text and say what is wrong in one line

``recipes/`` and ``docs/`` are next to the package; CONTRIBUTING.md says where a change goes.
"""

import sys
from pathlib import Path

# argv[0] is -m while Python looks for a module to run, as in `python -m fairseq_genext.data.bible`.
# Such a command, as genext-… too, imports what it needs: one that only reads text starts at once.
if not Path(sys.argv[0]).name.startswith(("-m", "genext-")):
    from fairseq_genext import plugin  # noqa: F401
