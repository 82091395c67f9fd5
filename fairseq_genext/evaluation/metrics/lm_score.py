"""LM score and reverse LM score: text scored by a language model trained on the other side's text.

    score = - sum over sentences and tokens log p(token | tokens before) / number of tokens

in nats a token, ends of sentences included, 0 to infinity. The scoring language model is any
of fairseq's, read from its checkpoint.

- LM score (Cífka et al. 2018, https://arxiv.org/abs/1804.07972; de Masson d'Autume et al. 2019): a
  language model trained on **real** text scores the **samples**. Quality: lower is more fluent. It
  does not see diversity: one likely sentence over and over scores best of all. A score below that
  of held-out text itself means text that is too safe, not better.
- Reverse LM score (Zhao et al. 2018, https://arxiv.org/abs/1706.04223): a language model trained on
  the **samples** scores **real** held-out text. Lower is better. It sees quality and diversity
  together: what the samples lack, the model cannot have learnt. It depends on the number of samples
  and on the training, which must be the same for all systems; real training text in their place
  gives the floor.

Both depend on the tokens, so only scores over the same dictionary and pieces can be compared.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from fairseq import utils
from fairseq.data.data_utils import batch_by_size
from fairseq.data.encoders.gpt2_bpe import GPT2BPE, GPT2BPEConfig
from fairseq.data.monolingual_dataset import collate
from fairseq.sequence_scorer import SequenceScorer
from torch import Tensor

from fairseq_genext.data.pieces import load
from fairseq_genext.errors import UsageError
from fairseq_genext.evaluation.checkpoints import load_model
from fairseq_genext.evaluation.metrics.bootstrap import half_width
from fairseq_genext.files import plain_blanks

MAX_TOKENS = 4000  # of a batch, padding included


class ScoringLM:
    """A language model that scores sentences.

    Args:
        path: fairseq checkpoint of a language model.
        data: folder of its ``dict.txt``; None for the one that it was trained on.
        pieces: sentencepiece model that cut its training text, or folder of GPT-2's encoder.json
            and vocab.bpe; without, text is split at blanks.

    Raises:
        UsageError: a file is missing, or the checkpoint is no language model.
    """

    def __init__(self, path: str, data: str | None, pieces: str | None = None) -> None:
        self.path = path
        self.model, task = load_model(path, data)
        if not hasattr(self.model, "decoder") or hasattr(self.model, "encoder"):
            raise UsageError(f"{path} holds a {type(self.model).__name__}, no language model")
        self.marks_beginning = getattr(task.args, "add_bos_token", False)
        self.dictionary = task.target_dictionary
        self.max_length = self.model.max_positions()
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.model.to(self.device)
        self.cut = cutter(pieces) if pieces is not None else str

    def encode(self, sentence: str) -> Tensor:
        """Token ids with an end of sentence, ``(length,)``.

        Raises:
            UsageError: the sentence is longer than the model can read.
        """
        tokens = self.dictionary.encode_line(self.cut(sentence), add_if_not_exist=False).long()
        if len(tokens) + self.marks_beginning > self.max_length:
            raise UsageError(
                f"{self.path} reads at most {self.max_length} tokens, and a sentence has "
                f"{len(tokens)}: {sentence[:60]}…"
            )
        return tokens

    def nll(self, sentences: Sequence[str]) -> tuple[list[float], list[int]]:
        """Negative log-likelihood of every sentence in nats, and its number of tokens."""
        encoded = [self.encode(sentence) for sentence in sentences]
        return self.costs(encoded), [len(tokens) for tokens in encoded]

    def costs(self, encoded: Sequence[Tensor]) -> list[float]:
        """Negative log-likelihood of every sentence, as ``encode`` returns them, in nats."""
        lengths = [len(tokens) for tokens in encoded]
        batches = batch_by_size(
            np.argsort(lengths, kind="stable"),
            num_tokens_fn=lengths.__getitem__,
            max_tokens=max(MAX_TOKENS, *lengths),
        )
        scorer = SequenceScorer(self.dictionary)
        costs = [0.0] * len(encoded)
        for batch in batches:
            # fairseq starts a sentence from the end of the one before it, and a model that was
            # trained with --add-bos-token reads <s> before that, which is no part of the text.
            bos = encoded[0].new_full((int(self.marks_beginning),), self.dictionary.bos())
            rows = [
                {
                    "id": i,
                    "source": torch.cat([bos, encoded[i].roll(1)]),
                    "target": torch.cat([bos, encoded[i]]),
                }
                for i in batch
            ]
            sample = collate(rows, self.dictionary.pad(), self.dictionary.eos())
            sample = utils.move_to_cuda(sample, self.device)
            for index, (scored,) in zip(batch, scorer.generate([self.model], sample), strict=True):
                costs[index] = -float(scored["positional_scores"][len(bos) :].double().sum())
        return costs


def cutter(pieces: str) -> Callable[[str], str]:
    """What cuts a sentence as fairseq's own commands do; the argument as of ``ScoringLM``.

    Raises:
        UsageError: there is no such file, or it is something else.
    """
    if Path(pieces).is_dir():
        encoder, merges = (str(Path(pieces) / name) for name in ("encoder.json", "vocab.bpe"))
        return GPT2BPE(GPT2BPEConfig(gpt2_encoder_json=encoder, gpt2_vocab_bpe=merges)).encode
    model = load(pieces)
    return lambda sentence: " ".join(model.encode(plain_blanks(sentence), out_type=str))


def lm_score(scorer: ScoringLM, sentences: Sequence[str]) -> tuple[float, float]:
    """Mean cost of a token in nats, and half the width of its 95 % interval over sentences.

    Direction, range and blind spots stand at the top of this file.
    """
    costs, lengths = scorer.nll(sentences)
    return sum(costs) / sum(lengths), half_width(costs, lengths)


def lm_scores(
    samples: list[list[str]],
    references: list[list[str]],
    scorer: ScoringLM | None,
    reverse: ScoringLM | None,
) -> dict[str, float]:
    """``lm_score`` of samples and ``reverse_lm_score`` of references, each with ``…_ci``."""
    figures: dict[str, float] = {}
    for name, by, text in (
        ("lm_score", scorer, samples), ("reverse_lm_score", reverse, references),
    ):  # fmt: skip
        if by is not None:
            mean, interval = lm_score(by, [" ".join(tokens) for tokens in text])
            figures |= {name: mean, f"{name}_ci": interval}
    return figures
