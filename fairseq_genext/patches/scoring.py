"""BLEU of languages without blanks: fairseq's own way scores a Chinese text against itself 0."""

import sacrebleu
from fairseq import scoring
from fairseq.scoring.bleu import SacrebleuScorer
from fairseq.tasks.translation import TranslationTask

from fairseq_genext.evaluation.tokenizers import choose, warn_if_uncut
from fairseq_genext.patches.patch import patch


@patch(TranslationTask, "__init__")
def keep_language(init, self, cfg, src_dict, tgt_dict, *args, **kwargs) -> None:
    """The dictionary is all that scorers are built from."""
    init(self, cfg, src_dict, tgt_dict, *args, **kwargs)
    tgt_dict.language = getattr(cfg, "target_lang", None)


@patch(scoring, "build_scorer")
def tell_language(build, choice, tgt_dict):
    """The scorers of the plugin choose a tokenizer by it."""
    scorer = build(choice, tgt_dict)
    if scorer is not None:  # no --scoring
        scorer.language = getattr(tgt_dict, "language", None)
    return scorer


@patch(SacrebleuScorer, "result_string")
def warn_of_uncut_text(result_string, self, *args) -> str:
    """``--scoring sacrebleu`` takes 13a for every language."""
    if not self.cfg.sacrebleu_char_level:
        warn_if_uncut(str(self.cfg.sacrebleu_tokenizer), self.ref, "--sacrebleu-tokenizer")
    return result_string(self, *args)


@patch(TranslationTask, "_inference_with_bleu")
def cut_by_language(inference, self, *args):
    """``--eval-bleu`` takes 13a too; the first batch tells once what that leaves uncut."""
    corpus_bleu = sacrebleu.corpus_bleu

    def cut(hypotheses, references, tokenize=None):
        if tokenize is None:
            if not hasattr(self, "bleu_tokenizer"):
                self.bleu_tokenizer = choose(None, references[0], self.cfg.target_lang)
            tokenize = self.bleu_tokenizer
        return corpus_bleu(hypotheses, references, tokenize=tokenize)

    sacrebleu.corpus_bleu = cut
    try:
        return inference(self, *args)
    finally:
        sacrebleu.corpus_bleu = corpus_bleu
