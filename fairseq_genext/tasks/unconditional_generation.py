"""`unconditional_generation`: language modeling, and sampling N texts from nothing.

The same task trains `gpt_doc` or any fairseq language model and samples from all of them and from
a GAN, which is what makes a comparison fair:

    fairseq-generate DATA --task unconditional_generation --num-samples 100 --sampling --beam 1
"""

import os
from dataclasses import dataclass, field

import torch
from fairseq import utils
from fairseq.tasks import register_task
from fairseq.tasks.language_modeling import (
    SAMPLE_BREAK_MODE_CHOICES,
    LanguageModelingConfig,
    LanguageModelingTask,
)

from fairseq_genext.data.noise_dataset import NoiseDataset
from fairseq_genext.errors import UsageError


@dataclass
class UnconditionalGenerationConfig(LanguageModelingConfig):
    sample_break_mode: SAMPLE_BREAK_MODE_CHOICES = field(
        default="eos",
        metadata={
            "help": "how text is cut into samples; eos: one line each (default), none: "
            "blocks of --tokens-per-sample, complete, complete_doc"
        },
    )
    num_samples: int = field(
        default=0,
        metadata={
            "help": "fairseq-generate: write this many samples from nothing. 0 reads "
            "--gen-subset, whose first --prefix-size tokens are the prompts"
        },
    )


@register_task("unconditional_generation", dataclass=UnconditionalGenerationConfig)
class UnconditionalGenerationTask(LanguageModelingTask):
    """Language modeling over sentences whose ``fairseq-generate`` needs no prompt.

    Raises:
        UsageError: the data folder lacks its dictionary or a split, or ``--num-samples`` is
            negative.
    """

    @classmethod
    def setup_dictionary(cls, args, **kwargs):
        """Loads ``dict.txt`` of the data folder."""
        if args.data:
            path = os.path.join(utils.split_paths(args.data)[0], "dict.txt")
            if not os.path.isfile(path):
                raise UsageError(
                    f"{path} does not exist: make the data folder with fairseq-preprocess "
                    "--only-source --trainpref … --destdir …"
                )
        if args.num_samples < 0:
            raise UsageError(f"--num-samples is {args.num_samples}; it must be 0 or greater")
        return super().setup_dictionary(args, **kwargs)

    def load_dataset(self, split: str, **kwargs) -> None:
        """Loads a split, or with ``--num-samples`` a made-up one of empty inputs."""
        if self.args.num_samples > 0:
            self.datasets[split] = NoiseDataset(self.args.num_samples, self.dictionary.eos())
            return
        try:
            super().load_dataset(split, **kwargs)
        except FileNotFoundError:
            raise UsageError(
                f"the data folder {self.args.data} has no split {split!r} ({split}.bin, "
                f"{split}.idx): make it with fairseq-preprocess"
            ) from None

    def inference_step(self, generator, models, sample, prefix_tokens=None, constraints=None):
        """Continues the prompts, or starts from nothing.

        A prompt is what ``--prefix-size`` cuts off a data set's lines, or a whole line typed into
        ``fairseq-interactive``.
        """
        if constraints is not None:
            raise UsageError("--constraints work with translation only")
        if prefix_tokens is None:
            # A line of a data set is no prompt unless --prefix-size says so: fairseq's
            # language_modeling task would take it whole and so copy it.
            typed = "target" not in sample
            lines = sample["net_input"]["src_tokens"]  # (batch, 1 + longest line)
            prefix_tokens = lines[:, 1:] if typed else lines[:, :0]
        # An end of sentence inside a prompt would end the sample before it began.
        eos, pad = self.dictionary.eos(), self.dictionary.pad()
        prefix_tokens = prefix_tokens.masked_fill(prefix_tokens.eq(eos), pad)
        start = self.dictionary.bos() if self.args.add_bos_token else eos
        with torch.no_grad():
            return generator.generate(models, sample, prefix_tokens=prefix_tokens, bos_token=start)

    @property
    def source_dictionary(self):
        """None when sampling from nothing, so that no empty ``S-`` lines are written."""
        return None if self.args.num_samples > 0 else super().source_dictionary
