"""The baseline that knows how often each token occurs and nothing else.

    python -m fairseq_genext.evaluation.unigram TRAIN HELD_OUT --samples OUT --number 1000

Reads pieces separated by blanks, writes plain text, and prints what the held-out text costs a token
as JSON: its perplexity, and the logarithm of that in nats and in bits. --json writes the same file
as evaluation.sample does for a checkpoint.
"""

import json
import math
from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np

from fairseq_genext.errors import require_positive
from fairseq_genext.evaluation import command
from fairseq_genext.files import read_tokens, write_lines

END, UNKNOWN = "</s>", "<unk>"


class UnigramModel:
    """p(token) = (count + 1) / (tokens + types), the end of a sentence being a token.

    Args:
        sentences: training text.
    """

    def __init__(self, sentences: Iterable[Sequence[str]]) -> None:
        counts = Counter({END: 0, UNKNOWN: 0})
        for sentence in sentences:
            counts.update(sentence)
            counts[END] += 1
        total = counts.total() + len(counts)
        self.probability = {token: (count + 1) / total for token, count in counts.items()}

    def perplexity(self, sentences: Iterable[Sequence[str]]) -> float:
        """exp of the mean negative log-likelihood per token, ends of sentences included.

        Lower is better, from 1 up. It depends on the pieces, so only models over the same pieces
        can be compared, and it does not see whether samples read well.
        """
        unknown = self.probability[UNKNOWN]
        logs = [
            math.log(self.probability.get(token, unknown))
            for sentence in sentences
            for token in (*sentence, END)
        ]
        return math.exp(-math.fsum(logs) / len(logs))

    def sample(self, number: int, seed: int, max_length: int = 200) -> list[list[str]]:
        """Draws sentences of at most ``max_length`` tokens, none empty, none with unknowns."""
        tokens = [token for token in self.probability if token != UNKNOWN]
        weights = np.array([self.probability[token] for token in tokens])
        draw = np.random.default_rng(seed)
        sentences = []
        while len(sentences) < number:
            drawn = draw.choice(tokens, max_length, p=weights / weights.sum()).tolist()
            sentence = drawn[: drawn.index(END)] if END in drawn else drawn
            if sentence:
                sentences.append(sentence)
        return sentences


def main() -> None:
    """The command line."""
    parser = command.parser("unigram", __doc__)
    parser.add_argument("train", help="training text in pieces")
    parser.add_argument("held_out", help="held-out text in pieces")
    parser.add_argument("--samples", required=True, help="file to write samples to, in plain text")
    parser.add_argument("--number", type=int, default=1000, help="number of samples")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", help="file to write the samples' name and the perplexity to")
    args = parser.parse_args()
    require_positive(args, "number")
    model = UnigramModel(read_tokens(args.train))
    perplexity = model.perplexity(read_tokens(args.held_out))
    # Pieces carry their blanks as a mark, so text comes back by joining them.
    texts = [
        "".join(pieces).replace("\u2581", " ").strip()
        for pieces in model.sample(args.number, args.seed)
    ]
    write_lines(args.samples, texts)
    nats, bits = math.log(perplexity), math.log2(perplexity)
    print(json.dumps({"perplexity": perplexity, "nats_per_token": nats, "bits_per_token": bits}))
    if args.json:
        point = {"temperature": 1.0, "top_p": 1.0, "samples": args.samples}
        command.write_json(args.json, points=[point | {"perplexity": perplexity}])


if __name__ == "__main__":
    main()
