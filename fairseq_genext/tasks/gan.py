"""`gan`: adversarial training of a text generator, and sampling from it."""

from dataclasses import dataclass

import numpy as np
from fairseq.data import SortDataset, data_utils
from fairseq.tasks import register_task

from fairseq_genext.errors import UsageError
from fairseq_genext.models.gan import GAN
from fairseq_genext.tasks.turns import Turns, TurnsConfig
from fairseq_genext.tasks.unconditional_generation import (
    UnconditionalGenerationConfig,
    UnconditionalGenerationTask,
)


@dataclass
class GANTaskConfig(TurnsConfig, UnconditionalGenerationConfig):
    pass


@register_task("gan", dataclass=GANTaskConfig)
class GANTask(Turns, UnconditionalGenerationTask):
    """Trains a model that has a generator and a discriminator.

    Raises:
        UsageError: as ``Turns`` and ``UnconditionalGenerationTask``.
    """

    task_name = "gan"
    model_class = GAN
    architecture = "gan_doc"

    def __init__(self, args, dictionary, output_dictionary=None, targets=None) -> None:
        if output_dictionary is not None and len(output_dictionary) != len(dictionary):
            raise UsageError("--output-dictionary-size: both players read and write the same words")
        if args.loss_on:
            raise UsageError("--loss-on: a GAN writes from noise, and has no answers; leave it out")
        super().__init__(args, dictionary, output_dictionary, targets)

    def load_dataset(self, split: str, **kwargs) -> None:
        """Loads a split; the training set's batches mix sentences of all lengths.

        fairseq batches sentences of like length. A discriminator would then see real batches of
        one length and generated ones of any, and learn the length of the batch.
        """
        super().load_dataset(split, **kwargs)
        if split == self.training_split and self.args.num_samples == 0:
            dataset = self.datasets[split]
            with data_utils.numpy_seed(self.args.seed):
                order = np.random.permutation(len(dataset))
            self.datasets[split] = SortDataset(dataset, sort_order=[order])
