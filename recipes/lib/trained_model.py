"""What a training has left: figures for the manifest of a report."""

import re
from pathlib import Path

import torch

import fairseq_genext  # noqa: F401  lets torch load the Namespace of fairseq's own architectures


def trained(folder: Path, name: str) -> dict:
    """Parameters, updates and seconds of a training, read from what it left."""
    log = (folder / "models" / name / "train.log").read_text(encoding="utf-8")
    parameters = re.search(r"num\. shared model params: ([\d,]+)", log)
    last = folder / "models" / name / "checkpoint_last.pt"
    state = torch.load(last, map_location="cpu", weights_only=True)
    return {
        "log": f"models/{name}/train.log",
        "parameters": int(parameters[1].replace(",", "")),
        "updates": state["optimizer_history"][-1]["num_updates"],
        "seconds": round(state["extra_state"]["previous_training_time"]),
    }
