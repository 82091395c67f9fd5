"""What ``fairseq-generate --scoring …`` can score with, besides fairseq's own scorers.

=============== ================================================================================
``sample_bleu`` BLEU of every hypothesis against all targets of the subset, as free samples need
``self_bleu``   Self-BLEU of the hypotheses, which reads no target
``bleu_chrf``   corpus BLEU and chrF of sacrebleu, each with its signature
=============== ================================================================================

fairseq scores only where the subset has targets. For free samples give ``--gen-subset test``
without ``--num-samples`` and ``--prefix-size``: the task unconditional_generation then draws as
many samples from nothing as the subset has lines, and those lines are the references.

fairseq's own ``sacrebleu`` and ``chrf`` print no signature, and its ``bleu`` is of pieces.
"""

from dataclasses import dataclass, field
from typing import Optional

from fairseq.dataclass import FairseqDataclass
from fairseq.scoring import BaseScorer, register_scorer

from fairseq_genext.errors import UsageError, require_positive
from fairseq_genext.evaluation import translation
from fairseq_genext.evaluation.metrics.ngram_bleu import bleu_scores, mean_scores, self_bleu_scores
from fairseq_genext.evaluation.tokenizers import NAMES, choose, cutter


@dataclass
class TokenizeConfig(FairseqDataclass):
    tokenize: Optional[str] = field(
        default=None,
        metadata={"help": f"how text is cut, by sacrebleu's names: {', '.join(NAMES)}"},
    )


@dataclass
class MeanBleuConfig(TokenizeConfig):
    scoring_order: int = field(default=5, metadata={"help": "longest n-gram"})


class MeanBleuScorer(BaseScorer):
    """Mean of a BLEU over hypotheses; subclasses say which."""

    name: str
    language: str | None = None  # of the targets, which patches/scoring.py knows

    def __init__(self, cfg: MeanBleuConfig) -> None:
        require_positive(cfg, "scoring_order")
        super().__init__(cfg)

    def tokens(self, *texts: list[str]) -> list[list[list[str]]]:
        """Each of the texts cut into tokens; the last one tells whether that works."""
        cut = cutter(choose(self.cfg.tokenize, texts[-1], self.language, default="none"))
        return [list(map(cut, lines)) for lines in texts]

    def scores(self) -> list[list[float]]:
        """BLEU of every hypothesis, orders 1 to ``scoring_order``."""
        raise NotImplementedError

    def means(self) -> list[float]:
        """Mean BLEU of orders 1 to ``scoring_order``, 0 to 1.

        Raises:
            UsageError: there are too few hypotheses.
        """
        try:
            scores = self.scores()
        except ValueError as error:
            raise UsageError(str(error)) from None
        return mean_scores(scores)

    def score(self) -> float:
        """Mean of the highest order, 0 to 1."""
        return self.means()[-1]

    def result_string(self) -> str:
        """Means of all orders."""
        means = enumerate(self.means(), start=1)
        return ", ".join(f"{self.name}-{order} = {mean:.4f}" for order, mean in means)


@register_scorer("sample_bleu", dataclass=MeanBleuConfig)
class SampleBleuScorer(MeanBleuScorer):
    """BLEU against all targets together; see ``ngram_bleu``."""

    name = "BLEU"

    def scores(self) -> list[list[float]]:
        made, targets = self.tokens(self.pred, self.ref)
        return bleu_scores(made, targets, self.cfg.scoring_order)


@register_scorer("self_bleu", dataclass=MeanBleuConfig)
class SelfBleuScorer(MeanBleuScorer):
    """BLEU of every hypothesis against all the others; see ``ngram_bleu``."""

    name = "Self-BLEU"

    def scores(self) -> list[list[float]]:
        return self_bleu_scores(*self.tokens(self.pred), self.cfg.scoring_order)


@register_scorer("bleu_chrf", dataclass=TokenizeConfig)
class BleuChrfScorer(BaseScorer):
    """Corpus BLEU and chrF by sacrebleu; see ``translation``."""

    language: str | None = None

    def measure(self) -> dict:
        """As ``translation.measure``."""
        tokenize = choose(self.cfg.tokenize, self.ref, self.language)
        return translation.measure(self.pred, self.ref, tokenize)

    def score(self) -> float:
        """Corpus BLEU, 0 to 100."""
        return self.measure()["bleu"]

    def result_string(self) -> str:
        """Both scores, each with sacrebleu's signature."""
        figures = self.measure()
        return ", ".join(
            f"{name} = {figures[key]:.2f} ({figures[f'{key}_signature']})"
            for key, name in (("bleu", "BLEU"), ("chrf", "chrF"))
        )
