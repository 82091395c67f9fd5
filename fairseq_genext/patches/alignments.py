"""``--print-alignment`` of a model without attention ends in one line."""

from fairseq.sequence_generator import SequenceGeneratorWithAlignment
from fairseq.sequence_scorer import SequenceScorer

from fairseq_genext.errors import UsageError
from fairseq_genext.patches.patch import patch


def require_attention(attention) -> None:
    """Raises UsageError if a hypothesis has none."""
    if attention is None or attention.numel() == 0:
        raise UsageError("--print-alignment: the model has no attention; leave the flag out")


@patch(SequenceGeneratorWithAlignment, "_prepare_batch_for_alignment")
def require_attention_of_hypotheses(prepare, self, sample: dict, hypotheses):
    """What alignments are read from.

    Raises:
        UsageError: the model has no attention.
    """
    require_attention(hypotheses[0][0]["attention"])
    return prepare(self, sample, hypotheses)


@patch(SequenceScorer, "generate")
def require_attention_of_references(generate, self, models, sample: dict, **kwargs):
    """Scores of the references.

    Raises:
        UsageError: alignments are wanted and the model has no attention.
    """
    found = generate(self, models, sample, **kwargs)
    if self.compute_alignment:
        require_attention(found[0][0]["attention"])
    return found
