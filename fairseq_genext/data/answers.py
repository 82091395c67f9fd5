"""Prompts and answers in one line, of which only the answers count in the loss.

A line of a language model is ``prompt <sep> answer``, with any word of the dictionary for
``<sep>``. The prompt ends with the last separator of the line, so that solved examples may stand
in it. Targets of the prompt become padding, which every criterion of fairseq leaves out; the end of
sentence counts with the answer.
"""

import torch
from fairseq.data import BaseWrapperDataset, Dictionary, MonolingualDataset
from torch import Tensor

from fairseq_genext.errors import UsageError


class AnswerDataset(BaseWrapperDataset):
    """Lines whose batches have targets of the answers alone.

    Args:
        lines: a sentence each.
        dictionary: of the lines.
        separator: the word that ends a prompt.
        name: what errors call the lines.

    Raises:
        UsageError: the dictionary has no such word, or a line has none.
    """

    def __init__(
        self, lines: MonolingualDataset, dictionary: Dictionary, separator: str, name: str
    ) -> None:
        super().__init__(lines)
        self.separator, self.pad = dictionary.index(separator), dictionary.pad()
        if self.separator < dictionary.nspecial:  # unknown words among them
            raise UsageError(f"--loss-on {separator}: the dictionary has no such word")
        for number in range(len(lines)):
            # Here, since a worker of fairseq's loader could not say it in one line.
            if not lines[number]["source"].eq(self.separator).any():
                raise UsageError(
                    f"--loss-on {separator}: line {number + 1} of {name} does not have it; every "
                    "line must be a prompt, the separator and an answer"
                )

    def collater(self, samples: list[dict]) -> dict:
        """fairseq's batch, with padding for the targets of prompts.

        ``ntokens`` counts targets, ``tokens_read`` those of the prompts too; ``start_indices``
        ``(batch,)`` has each answer's place, which fairseq-eval-lm reads.
        """
        batch = self.dataset.collater(samples)
        if not batch:
            return batch
        starts = answer_starts(batch["net_input"]["src_tokens"], self.separator)
        target = batch["target"]
        places = torch.arange(target.size(1))
        target = target.masked_fill(places < starts.unsqueeze(1), self.pad)
        return {
            **batch,
            "target": target,
            "ntokens": int(target.ne(self.pad).sum()),
            "tokens_read": batch["ntokens"],
            "start_indices": starts,
        }


def answer_starts(sources: Tensor, separator: int) -> Tensor:
    """The place of each answer's first token among the targets: ``(batch,)``.

    Args:
        sources: ``(batch, longest)``, the targets shifted right by one.
        separator: the id that ends a prompt.
    """
    return (sources.eq(separator) * torch.arange(sources.size(1))).amax(dim=1)
