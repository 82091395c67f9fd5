"""fairseq's generator without what sampling one text an input has no need of.

fairseq's loop is made for beam search: at each step it looks for candidates that end, moves
hypotheses between beams and reads a prompt word by word. Here a prompt is read at once, and
sequences are moved only when one of them ends. Under one seed the samples are fairseq's.
"""

import torch
from fairseq import search
from fairseq.sequence_generator import SequenceGenerator
from torch import Tensor

from fairseq_genext.modules.prompts import END
from fairseq_genext.modules.word_decoder import WordDecoder


def penalised(logits: Tensor, written: Tensor, penalty: float) -> Tensor:
    """Makes words that are there already less likely.

    Keskar et al. 2019, https://arxiv.org/abs/1909.05858, section 4.1, where logits are positive;
    a negative one is multiplied.

    Args:
        logits: ``(batch, vocabulary)``.
        written: ``(batch, words)``.
        penalty: what logits are divided by.
    """
    seen = logits.gather(1, written)
    return logits.scatter(1, written, torch.where(seen > 0, seen / penalty, seen * penalty))


class SamplingGenerator(SequenceGenerator):
    """As ``SequenceGenerator``, faster where one of our language models is sampled alone.

    Attributes:
        repetition_penalty: of ``penalised``, for words of the text and of its prompt; 1 for none.
    """

    repetition_penalty = 1.0

    def samples_alone(self) -> bool:
        """Whether there is one model, one of ours, and one sample an input, drawn freely."""
        model = self.model.single_model
        return (
            self.beam_size == 1
            and self.model.models_size == 1
            and isinstance(self.search, search.Sampling)
            and isinstance(getattr(model, "decoder", None), WordDecoder)
            and not self.model.has_encoder()
            and self.lm_model is None
            and self.repeat_ngram_blocker is None
            and self.token_indices_to_suppress is None
            and not self.match_source_len
        )

    def _generate(self, sample: dict, prefix_tokens=None, constraints=None, bos_token=None):
        if constraints is not None or not self.samples_alone():
            return super()._generate(sample, prefix_tokens, constraints, bos_token)
        inputs = sample["net_input"]["src_tokens"]
        batch, width = inputs.shape
        longest = min(int(self.max_len_a * width + self.max_len_b), self.max_len - 1)
        assert self.min_len <= longest, "min_len cannot be larger than max_len"
        start = self.eos if bos_token is None else bos_token
        tokens = inputs.new_full((batch, longest + 2), self.pad)
        tokens[:, 0] = start
        scores = torch.zeros(batch, longest + 1, device=inputs.device)
        if prefix_tokens is None:
            prefix_tokens = inputs.new_empty(batch, 0)
        state: dict = {}
        read = self.read_prompts(tokens, scores, prefix_tokens[:, :longest], state)
        found: list = [None] * batch
        rows = list(range(batch))  # whose text each sequence is
        for step in range(read, longest + 1):
            lprobs = self.next_word(tokens[:, : step + 1], state)
            if step >= longest:
                lprobs[:, : self.eos] = lprobs[:, self.eos + 1 :] = -torch.inf
            elif step < prefix_tokens.size(1):
                lprobs, tokens, scores = self._prefix_tokens(
                    step, lprobs, scores, tokens, prefix_tokens, beam_size=1
                )
            elif step < self.min_len:
                lprobs[:, self.eos] = -torch.inf
            # The first step of a search is one without a past, whose scores are those of the words.
            score, chosen, _ = self.search.step(0, lprobs.unsqueeze(1), None)
            tokens[:, step + 1], scores[:, step] = chosen.squeeze(1), score.squeeze(1)
            ended = chosen.squeeze(1).eq(self.eos)
            if not ended.any():
                continue
            for row in ended.nonzero().flatten().tolist():
                found[rows[row]] = [self.hypothesis(tokens[row, 1:], scores[row], step + 1)]
            going = (~ended).nonzero().flatten()
            if len(going) == 0:
                break
            tokens, scores, prefix_tokens = tokens[going], scores[going], prefix_tokens[going]
            rows = [rows[row] for row in going.tolist()]
            self.model.single_model.decoder.reorder_incremental_state_scripting(state, going)
        return found

    def next_word(self, tokens: Tensor, state: dict) -> Tensor:
        """Log-probabilities ``(batch, vocabulary)`` of the word behind ``(batch, time)`` tokens."""
        logits, _ = self.model.single_model.decoder(tokens, incremental_state=state)
        logits = logits[:, -1]
        if self.repetition_penalty != 1:
            logits = penalised(logits, tokens[:, 1:], self.repetition_penalty)
        return self.log_probabilities(logits)

    def log_probabilities(self, logits: Tensor) -> Tensor:
        """Of ``(batch, vocabulary)`` logits, with what the flags ask for."""
        scaled = (logits / self.temperature if self.temperature != 1 else logits, None)
        lprobs = self.model.single_model.get_normalized_probs(scaled, log_probs=True, sample=None)
        lprobs[:, self.pad] = -torch.inf
        lprobs[:, self.unk] -= self.unk_penalty
        return lprobs

    def read_prompts(self, tokens: Tensor, scores: Tensor, prompts: Tensor, state: dict) -> int:
        """Reads at once what all prompts have, and scores it.

        Args:
            tokens: ``(batch, longest + 2)``, into which the words are written.
            scores: ``(batch, longest + 1)``, likewise their log-probabilities.
            prompts: ``(batch, longest prompt)``, padded on the right, and perhaps with ``END``.
            state: the decoder's, into which they are read.

        Returns:
            The number of words that were read.
        """
        words = prompts.ne(self.pad) & prompts.ne(END)
        number = int(words.sum(dim=1).min()) if prompts.numel() else 0
        if number == 0:
            return 0
        tokens[:, 1 : number + 1] = prompts[:, :number]
        decoder = self.model.single_model.decoder
        features, _ = decoder(tokens[:, :number], incremental_state=state, features_only=True)
        for position in range(number):
            lprobs = self.log_probabilities(decoder.output_layer(features[:, position]))
            word = prompts[:, position, None]
            forced = torch.full_like(lprobs, -torch.inf).scatter(1, word, lprobs.gather(1, word))
            # A draw of one word: fairseq makes it, and what follows is drawn after it.
            score, *_ = self.search.step(0, forced.unsqueeze(1), None)
            scores[:, position] = score.squeeze(1)
        return number

    def hypothesis(self, tokens: Tensor, scores: Tensor, length: int) -> dict[str, Tensor]:
        """What fairseq's commands read of a text of ``length`` tokens, its end included."""
        scores = scores[:length]
        divisor = length**self.len_penalty if self.normalize_scores else 1
        return {
            "tokens": tokens[:length],
            "score": scores.sum() / divisor,
            "attention": torch.empty(0),
            "alignment": torch.empty(0),
            "positional_scores": scores,
        }
