"""Merges low-rank adapters (``gpt_doc --lora-rank``) into the weights that they adapt.

    python -m fairseq_genext.weights.adapters CHECKPOINT --output FILE

The output is a checkpoint without adapters, with the same logits up to rounding: as fast as before,
and free to be trained in full or with adapters anew.
"""

from omegaconf import open_dict

from fairseq_genext.errors import UsageError
from fairseq_genext.evaluation import command
from fairseq_genext.modules.lora import merged
from fairseq_genext.weights import checkpoint


def without_adapters(state: dict) -> dict:
    """A checkpoint of the same model without adapters; itself where there are none."""
    model = state["cfg"].model
    rank = getattr(model, "lora_rank", 0)
    if rank == 0:
        return state
    cfg = state["cfg"].copy()
    with open_dict(cfg):
        cfg.model.lora_rank = 0
    return {**state, "cfg": cfg, "model": merged(state["model"], model.lora_alpha / rank)}


def main() -> None:
    """The command line."""
    parser = command.parser("python -m fairseq_genext.weights.adapters", __doc__)
    parser.add_argument("checkpoint", metavar="CHECKPOINT")
    parser.add_argument("--output", required=True, metavar="FILE", help="the checkpoint to write")
    args = parser.parse_args()
    checkpoint.require_other(args.output, args.checkpoint)
    state = checkpoint.read(args.checkpoint)
    whole = without_adapters(state)
    if whole is state:
        raise UsageError(f"{args.checkpoint} has no adapters: it was trained without --lora-rank")
    checkpoint.write(args.output, whole)
    print(f"{args.output} is written: the weights of {args.checkpoint} with its adapters in them")


if __name__ == "__main__":
    main()
