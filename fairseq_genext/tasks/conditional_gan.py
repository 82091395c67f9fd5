"""`conditional_gan`: adversarial training of a translation model.

fairseq's `translation`, whose `--eval-bleu` also works here, with turns. Checkpoints translate with
`--task translation`.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice

import numpy as np
import torch
from fairseq.data import data_utils
from fairseq.tasks import register_task
from fairseq.tasks.translation import TranslationConfig, TranslationTask

from fairseq_genext.errors import UsageError
from fairseq_genext.evaluation.metrics.ngram_bleu import ReferenceIndex
from fairseq_genext.models.conditional_gan import ConditionalGAN
from fairseq_genext.modules.conditions import Source
from fairseq_genext.modules.samplers import Samples, ancestral, unroll
from fairseq_genext.tasks.turns import Turns, TurnsConfig
from fairseq_genext.tasks.validation_samples import SAMPLED_AT_ONCE

BLEU_ORDER = 4


@dataclass
class ConditionalGANTaskConfig(TurnsConfig, TranslationConfig):
    max_sample_length: int = field(
        default=100,
        metadata={"help": "longest training sample in tokens, end of sentence included"},
    )


@register_task("conditional_gan", dataclass=ConditionalGANTaskConfig)
class ConditionalGANTask(Turns, TranslationTask):
    """Trains a translation model and a discriminator of (source, target).

    Raises:
        UsageError: as ``Turns``, or a flag has no sense for translations.
    """

    task_name = "conditional_gan"
    model_class = ConditionalGAN
    architecture = "gan_seq2seq"

    def __init__(self, cfg: ConditionalGANTaskConfig, src_dict, tgt_dict) -> None:
        if cfg.fixed_length:
            raise UsageError("--fixed-length is for --task gan: a translation ends where it ends")
        if cfg.left_pad_target:
            raise UsageError("--left-pad-target: a discriminator's sequences stand on the left")
        super().__init__(cfg, src_dict, tgt_dict)

    def target_sizes(self, dataset) -> np.ndarray:
        """As ``ValidationSamples.target_sizes``."""
        return dataset.tgt_sizes

    def draw_samples(self, model) -> Iterator[Samples]:
        """A sampled translation of each of the first ``--valid-samples`` validation sources."""
        device = model.decoder.embed_tokens.weight.device
        sources = [item["source"] for item in self._validation_pairs()]
        for start in range(0, len(sources), SAMPLED_AT_ONCE):
            some = sources[start : start + SAMPLED_AT_ONCE]
            tokens = data_utils.collate_tokens(some, self.source_dictionary.pad())
            lengths = torch.tensor([len(source) for source in some])
            source = Source(model.encoder, tokens.to(device), lengths.to(device))
            yield unroll(model.decoder, len(some), self.length, ancestral, source)

    def measure_samples(self, batches: list[Samples]) -> dict[str, float]:
        """As ``Turns.measure_samples``, with ``reference_bleu``.

        That is the mean BLEU-4 of each sampled translation against its own reference, 0 to 1, while
        ``bleu_n`` compares with all validation targets: whether it is text, whatever it says.
        """
        figures = super().measure_samples(batches)
        texts = [text for batch in batches for text in self.token_lists(batch.tokens)]
        references = [
            self.token_lists(item["target"].unsqueeze(0)) for item in self._validation_pairs()
        ]
        scores = [
            ReferenceIndex(reference, BLEU_ORDER).bleu(text, BLEU_ORDER)
            for text, reference in zip(texts, references, strict=True)
        ]
        figures["reference_bleu"] = sum(scores) / len(scores)
        return figures

    def _validation_pairs(self) -> list[dict]:
        # In file order, so that a validation samples translations of the same sources every time.
        datasets = [self.datasets[name] for name in self.validation_splits()]
        pairs = (dataset[index] for dataset in datasets for index in range(len(dataset)))
        return list(islice(pairs, self.cfg.valid_samples))
