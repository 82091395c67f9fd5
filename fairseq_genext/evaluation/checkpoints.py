"""All that evaluation knows of models: loads them from fairseq's checkpoints, and tells of them."""

import zipfile
from collections.abc import Iterator
from pathlib import Path

import torch
from fairseq import checkpoint_utils, utils
from fairseq.models import MODEL_REGISTRY
from fairseq.tasks.language_modeling import LanguageModelingTask
from torch import Tensor, nn

from fairseq_genext import plugin  # noqa: F401  as a command of its own nothing has yet
from fairseq_genext.errors import UsageError
from fairseq_genext.gan.progress import Progress
from fairseq_genext.gan.step import shifted
from fairseq_genext.modules.conditions import draw_condition
from fairseq_genext.modules.samplers import SampleLength, ancestral, unroll

BATCH = 500  # texts of one length that are read or drawn at once


def require_checkpoint(path: str | Path) -> None:
    """Raises UsageError unless there is a checkpoint at ``path``."""
    if not Path(path).exists():
        raise UsageError(f"{path} does not exist")
    if not zipfile.is_zipfile(path):  # the format of torch.save
        raise UsageError(f"{path} is no checkpoint")


def named_checkpoints(given: list[str]) -> dict[str, str]:
    """What a command line calls its checkpoints: NAME=PATH … as a mapping.

    A name may become that of a folder.

    Raises:
        UsageError: one has another form, a name is given twice, or a file is no checkpoint.
    """
    named: dict[str, str] = {}
    for entry in given:
        name, found, path = entry.partition("=")
        if not found or not name or "/" in name or name.startswith("."):
            raise UsageError(f"{entry!r} is no checkpoint with a name: write NAME=PATH")
        if name in named:
            raise UsageError(f"two checkpoints are called {name!r}")
        require_checkpoint(path)
        named[name] = path
    return named


def load_model(
    path: str,
    data: str | None = None,
    untrained: bool = False,
    only: str | None = None,
    overrides: dict | None = None,
) -> tuple:
    """The model of a checkpoint, in evaluation mode, and its task.

    Args:
        path: the checkpoint.
        data: binarised data folder, for its dictionaries; None for a model that has none.
        untrained: build the model anew, with fresh weights.
        only: name of the one architecture that will do.
        overrides: flags of the training to take as others, by name.

    Raises:
        UsageError: it cannot be loaded, or holds another architecture.
    """
    overrides = (overrides or {}) | ({} if data is None else {"data": data})
    (model,), cfg, task = checkpoint_utils.load_model_ensemble_and_task([path], overrides)
    if untrained:
        model = task.build_model(cfg.model)
    if only is not None and not isinstance(model, MODEL_REGISTRY[only]):
        raise UsageError(f"{path} holds a {type(model).__name__}; only {only} will do")
    return model.eval(), task


def load_language_model(path: str, data: str, cpu: bool = False, **kwargs) -> tuple:
    """As ``load_model``, of a language model or GAN over texts alone, on the GPU if there is one.

    Args:
        cpu: whether it stays on the CPU.

    Raises:
        UsageError: it is of pairs of texts, or of images.
    """
    model, task = load_model(path, data, **kwargs)
    if not isinstance(task, LanguageModelingTask):
        raise UsageError(
            f"{path} holds a {type(model).__name__}; name a language model or a GAN of texts"
        )
    return model.to("cuda" if torch.cuda.is_available() and not cpu else "cpu"), task


def held_out_batches(model: nn.Module, task, split: str) -> Iterator[dict]:
    """Batches of a split, as ``fairseq-eval-lm`` reads it, on the model's device.

    Texts longer than the model reads are left out, of which fairseq warns.

    Raises:
        UsageError: nothing is left.
    """
    task.load_dataset(split)
    device = next(model.parameters()).device
    batches = task.eval_lm_dataloader(
        task.dataset(split), max_tokens=8000, max_positions=model.max_positions()
    )
    batch = None
    for batch in batches:
        yield utils.move_to_cuda(batch, device) if device.type == "cuda" else batch
    if batch is None:
        raise UsageError(
            f"{split}: every text is longer than the {model.max_positions()} tokens that the model "
            "reads; cut them into sentences"
        )


class FixedLengthGenerator:
    """A language model or GAN over texts of one length without an end, as an oracle writes them.

    Args:
        decoder: an incremental decoder.
        length: tokens of a text.
    """

    def __init__(self, decoder: nn.Module, length: int) -> None:
        self.decoder = decoder
        self.length = SampleLength(length, fixed=True)

    @torch.no_grad()
    def sample(self, number: int, temperature: float) -> Tensor:
        """Ids ``(number, length)`` from torch's random numbers; the temperature divides logits."""

        def choose(logits: Tensor) -> tuple[Tensor, None]:
            return ancestral(logits / temperature)

        sizes = [min(BATCH, number - start) for start in range(0, number, BATCH)]
        drawn = (unroll(self.decoder, size, self.length, choose).tokens for size in sizes)
        return torch.cat(list(drawn))

    @torch.no_grad()
    def nll(self, tokens: Tensor, temperature: float) -> Tensor:
        """Mean -log p of a token, in nats, of each text ``(batch, length)``: ``(batch,)``."""
        eos = self.decoder.dictionary.eos()
        forbidden = self.length.forbidden(self.decoder.dictionary)
        forbidden = torch.tensor(forbidden, device=tokens.device)
        found = []
        for batch in tokens.split(BATCH):
            previous = shifted(batch, eos)
            condition = draw_condition(self.decoder, len(batch)).arguments
            logits, _ = self.decoder(previous, **condition)
            logits = (logits.float() / temperature).index_fill(2, forbidden, -torch.inf)
            chosen = logits.gather(2, batch.unsqueeze(2)).squeeze(2)
            found.append((logits.logsumexp(dim=2) - chosen).mean(dim=1))
        return torch.cat(found)


def updates_of(path: str | Path) -> int:
    """Updates that had been made when a checkpoint was written."""
    state = checkpoint_utils.load_checkpoint_to_cpu(str(path))
    return state["optimizer_history"][-1]["num_updates"]


def describe_checkpoint(path: str | Path) -> dict[str, int]:
    """What a checkpoint says of its training.

    Returns:
        ``parameters``, ``generator_parameters`` (without a discriminator's), ``updates``,
        ``data_updates`` (those that read training data, as a generator's in turns do not) and
        ``seconds`` of training.
    """
    model, task = load_model(str(path))
    state = checkpoint_utils.load_checkpoint_to_cpu(str(path))
    updates = state["optimizer_history"][-1]["num_updates"]
    parameters = sum(weight.numel() for weight in model.parameters())
    discriminator = getattr(model, "discriminator", None)
    of_discriminator = discriminator.parameters() if discriminator is not None else ()
    generated = 0
    if schedule := getattr(task, "schedule", None):
        progress = Progress(model.progress) if hasattr(model, "progress") else None
        turns = (schedule.turn(update, progress) for update in range(updates))
        generated = sum((turn.phase.name, turn.player) == ("TURNS", "generator") for turn in turns)
    return {
        "parameters": parameters,
        "generator_parameters": parameters - sum(weight.numel() for weight in of_discriminator),
        "updates": updates,
        "data_updates": updates - generated,
        "seconds": round(state["extra_state"]["previous_training_time"]),
    }
