"""Draws what a dbam attends to and how much its modulation decoders change the draft.

    python -m fairseq_genext.evaluation.attention_maps DATA --path CHECKPOINT \\
        --sentencepiece-model PIECES.model --output maps.png "A sentence." "Another one."

translates the sentences greedily and draws a row for each: for every layer the attention of each
target piece over the source pieces, with a line between the two halves, and for every modulation
decoder the root mean square of its scale and of its shift at each target piece. Without a
sentencepiece model the sentences are taken as pieces already, split at blanks.
"""

import argparse
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from fairseq_genext.data import pieces
from fairseq_genext.evaluation import command
from fairseq_genext.evaluation.checkpoints import load_model
from fairseq_genext.evaluation.plots import picture


@dataclass
class Maps:
    """One sentence and its translation, end of sentence included, as a model sees them.

    Attributes:
        source, target: pieces.
        attentions: for every layer and attention, weights ``(target length, source length)``.
        modulations: for every modulation decoder, root mean square over dimensions of scale and of
            shift, each ``(target length,)``.
    """

    source: list[str]
    target: list[str]
    attentions: list[list[Tensor]]
    modulations: list[tuple[Tensor, Tensor]]


@torch.no_grad()
def read_maps(model, task, pieces: str) -> Maps:
    """Translates one sentence, pieces split at blanks, greedily and reads the model's attention."""
    source = task.source_dictionary.encode_line(pieces, add_if_not_exist=False).long()
    inputs = {"src_tokens": source.unsqueeze(0), "src_lengths": torch.tensor([len(source)])}
    generator = task.build_generator(
        [model], argparse.Namespace(beam=1, max_len_a=1.5, max_len_b=20)
    )
    sample = {"net_input": inputs, "id": torch.tensor([0])}
    target = task.inference_step(generator, [model], sample)[0][0]["tokens"]
    prev = torch.cat([target[-1:], target[:-1]]).unsqueeze(0)
    _, extra = model(**inputs, prev_output_tokens=prev)
    return Maps(
        source=[task.source_dictionary[int(token)] for token in source],
        target=[task.target_dictionary[int(token)] for token in target],
        attentions=[[weights[0] for weights in layer] for layer in extra["attentions"]],
        modulations=[
            tuple(part[0].pow(2).mean(dim=-1).sqrt() for part in pair)
            for pair in extra["modulations"]
        ],
    )


def draw(sentences: list[Maps], path: Path) -> None:
    """Writes a PNG with a row of panels for every sentence."""
    layers = len(sentences[0].attentions)
    panels = layers + bool(sentences[0].modulations)
    options = {
        "figsize": (1 + 4 * panels, 0.8 + sum(0.22 * len(maps.target) + 1.2 for maps in sentences)),
        "height_ratios": [len(maps.target) + 4 for maps in sentences],
        "squeeze": False,
    }
    with picture(path, len(sentences), panels, dpi=130, **options) as (_, grid):
        for maps, row in zip(sentences, grid, strict=True):
            _draw_row(maps, row)


def _draw_row(maps: Maps, row) -> None:
    for number, (axes, weights) in enumerate(zip(row, maps.attentions, strict=False), start=1):
        # The halves do not overlap, so their sum shows both.
        axes.grid(visible=False)
        axes.imshow(sum(weights), aspect="auto", cmap="Blues", vmin=0, vmax=1)
        if len(weights) == 2:
            axes.axvline((len(maps.source) + 1) // 2 - 0.5, color="C3", linewidth=1)
        axes.set_xticks(range(len(maps.source)), maps.source, rotation=90, fontsize=7)
        axes.set_title(f"attention, layer {number}", fontsize=9)
    for number, pair in enumerate(maps.modulations, start=1):
        for values, line, name in zip(pair, ("o-", "s--"), ("scale", "shift"), strict=True):
            label = f"{number}: {name}"
            row[-1].plot(values, range(len(values)), line, color=f"C{number}", label=label)
    if maps.modulations:
        row[-1].set_title("modulation decoders, root mean square", fontsize=9)
        row[-1].invert_yaxis()
        row[-1].set_xlim(left=0)
        row[-1].legend(fontsize=7)
    for axes in row:
        axes.set_yticks(range(len(maps.target)), maps.target, fontsize=7)


def main() -> None:
    """The command line."""
    parser = command.parser("attention_maps", __doc__)
    parser.add_argument("data", help="binarised data folder, for its dictionaries")
    parser.add_argument("sentences", nargs="+", help="source sentences")
    parser.add_argument("--path", required=True, help="checkpoint of a dbam")
    parser.add_argument("--sentencepiece-model", help="cuts the sentences into pieces")
    parser.add_argument("--output", type=Path, required=True, help="PNG to write")
    args = parser.parse_args()
    sentences = args.sentences
    if args.sentencepiece_model:
        cut = pieces.load(args.sentencepiece_model)
        sentences = [" ".join(cut.encode(line, out_type=str)) for line in sentences]
    model, task = load_model(args.path, args.data, only="dbam")
    maps = [read_maps(model, task, line) for line in sentences]
    args.output.parent.mkdir(parents=True, exist_ok=True)
    draw(maps, args.output)
    for found in maps:
        print(" ".join(found.target[:-1]))
    print(f"wrote {args.output}")


if __name__ == "__main__":
    main()
