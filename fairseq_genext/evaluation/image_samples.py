"""Draws images from trained `gan_image` checkpoints.

    python -m fairseq_genext.evaluation.image_samples CHECKPOINT --num-samples 1000 --seed 1 \\
        --output samples/a

writes samples/a.npy, (number, height, width) of uint8, and samples/a.png, a grid of the first 100.
An output that is a folder (it exists, or ends with /), which several checkpoints need, takes their
names: samples/checkpoint_last.npy. --json lists what was drawn, with the updates of each
checkpoint. The same seed draws the same images.
"""

from pathlib import Path

import numpy as np
import torch

from fairseq_genext.errors import require_positive
from fairseq_genext.evaluation import command
from fairseq_genext.evaluation.checkpoints import load_model, updates_of
from fairseq_genext.evaluation.image_grid import write_grid

BATCH = 1000


def load_generator(path: str | Path):
    """The image generator of a checkpoint, in evaluation mode.

    Raises:
        UsageError: there is no checkpoint, or it holds another model.
    """
    model, _ = load_model(str(path), only="gan_image")
    return model.generator


@torch.no_grad()
def draw(generator, number: int, seed: int) -> np.ndarray:
    """``(number, height, width)``, uint8, of noise that depends on the seed alone.

    ``generator`` is that of ``load_generator``.
    """
    torch.manual_seed(seed)
    images = torch.cat([generator.draw(min(BATCH, number - n)) for n in range(0, number, BATCH)])
    return images.add(1).mul(127.5).round().to(torch.uint8).numpy()


def main() -> None:
    """The command line."""
    parser = command.parser("image_samples", __doc__)
    parser.add_argument("checkpoints", nargs="+", metavar="CHECKPOINT")
    parser.add_argument("--num-samples", type=int, default=1000, help="images of each checkpoint")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--output", required=True, help="folder, or path without ending")
    parser.add_argument("--json", help="file to list the images in, in the order of training")
    args = parser.parse_args()
    require_positive(args, "num_samples")
    folder = len(args.checkpoints) > 1 or args.output.endswith("/") or Path(args.output).is_dir()
    points = []
    for checkpoint in args.checkpoints:
        pixels = draw(load_generator(checkpoint), args.num_samples, args.seed)
        prefix = Path(args.output) / Path(checkpoint).stem if folder else Path(args.output)
        prefix.parent.mkdir(parents=True, exist_ok=True)
        np.save(f"{prefix}.npy", pixels)
        write_grid(pixels, Path(f"{prefix}.png"))
        if args.json:
            updates = updates_of(checkpoint)
            points.append({"updates": updates, "images": f"{prefix}.npy"})
        print(f"wrote {prefix}.npy ({len(pixels):,} images) and {prefix}.png")
    if args.json:
        last = {point["updates"]: point for point in points}  # checkpoint_last repeats one
        command.write_json(args.json, points=[last[number] for number in sorted(last)])


if __name__ == "__main__":
    main()
