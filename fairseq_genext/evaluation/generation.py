"""What ``fairseq-generate`` would print, as a list: one text an input, through fairseq's own API.

The flags are the command's, and with a seed so are the texts. What is saved is starting Python and
importing fairseq for every checkpoint, temperature or beam.
"""

import time
import warnings
from dataclasses import dataclass

import numpy as np
import torch
from fairseq import checkpoint_utils, options, tasks, utils
from fairseq.dataclass.utils import convert_namespace_to_omegaconf
from fairseq.logging import progress_bar
from fairseq.sequence_generator import SequenceGenerator
from omegaconf import DictConfig

from fairseq_genext import plugin  # noqa: F401  as a command of its own nothing has yet
from fairseq_genext.errors import UsageError
from fairseq_genext.patches.generation_flags import check_generation


@dataclass(frozen=True)
class Generated:
    """Texts and how fast they came.

    Attributes:
        texts: the best hypothesis of every input, in the order of the inputs.
        seconds: spent in generation, without loading the model.
        tokens: written, ends of sentence included.
    """

    texts: list[str]
    seconds: float
    tokens: int


def read_flags(flags: list[str]) -> DictConfig:
    """The configuration of fairseq-generate for its flags.

    Raises:
        UsageError: flags do not go together.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of hydra, at every reading of flags
        args = options.parse_args_and_arch(options.get_generation_parser(), flags)
        check_generation(args)
        return convert_namespace_to_omegaconf(args)


@torch.no_grad()
def generate(flags: list[str], untrained: bool = False) -> Generated:
    """The best hypothesis of every input.

    Args:
        flags: of fairseq-generate.
        untrained: take the checkpoint's architecture with fresh weights, drawn from the seed.

    Raises:
        UsageError: data folder, checkpoint and flags do not go together.
    """
    cfg = read_flags(flags)
    if cfg.common.seed is not None:
        np.random.seed(cfg.common.seed)
        utils.set_torch_seed(cfg.common.seed)
    task = tasks.setup_task(cfg.task)
    # As the command loads it, since building a model draws random numbers.
    (model,), saved = checkpoint_utils.load_model_ensemble([cfg.common_eval.path], task=task)
    if untrained:
        model = task.build_model(saved.model)
    subset = cfg.dataset.gen_subset
    task.load_dataset(subset, task_cfg=saved.task)
    device = torch.device("cuda" if torch.cuda.is_available() and not cfg.common.cpu else "cpu")
    model.to(device).prepare_for_inference_(cfg)
    generator = task.build_generator([model], cfg.generation)
    batches = task.get_batch_iterator(
        dataset=task.dataset(subset),
        max_tokens=cfg.dataset.max_tokens,
        max_sentences=cfg.dataset.batch_size,
        max_positions=utils.resolve_max_positions(task.max_positions(), model.max_positions()),
        ignore_invalid_inputs=cfg.dataset.skip_invalid_size_inputs_valid_test,
        required_batch_size_multiple=cfg.dataset.required_batch_size_multiple,
        seed=cfg.common.seed,
    ).next_epoch_itr(shuffle=False)
    shown = progress_bar.progress_bar(batches, cfg.common.log_format, default_log_format="none")
    bpe = task.build_bpe(cfg.bpe)
    found: dict[int, str] = {}
    seconds, tokens = 0.0, 0
    for sample in shown:
        sample = utils.move_to_cuda(sample, device) if device.type == "cuda" else sample
        begun = time.perf_counter()
        hypotheses = task.inference_step(generator, [model], sample)
        seconds += time.perf_counter() - begun
        for number, (best, *_) in zip(sample["id"].tolist(), hypotheses, strict=True):
            tokens += len(best["tokens"])
            text = task.target_dictionary.string(
                best["tokens"].int().cpu(), extra_symbols_to_ignore=ignored(generator)
            )
            found[number] = bpe.decode(text) if bpe is not None else text
    if sorted(found) != list(range(len(task.dataset(subset)))):
        raise UsageError(
            f"{len(found)} of {len(task.dataset(subset))} inputs of {subset} were read: the others "
            "are longer than the model takes"
        )
    return Generated([found[number] for number in range(len(found))], seconds, tokens)


def ignored(generator: SequenceGenerator) -> set[int]:
    """Ids that no text shows: the generator's, else its end of sentence."""
    return getattr(generator, "symbols_to_strip_from_output", {generator.eos})
