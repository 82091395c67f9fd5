"""fairseq's generator for models of documents, where an end of sentence is a word like any other.

Trained on blocks of text (``--sample-break-mode none``, ``complete``, ``complete_doc``), a model
writes ``</s>`` between sentences. fairseq's own generator stops there; this one goes on to the
length that was asked for.
"""

from torch import Tensor

from fairseq_genext.modules.prompts import keep
from fairseq_genext.modules.sampling_generator import SamplingGenerator


class DocumentGenerator(SamplingGenerator):
    """As ``SamplingGenerator``; every text is as long as ``--max-len-a``, ``--max-len-b`` and the
    model's positions allow.

    ``<s>``, which no text holds, is what ends a hypothesis inside the search. It is forbidden
    before the last step, forced there, and taken off again with its score.
    """

    def __init__(self, models, tgt_dict, **kwargs) -> None:
        super().__init__(models, tgt_dict, eos=tgt_dict.bos(), **kwargs)

    def generate(self, models, sample: dict, **kwargs) -> list[list[dict[str, Tensor]]]:
        """Hypotheses of each text, best first: their tokens have no end."""
        read = sample["net_input"]["src_tokens"].size(1)
        self.min_len = min(int(self.max_len_a * read + self.max_len_b), self.max_len - 1)
        found = super().generate(models, sample, **kwargs)
        for hypotheses in found:
            keep(self, hypotheses, slice(None, -1))
        return found
