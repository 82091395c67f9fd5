"""The oracle of the synthetic benchmark: a random LSTM that writes text and scores it.

SeqGAN (Yu et al. 2017, section 5): every weight is drawn from N(0, 1), and the mean negative
log-likelihood of generated sequences under the oracle, NLL_oracle, is their quality. It says
nothing of diversity: a generator that writes one likely sequence has a low one.

    python -m fairseq_genext.data.oracle FOLDER [--weights FILE.npz] [--length 20] …

writes the oracle (``oracle.npz``), its sequences (``train.txt``, ``valid.txt``, ``test.txt``: words
are the numbers of the oracle's vocabulary) and a dictionary (``dict.txt``) for fairseq-preprocess.
"""

import argparse
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from fairseq_genext.data.npz import read_arrays
from fairseq_genext.errors import UsageError, require_least, require_positive
from fairseq_genext.files import write_lines
from fairseq_genext.modules.samplers import inverse_cdf
from fairseq_genext.modules.words_only import made_up_words

# The arrays of SeqGAN's file, in its order: embeddings; input weights, recurrent weights and bias
# of the input, forget and output gates and of the cell; output weights and bias.
ARRAYS = 15
START = 0  # also an ordinary word


class OracleLSTM(nn.Module):
    """p(x_t | x_<t) over a vocabulary without special symbols; sequences have no end.

    i, f, o = sigmoid(x W + h U + b), g = tanh(x W_c + h U_c + b_c), c = f c + i g, h = o tanh(c),
    from zero states and the start word 0, which is also an ordinary word.

    Args:
        vocabulary: number of words.
        dim: width of embeddings and states.
    """

    def __init__(self, vocabulary: int, dim: int) -> None:
        super().__init__()
        self.embed_tokens = nn.Embedding(vocabulary, dim)
        self.rnn = nn.LSTM(dim, dim, batch_first=True)
        self.output_projection = nn.Linear(dim, vocabulary)
        self.requires_grad_(False)
        self.register_buffer("word_of", None, persistent=False)

    @classmethod
    def random(cls, vocabulary: int, dim: int, seed: int) -> "OracleLSTM":
        """Every weight from N(0, 1)."""
        draw = np.random.default_rng(seed)
        shapes = [(vocabulary, dim), *[(dim, dim), (dim, dim), (dim,)] * 4, (dim, vocabulary)]
        return cls.of_arrays([draw.standard_normal(shape) for shape in [*shapes, (vocabulary,)]])

    @classmethod
    def of_arrays(cls, arrays: list[np.ndarray]) -> "OracleLSTM":
        """The oracle of SeqGAN's 15 arrays.

        Raises:
            ValueError: their number or shapes are others, or a weight is no finite number.
        """
        if len(arrays) != ARRAYS or arrays[0].ndim != 2 or arrays[0].size == 0:
            raise ValueError(f"an oracle has {ARRAYS} arrays, the embeddings first")
        if any(array.dtype.kind not in "iuf" for array in arrays):
            raise ValueError("its arrays must be of real numbers")
        vocabulary, dim = arrays[0].shape
        expected = [(vocabulary, dim), *[(dim, dim), (dim, dim), (dim,)] * 4]
        expected += [(dim, vocabulary), (vocabulary,)]
        if [array.shape for array in arrays] != expected:
            raise ValueError(f"the oracle's arrays must have shapes {expected}")
        with np.errstate(over="ignore"):  # what float32 cannot hold is found below
            tensors = [torch.tensor(array.astype(np.float32)) for array in arrays]
        if not all(tensor.isfinite().all() for tensor in tensors):
            raise ValueError("a weight is no finite number")
        oracle = cls(vocabulary, dim)
        oracle.embed_tokens.weight.copy_(tensors[0])
        # torch's order is input, forget, cell, output, and it has a second bias.
        gates = [tensors[start : start + 3] for start in (1, 4, 10, 7)]
        oracle.rnn.weight_ih_l0.copy_(torch.cat([gate[0].T for gate in gates]))
        oracle.rnn.weight_hh_l0.copy_(torch.cat([gate[1].T for gate in gates]))
        oracle.rnn.bias_ih_l0.copy_(torch.cat([gate[2] for gate in gates]))
        oracle.rnn.bias_hh_l0.zero_()
        oracle.output_projection.weight.copy_(tensors[13].T)
        oracle.output_projection.bias.copy_(tensors[14])
        return oracle

    def arrays(self) -> list[np.ndarray]:
        """SeqGAN's 15 arrays."""
        gates = [
            part.numpy()
            for source in (self.rnn.weight_ih_l0, self.rnn.weight_hh_l0, self.rnn.bias_ih_l0)
            for part in source.chunk(4)
        ]
        arrays = [self.embed_tokens.weight.numpy()]
        for gate in (0, 1, 3, 2):
            arrays += [gates[gate].T, gates[4 + gate].T, gates[8 + gate]]
        return [
            *arrays,
            self.output_projection.weight.numpy().T,
            self.output_projection.bias.numpy(),
        ]

    @classmethod
    def load(cls, path: str | Path, dictionary=None) -> "OracleLSTM":
        """Reads a file of 15 arrays, in the order in which they stand there.

        Args:
            path: an npz file.
            dictionary: a fairseq dictionary whose words are the oracle's numbers; ``nll`` then
                reads the dictionary's ids.

        Raises:
            UsageError: the file is missing or holds no oracle, or a word is no number of it.
        """
        try:
            oracle = cls.of_arrays(list(read_arrays(path).values()))
        except ValueError as error:
            raise UsageError(f"{path} is no oracle's weights: {error}") from None
        if dictionary is not None:
            oracle.read_ids_of(dictionary)
        return oracle

    def read_ids_of(self, dictionary) -> None:
        """Takes the ids of a fairseq dictionary from now on."""
        vocabulary = self.embed_tokens.num_embeddings
        numbers, no_words = [], {*range(dictionary.nspecial), *made_up_words(dictionary)}
        for index in range(len(dictionary)):
            word = dictionary[index]
            if index in no_words:
                numbers.append(0)
            elif word.isdigit() and int(word) < vocabulary:
                numbers.append(int(word))
            else:
                raise UsageError(
                    f"the dictionary's {word!r} is no word of the oracle, which are the numbers "
                    f"below {vocabulary}"
                )
        self.word_of = torch.tensor(numbers, device=self.embed_tokens.weight.device)

    def nll(self, tokens: Tensor) -> Tensor:
        """Mean -log p of a token, in nats, of each sequence.

        Args:
            tokens: ``(batch, time)``, numbers of the oracle's words, or the ids of the dictionary
                that it was loaded with.

        Returns:
            ``(batch,)``.
        """
        tokens = tokens.to(self.embed_tokens.weight.device)
        if self.word_of is not None:
            tokens = self.word_of[tokens]
        previous = torch.cat([torch.full_like(tokens[:, :1], START), tokens[:, :-1]], dim=1)
        states, _ = self.rnn(self.embed_tokens(previous))
        log_probs = self.output_projection(states).log_softmax(dim=-1)
        return -log_probs.gather(2, tokens.unsqueeze(2)).squeeze(2).mean(dim=1)

    def sample(self, number: int, length: int) -> Tensor:
        """Word numbers ``(number, length)``, from torch's random numbers."""
        word = torch.full((number, 1), START)
        words, state = [], None
        for _ in range(length):
            outputs, state = self.rnn(self.embed_tokens(word), state)
            logits = self.output_projection(outputs[:, -1])
            word = inverse_cdf(logits, torch.rand(number, 1))
            words.append(word)
        return torch.cat(words, dim=1)


def write_benchmark(folder: Path, oracle: OracleLSTM, length: int, sizes: dict, seed: int) -> None:
    """Writes the oracle's weights, its sequences and their dictionary into ``folder``.

    Args:
        folder: made if it does not exist.
        oracle: who writes.
        length: words of a sequence.
        sizes: name of a split to its number of sequences.
        seed: seed of the sequences.
    """
    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(seed)
    for split, number in sizes.items():
        rows = oracle.sample(number, length).tolist()
        write_lines(folder / f"{split}.txt", (" ".join(map(str, row)) for row in rows))
    words = range(oracle.embed_tokens.num_embeddings)
    write_lines(folder / "dict.txt", (f"{word} 1" for word in words))
    part = folder / "oracle.part.npz"
    np.savez(part, *oracle.arrays())
    part.replace(folder / "oracle.npz")


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m fairseq_genext.data.oracle", description=__doc__.splitlines()[0]
    )
    parser.add_argument("folder", type=Path, help="folder to write")
    parser.add_argument("--weights", help="an npz file of 15 arrays in SeqGAN's order")
    parser.add_argument("--vocabulary", type=int, default=5000)
    parser.add_argument("--dim", type=int, default=32)
    parser.add_argument("--length", type=int, default=20)
    parser.add_argument("--train", type=int, default=10000, help="sequences of the training set")
    parser.add_argument("--held-out", type=int, default=2000, help="of validation and of test set")
    parser.add_argument("--seed", type=int, default=1, help="of weights and sequences")
    args = parser.parse_args()
    require_positive(args, "vocabulary", "dim", "length", "train", "held_out")
    require_least(args, 0, "seed")
    if args.weights:
        oracle = OracleLSTM.load(args.weights)
    else:
        oracle = OracleLSTM.random(args.vocabulary, args.dim, args.seed)
    sizes = {"train": args.train, "valid": args.held_out, "test": args.held_out}
    write_benchmark(args.folder, oracle, args.length, sizes, args.seed)
    print(f"NLL of 2,000 own sequences: {oracle.nll(oracle.sample(2000, args.length)).mean():.3f}")


if __name__ == "__main__":
    main()
