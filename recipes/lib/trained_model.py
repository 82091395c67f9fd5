"""What a training has left: figures for the manifest of a report."""

import json
import re
from collections import Counter
from pathlib import Path
from statistics import mean
from types import SimpleNamespace

import torch

import fairseq_genext  # noqa: F401  lets torch load the Namespace of fairseq's own architectures
from fairseq_genext.gan.progress import Progress
from fairseq_genext.gan.schedule import Schedule
from fairseq_genext.gan.settings import fill_defaults


def checkpoint(folder: Path, name: str, which: str) -> dict:
    """What a training saved at its end, ``last``, or when its metric was best, ``best``."""
    path = folder / "models" / name / f"checkpoint_{which}.pt"
    return torch.load(path, map_location="cpu", weights_only=True)


def updates_of(state: dict) -> int:
    """Updates that had been made when a checkpoint was written."""
    return state["optimizer_history"][-1]["num_updates"]


def trained(folder: Path, name: str) -> dict:
    """Parameters, updates and seconds of a training, read from what it left."""
    log = (folder / "models" / name / "train.log").read_text(encoding="utf-8")
    parameters = re.search(r"num\. shared model params: ([\d,]+)", log)
    state = checkpoint(folder, name, "last")
    return {
        "log": f"models/{name}/train.log",
        "parameters": int(parameters[1].replace(",", "")),
        "updates": updates_of(state),
        "seconds": round(state["extra_state"]["previous_training_time"]),
    }


def cost(folder: Path, name: str) -> dict:
    """Processor time and peak memory, as recipes/lib/measured.py wrote them."""
    return json.loads((folder / "models" / name / "cost.json").read_text(encoding="utf-8"))


def generator_parameters(folder: Path, name: str) -> int:
    """Parameters of what generates: all of a language model, one player of a GAN."""
    weights = checkpoint(folder, name, "last")["model"]
    tied = {"decoder.output_projection.weight", "decoder.embed_tokens.weight"}
    own = {name: weight for name, weight in weights.items() if name.startswith("decoder.")}
    if tied <= own.keys() and torch.equal(*(own[weight] for weight in tied)):
        own.pop("decoder.output_projection.weight")
    return sum(weight.numel() for weight in own.values())


def updates_by_player(folder: Path, name: str) -> Counter:
    """Updates of a training by phase and player, such as ("turns", "generator")."""
    state = checkpoint(folder, name, "last")
    updates = updates_of(state)
    if "progress" not in state["model"]:
        return Counter({("generator_pretraining", "generator"): updates})
    task, progress = SimpleNamespace(**state["cfg"]["task"]), Progress(state["model"]["progress"])
    fill_defaults(task)
    schedule = Schedule(
        task.generator_pretrain_updates,
        task.discriminator_warmup_updates,
        task.discriminator_steps,
        task.generator_steps,
        task.pretrain_patience,
    )
    turns = (schedule.turn(update, progress) for update in range(updates))
    return Counter((turn.phase.name.lower(), turn.player) for turn in turns)


def real_tokens_read(folder: Path, name: str) -> int:
    """Tokens of training text that likelihood and the discriminator's updates read.

    The mean size of a batch in the log, times the updates that read one. A generator's turn is left
    out, which reads its own samples, and so are the samples that a discriminator reads.
    """
    log = (folder / "models" / name / "train.log").read_text(encoding="utf-8")
    # train_wpb stands at the end of an epoch, all there is of a very short training.
    batch = mean(float(words) for words in re.findall(r'"(?:train_)?wpb": "([\d.]+)"', log))
    updates = updates_by_player(folder, name)
    return round(batch * (updates.total() - updates["turns", "generator"]))
