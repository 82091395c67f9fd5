"""`unconditional_generation`: language modeling, and sampling N texts from nothing.

The same task trains `gpt_doc` or any fairseq language model and samples from all of them and from
a GAN, which is what makes a comparison fair:

    fairseq-generate DATA --task unconditional_generation --num-samples 100 --sampling --beam 1
"""

import copy
import dataclasses
import functools
import logging
import math
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
import torch
from fairseq import search, utils
from fairseq.sequence_generator import SequenceGenerator
from fairseq.tasks import register_task
from fairseq.tasks.language_modeling import (
    SAMPLE_BREAK_MODE_CHOICES,
    LanguageModelingConfig,
    LanguageModelingTask,
)

from fairseq_genext.criterions.ddo import DDO
from fairseq_genext.data.answers import AnswerDataset
from fairseq_genext.data.noise_dataset import NoiseDataset
from fairseq_genext.data.oracle import OracleLSTM
from fairseq_genext.errors import UsageError, require_resampling
from fairseq_genext.gan.discriminators import OF_TEXTS
from fairseq_genext.gan.players import require_sentences
from fairseq_genext.gan.residual import ONE_LENGTH, scorer_of
from fairseq_genext.models.gan import GAN
from fairseq_genext.modules.document_generator import DocumentGenerator
from fairseq_genext.modules.prompts import continued, limits
from fairseq_genext.modules.resampling_generator import ResamplingGenerator
from fairseq_genext.modules.samplers import SampleLength, Samples, ancestral, unroll
from fairseq_genext.modules.sampling_generator import SamplingGenerator
from fairseq_genext.tasks.turns import draw_apart_from_other_processes
from fairseq_genext.tasks.validation_samples import (
    SAMPLED_AT_ONCE,
    ValidationSamples,
    ValidationSamplesConfig,
)

logger = logging.getLogger(__name__)


@dataclass
class UnconditionalGenerationConfig(ValidationSamplesConfig, LanguageModelingConfig):
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
    write_prompts: bool = field(
        default=False,
        metadata={
            "help": "hypotheses and targets begin with their prompt; lengths and scores are those "
            "of what follows it all the same"
        },
    )
    repetition_penalty: float = field(
        default=1.0,
        metadata={
            "help": "divide the logits of words that the text or its prompt has already by this "
            "(CTRL); with --sampling --beam 1. 1: off"
        },
    )
    resample: int = field(
        default=1,
        metadata={
            "help": "draw so many candidates a text and keep one, which the discriminator of a "
            "GAN's checkpoint chooses (residual energy-based model); with --sampling --beam 1. "
            "1: off"
        },
    )
    resample_weight: float = field(
        default=1.0,
        metadata={
            "help": "factor on the discriminator's logit in --resample: greater, and it chooses "
            "more strictly; 1: by the residual energy-based model"
        },
    )
    partition_samples: int = field(
        default=0,
        metadata={
            "help": "fairseq-eval-lm of a GAN's checkpoint: also the likelihood of the residual "
            "energy-based model, with log Z from this many samples; 0: none"
        },
    )
    loss_on: str = field(
        default="",
        metadata={
            "help": "a word that separates prompt and answer in each line: only what stands "
            "behind its last occurrence counts in losses and figures, and fairseq-generate "
            "continues what stands before"
        },
    )
    oracle: str = field(
        default="",
        metadata={
            "help": "an oracle's weights (.npz), by which each validation scores its samples: "
            "sample_oracle_nll"
        },
    )


@register_task("unconditional_generation", dataclass=UnconditionalGenerationConfig)
class UnconditionalGenerationTask(ValidationSamples, LanguageModelingTask):
    """Language modeling over sentences whose ``fairseq-generate`` needs no prompt.

    Raises:
        UsageError: the data folder lacks its dictionary or a split, a file of an oracle does not
            fit, or flags do not go together.
    """

    # Flags that fairseq's Python interface takes, and their values when off.
    GENERATION: ClassVar = {
        "repetition_penalty": 1.0, "write_prompts": False, "resample": 1, "resample_weight": 1.0,
    }  # fmt: skip

    def __init__(self, args, dictionary, output_dictionary=None, targets=None) -> None:
        super().__init__(args, dictionary, output_dictionary, targets)
        if self.targets != ["future"]:
            raise UsageError("--self-target and --past-target: models here predict what comes next")
        # What is written may be shown otherwise than what is read; see write_documents.
        self.output_dictionary = copy.copy(self.output_dictionary)
        if args.sample_break_mode != "eos":
            self.write_documents()
        if args.loss_on and args.sample_break_mode != "eos":
            raise UsageError(
                "--loss-on needs a prompt and an answer a line: leave out --sample-break-mode"
            )
        if args.loss_on and args.fixed_length:
            raise UsageError("--loss-on and --fixed-length: answers end where they do; choose one")
        self.trained_length = self.length
        self.oracle = OracleLSTM.load(args.oracle, dictionary) if args.oracle else None
        self.of_sentences = False
        self.trains_on_samples = False

    def write_documents(self) -> None:
        """From now on an end of sentence is a word of a text, and does not end it."""
        self.length = dataclasses.replace(self.length, through_ends=True)
        # Shown as </s>: without, nobody could tell where a sentence of a document ends.
        words = self.output_dictionary
        words.string = functools.partial(words.string, include_eos=True)

    def trained_with(self, cfg) -> None:
        """Takes over what a loaded model's training says of its texts: their length and break mode.

        Raises:
            UsageError: a GAN was trained on documents.
        """
        break_mode = getattr(cfg, "sample_break_mode", "eos")
        if self.of_sentences:
            require_sentences(break_mode)
        if break_mode != "eos" and not self.length.through_ends:
            self.write_documents()
        longest = getattr(cfg, "max_sample_length", None)
        if longest is not None:  # trained by a task of ours
            self.trained_length = SampleLength(longest, cfg.fixed_length)

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
        if args.add_bos_token:
            # fairseq's items then start with <s> </s>, and generation with <s> alone: a state in
            # which no model was trained.
            raise UsageError("--add-bos-token: texts start from </s> here; leave the flag out")
        return super().setup_dictionary(args, **kwargs)

    def build_model(self, cfg, from_checkpoint: bool = False):
        """Builds the model, for which the task has its dictionary also with ``--num-samples``.

        Raises:
            UsageError: as ``check_model``, or blocks of text are longer than the model takes, or a
                GAN is to read or write documents.
        """
        number, self.args.num_samples = self.args.num_samples, 0
        try:
            model = super().build_model(cfg, from_checkpoint)
        finally:
            self.args.num_samples = number
        self.of_sentences = isinstance(model, GAN)
        if self.of_sentences:
            require_sentences(self.args.sample_break_mode)
        block, longest = self.args.tokens_per_sample, model.max_positions()
        if self.args.sample_break_mode != "eos" and number == 0 and block > longest:
            # fairseq would leave out every block that is full.
            raise UsageError(
                f"--tokens-per-sample {block} is more than the {longest} tokens that the model "
                "takes (--max-target-positions)"
            )
        return model

    def load_dataset(self, split: str, **kwargs) -> None:
        """Loads a split, or with ``--num-samples`` a made-up one of empty inputs."""
        if self.args.num_samples > 0:
            self.datasets[split] = NoiseDataset(self.args.num_samples, self.dictionary.eos())
            return
        super().load_dataset(split, **kwargs)
        if self.args.loss_on:
            self.datasets[split] = AnswerDataset(
                self.datasets[split], self.dictionary, self.args.loss_on, split
            )

    def target_sizes(self, dataset) -> np.ndarray:
        """As ``ValidationSamples.target_sizes``."""
        return np.asarray(dataset.sizes)

    def build_generator(self, models, args, *others, **kwargs):
        """As fairseq's, by a generator for sampling alone, or for documents.

        Raises:
            UsageError: flags do not go together.
        """
        if self.args.num_samples > 0 and getattr(args, "prefix_size", 0) > 0:
            raise UsageError("--num-samples starts from nothing: leave out it or --prefix-size")
        if self.args.num_samples > 0 and getattr(args, "score_reference", False):
            raise UsageError(
                "--num-samples has nothing for --score-reference: leave out one of both"
            )
        if getattr(args, "print_alignment", None):
            raise UsageError("--print-alignment: text from nothing has no source to align with")
        kwargs["seq_gen_cls"] = DocumentGenerator if self.length.through_ends else SamplingGenerator
        if self.args.resample != 1:
            kwargs["seq_gen_cls"] = ResamplingGenerator
        generator = super().build_generator(models, args, *others, **kwargs)
        if self.args.repetition_penalty != 1:
            if not 0 < self.args.repetition_penalty < math.inf:
                raise UsageError(
                    f"--repetition-penalty is {self.args.repetition_penalty}; it must be a number "
                    "greater than 0"
                )
            if not isinstance(generator, SamplingGenerator) or not generator.samples_alone():
                raise UsageError(
                    "--repetition-penalty works with --sampling --beam 1, one model of this plugin "
                    "and without --no-repeat-ngram-size"
                )
            generator.repetition_penalty = self.args.repetition_penalty
        require_resampling(self.args)
        if self.args.resample != 1:
            self.keep_discriminator(generator, models)
        return generator

    def keep_discriminator(self, generator, models) -> None:
        """Gives the generator what ``--resample`` needs.

        Raises:
            UsageError: there is no discriminator of whole texts, or flags do not go together.
        """
        if self.length.through_ends:
            raise UsageError("--resample: the discriminator reads sentences; it is no documents'")
        if self.trained_length.fixed:
            raise UsageError(f"--resample: {ONE_LENGTH}")
        drawn = isinstance(getattr(generator, "search", None), search.Sampling)
        if not drawn or generator.beam_size != 1 or len(models) != 1:
            raise UsageError("--resample works with --sampling --beam 1 and one model")
        try:
            generator.discriminator = scorer_of(models[0])
        except ValueError as error:
            raise UsageError(
                f"--resample: {error}; take a GAN whose --discriminator is {OF_TEXTS}, or leave "
                "the flag out"
            ) from None
        generator.candidates, generator.weight = self.args.resample, self.args.resample_weight
        generator.longest_scored = self.trained_length.maximum
        longest = generator.discriminator.max_positions() - 1  # with the end of sentence
        generator.max_len = min(generator.max_len, longest)

    def eval_lm_dataloader(self, *args, **kwargs):
        """As fairseq's, with the noise of ``fairseq-eval-lm`` seeded, which fairseq does not do."""
        utils.set_torch_seed(self.args.seed)
        return super().eval_lm_dataloader(*args, **kwargs)

    def inference_step(self, generator, models, sample, prefix_tokens=None, constraints=None):
        """Continues the prompts, or starts from nothing.

        A prompt is what ``--prefix-size`` or ``--loss-on`` cuts off a data set's lines, or a whole
        line given to ``fairseq-interactive`` or to fairseq's Python interface. Such a line that
        leaves no room to continue it is warned of, and has no hypothesis. A hypothesis is what
        follows the prompt, as is the target of a data set's line then; see ``modules.prompts``.

        Raises:
            UsageError: ``--prefix-size`` leaves no room to continue, or flags do not go together.
        """
        if constraints is not None:
            raise UsageError("--constraints work with translation only")
        given = prefix_tokens is None and "nsentences" not in sample
        eos, pad = self.dictionary.eos(), self.dictionary.pad()
        starts = sample.get("start_indices")
        if starts is not None and prefix_tokens is not None:
            raise UsageError("--loss-on and --prefix-size: each says what a prompt is; choose one")
        if prefix_tokens is None:
            # A line of a data set is no prompt unless --prefix-size says so: fairseq's
            # language_modeling task would take it whole and so copy it.
            lines = sample["net_input"]["src_tokens"]  # (batch, 1 + longest line)
            prefix_tokens = lines[:, 1:] if given else lines[:, :0]
            if starts is not None:
                places = torch.arange(1, lines.size(1), device=lines.device)
                prefix_tokens = lines[:, 1:].masked_fill(places > starts.unsqueeze(1), pad)
        if not self.length.through_ends:
            # A prompt ends where its sentence does: forced, the end would end the sample as well.
            prefix_tokens = prefix_tokens.masked_fill(prefix_tokens.eq(eos).cumsum(1).bool(), pad)
        with torch.no_grad():
            if not isinstance(generator, SequenceGenerator) or prefix_tokens.size(1) == 0:
                return generator.generate(
                    models, sample, prefix_tokens=prefix_tokens, bos_token=eos
                )
            return self.continue_prompts(generator, models, sample, prefix_tokens)

    def continue_prompts(self, generator, models, sample, prompts: torch.Tensor):
        """Hypotheses of each of the prompts ``(batch, longest)``.

        Raises:
            UsageError: as ``inference_step``.
        """
        if generator.match_source_len:
            raise UsageError("--match-source-len: a prompt has no source to be as long as")
        fits = self.prompts_with_room(generator, sample, prompts)
        if not fits.any():
            return [[] for _ in fits]
        lengths = prompts.ne(self.dictionary.pad()).sum(dim=1)
        kept = prompts[fits, : int(lengths[fits].max())]
        batch = {"net_input": {key: x[fits] for key, x in sample["net_input"].items()}}
        answers = iter(continued(generator, models, batch, kept, self.dictionary.eos()))
        found = [next(answers) if fit else [] for fit in fits.tolist()]
        shown = self.args.write_prompts
        for hypotheses, prompt, length in zip(found, prompts, lengths, strict=True):
            for hypothesis in hypotheses if shown else ():
                hypothesis["tokens"] = torch.cat([prompt[:length], hypothesis["tokens"]])
        if sample.get("target") is not None:
            # fairseq-generate writes and scores this; padding is left out.
            pad = self.dictionary.pad()
            head = sample["target"][:, : prompts.size(1)]
            head.copy_(torch.where(prompts.eq(pad), head, prompts if shown else pad))
        return found

    def prompts_with_room(self, generator, sample, prompts: torch.Tensor) -> torch.Tensor:
        """Which prompts ``(batch, longest)`` can be continued: ``(batch,)``, bool.

        Raises:
            UsageError: one cannot, and it is none of the lines that fairseq-interactive reads.
        """
        lengths = prompts.ne(self.dictionary.pad()).sum(dim=1)
        fits = limits(generator, sample, lengths) > lengths
        for length in lengths[~fits].tolist():
            says = (
                f"a prompt of {length} tokens leaves nothing to write, of the {generator.max_len} "
                "positions of the model or of --max-len-b: shorten the prompt"
            )
            if "id" in sample:
                raise UsageError(says)
            logger.warning(says)  # the other lines of a session are answered
        return fits

    def build_criterion(self, cfg):
        """Builds the criterion, of which the task must know whether it draws samples."""
        criterion = super().build_criterion(cfg)
        self.trains_on_samples = isinstance(criterion, DDO)
        return criterion

    def begin_epoch(self, epoch: int, model) -> None:
        """Checks that training text and the model fit the length of samples.

        Raises:
            UsageError: a sample may be longer than the model reads.
        """
        super().begin_epoch(epoch, model)
        if self.trains_on_samples:
            self.require_room_for_samples(model.max_positions())
            self.warn_of_long_lines(model.max_positions())

    def train_step(self, sample, model, criterion, optimizer, update_num, *args, **kwargs):
        """One batch, without end of sentence where length is fixed."""
        if isinstance(criterion, DDO):
            draw_apart_from_other_processes()
            criterion.begin_update(model, update_num)
        sample = self.without_end(sample)
        return super().train_step(sample, model, criterion, optimizer, update_num, *args, **kwargs)

    def valid_step(self, sample, model, criterion):
        """One batch, without end of sentence where length is fixed."""
        return super().valid_step(self.without_end(sample), model, criterion)

    def without_end(self, sample):
        """The batch without end of sentence, where length is fixed.

        Raises:
            UsageError: a sentence has another length.
        """
        if not self.length.fixed or not sample:
            return sample
        words = sample["target"][:, :-1].contiguous()  # fairseq's criterions take a view of it
        if words.size(1) != self.length.maximum or words.eq(self.dictionary.pad()).any():
            raise UsageError(
                f"--fixed-length: every sentence must have --max-sample-length "
                f"{self.length.maximum} words; make it so, or leave the flag out"
            )
        cut = {**sample["net_input"], "src_tokens": sample["net_input"]["src_tokens"][:, :-1]}
        return {**sample, "net_input": cut, "target": words, "ntokens": words.numel()}

    def draw_samples(self, model) -> Iterator[Samples]:
        """As ``ValidationSamples.draw_samples``."""
        for start in range(0, self.valid_samples, SAMPLED_AT_ONCE):
            size = min(SAMPLED_AT_ONCE, self.valid_samples - start)
            yield unroll(model.decoder, size, self.length, ancestral)

    def measure_samples(self, batches: list[Samples]) -> dict[str, float]:
        """As ``ValidationSamples.measure_samples``; with an oracle, ``oracle_nll`` too."""
        figures = super().measure_samples(batches)
        if self.oracle is not None:
            nll = sum(self.oracle.nll(batch.tokens).sum().item() for batch in batches)
            figures["oracle_nll"] = nll / self.valid_samples
        return figures

    @property
    def source_dictionary(self):
        """None when sampling from nothing, so that no empty ``S-`` lines are written."""
        return None if self.args.num_samples > 0 else super().source_dictionary
