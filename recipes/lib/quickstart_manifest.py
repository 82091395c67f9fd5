"""Writes the report's manifest for what recipes/quickstart.sh has made."""

import argparse
import sys
from itertools import islice
from pathlib import Path

import yaml
from trained_model import trained


def main() -> None:
    """Prints the manifest."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seed", required=True)
    parser.add_argument("--command", required=True)
    parser.add_argument("--gan-pretrain-updates", type=int, required=True)
    args = parser.parse_args()
    folder = args.folder

    def text_system(name: str, kind: str, **more) -> dict:
        return {
            "name": name.replace("_untrained", ", untrained"),
            "kind": kind,
            "samples": f"samples/{name}.txt",
            "perplexity": f"scores/{name}.ppl",
            **more,
        }

    number = sum(1 for _ in (folder / "samples" / "gpt_doc.txt").open(encoding="utf-8"))
    held_out = (folder / "data" / "clauses" / "valid.txt").open(encoding="utf-8")
    (folder / "samples" / "held_out.txt").write_text("".join(islice(held_out, number)))

    gan = trained(folder, "gan_doc")
    manifest = {
        "title": "GPT, GAN and seq2seq side by side: the quickstart",
        "command": args.command,
        "notes": [
            "Free text: clauses of the Bible in Basic English, lower case, 3,000 sentencepieces; "
            f"references are the test split; {number} samples a system at temperature 1. "
            "Translation: King James to Basic English, test split, greedy, 4,000 joint pieces.",
            f"One seed ({args.seed}) and a few minutes of CPU: this shows that everything works "
            "and learns, not which family is better.",
        ],
        "references": "data/clauses/test.txt",
        "train": "data/clauses/train.txt",
        "systems": [
            {
                "name": "held-out text",
                "kind": "reference",
                "samples": "samples/held_out.txt",
                "note": "the validation split, measured like a system: what perfect samples "
                "would score",
            },
            text_system("unigram", "baseline", note="token frequencies alone"),
            text_system("gpt_doc_untrained", "untrained"),
            text_system("gpt_doc", "trained", **trained(folder, "gpt_doc")),
            text_system("gan_doc_untrained", "untrained"),
            {
                **text_system("gan_doc_pretrained", "trained"),
                "name": "gan_doc, likelihood only",
                "parameters": gan["parameters"],
                "updates": args.gan_pretrain_updates,
                "note": "the generator at the end of its pretraining, before the discriminator",
            },
            text_system(
                "gan_doc",
                "trained",
                **gan,
                note="its perplexity is that of one draw of noise a sentence, an upper bound; "
                "updates count both players",
            ),
        ],
        "translation": {
            "source": "data/kjv-bbe/test.kjv",
            "references": "data/kjv-bbe/test.bbe",
            "systems": [
                {
                    "name": name,
                    "hypotheses": f"samples/{name}.txt",
                    **trained(folder, name),
                    "note": note,
                }
                for name, note in (
                    (
                        "lstm_seq2seq_doc",
                        "one fixed vector must carry a whole verse of 32 pieces on average; "
                        "copying is a strong baseline here, because the two wordings share names, "
                        "short words and word order",
                    ),
                    ("dbam", "attends to the source, so rare words and names can be copied"),
                )
            ],
        },
    }
    yaml.safe_dump(manifest, sys.stdout, sort_keys=False, allow_unicode=True)


if __name__ == "__main__":
    main()
