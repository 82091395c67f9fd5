"""`gan`: adversarial training of a text generator, and sampling from it."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from fairseq.data import SortDataset, data_utils
from fairseq.tasks import register_task

from fairseq_genext.data.oracle import OracleLSTM
from fairseq_genext.errors import UsageError
from fairseq_genext.models.gan import GAN
from fairseq_genext.modules.samplers import Samples, ancestral, unroll
from fairseq_genext.tasks.turns import SAMPLED_AT_ONCE, Turns, TurnsConfig
from fairseq_genext.tasks.unconditional_generation import (
    UnconditionalGenerationConfig,
    UnconditionalGenerationTask,
)


@dataclass
class GANTaskConfig(TurnsConfig, UnconditionalGenerationConfig):
    oracle: str = field(
        default="",
        metadata={
            "help": "an oracle's weights (.npz), under which each validation scores its samples: "
            "sample_oracle_nll"
        },
    )


@register_task("gan", dataclass=GANTaskConfig)
class GANTask(Turns, UnconditionalGenerationTask):
    """Trains a model that has a generator and a discriminator.

    Raises:
        UsageError: as ``Turns``, or a file of an oracle does not fit.
    """

    task_name = "gan"
    model_class = GAN
    architecture = "gan_doc"

    def __init__(self, args, dictionary, output_dictionary=None, targets=None) -> None:
        if output_dictionary is not None and len(output_dictionary) != len(dictionary):
            raise UsageError("--output-dictionary-size: both players read and write the same words")
        super().__init__(args, dictionary, output_dictionary, targets)
        self.oracle = OracleLSTM.load(args.oracle, dictionary) if args.oracle else None

    def load_dataset(self, split: str, **kwargs) -> None:
        """Loads a split; the training set's batches mix sentences of all lengths.

        fairseq batches sentences of like length. A discriminator would then see real batches of
        one length and generated ones of any, and learn the length of the batch.
        """
        super().load_dataset(split, **kwargs)
        if split == "train" and self.args.num_samples == 0:
            dataset = self.datasets[split]
            with data_utils.numpy_seed(self.args.seed):
                order = np.random.permutation(len(dataset))
            self.datasets[split] = SortDataset(dataset, sort_order=[order])

    def train_step(self, sample, *args, **kwargs):
        """As ``Turns.train_step``, without end of sentence where length is fixed."""
        return super().train_step(self.without_end(sample), *args, **kwargs)

    def valid_step(self, sample, model, criterion):
        """As ``Turns.valid_step``, without end of sentence where length is fixed."""
        return super().valid_step(self.without_end(sample), model, criterion)

    def without_end(self, sample):
        """The batch without end of sentence, where length is fixed.

        Raises:
            UsageError: a sentence has another length.
        """
        if not self.length.fixed or not sample:
            return sample
        words = sample["target"][:, :-1]
        if words.size(1) != self.length.maximum or words.eq(self.dictionary.pad()).any():
            raise UsageError(
                f"--fixed-length: every sentence must have --max-sample-length "
                f"{self.length.maximum} words; make it so, or leave the flag out"
            )
        cut = {**sample["net_input"], "src_tokens": sample["net_input"]["src_tokens"][:, :-1]}
        return {**sample, "net_input": cut, "target": words, "ntokens": words.numel()}

    def draw_samples(self, model) -> Iterator[Samples]:
        """As ``Turns.draw_samples``."""
        for start in range(0, self.args.valid_samples, SAMPLED_AT_ONCE):
            size = min(SAMPLED_AT_ONCE, self.args.valid_samples - start)
            yield unroll(model.decoder, size, self.length, ancestral)

    def measure_samples(self, batches: list[Samples]) -> dict[str, float]:
        """As ``Turns.measure_samples``, with ``oracle_nll`` where there is an oracle."""
        figures = super().measure_samples(batches)
        if self.oracle is not None:
            nll = sum(self.oracle.nll(batch.tokens).sum().item() for batch in batches)
            figures["oracle_nll"] = nll / self.args.valid_samples
        return figures
