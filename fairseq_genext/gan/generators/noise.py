"""How z ~ N(0, I) enters a generator: through its first state, its first input, or every input.

state:  s_0 = s + tanh(W z + b), where s is the state that the recurrence starts from anyway
prefix: embed(y_0) + W z, y_0 being the start of the sentence
step:   embed(y_t) + W z for every t
none:   no noise; what differs between two texts is the sampling of their words
"""

import torch
from fairseq.incremental_decoding_utils import with_incremental_state
from torch import Tensor, nn

from fairseq_genext.modules.rnn import State

NOISE_INPUTS = ("state", "prefix", "step", "none")


class NoisyDecoder:
    """Mixin for decoders: p(y_t | y_<t, z); it stands before the decoder in the list of bases.

    The noise is drawn when decoding starts, one vector a sequence, so fairseq's generation commands
    sample from it as from any language model.

    Args:
        dictionary: target dictionary.
        noise_input: one of ``noise_inputs``.
        noise_dim: width of z.
        decoder: arguments of the decoder.

    Attributes:
        noise_inputs: those of ``NOISE_INPUTS`` that the decoder admits; ``state`` needs a decoder
            with a recurrence ``rnn``.

    Raises:
        ValueError: the decoder does not admit ``noise_input``.
    """

    noise_inputs = NOISE_INPUTS

    def __init__(self, dictionary, noise_input: str = "state", noise_dim: int = 0, **decoder):
        if noise_input not in self.noise_inputs:
            raise ValueError(f"noise {noise_input!r} is not one of {', '.join(self.noise_inputs)}")
        super().__init__(dictionary, **decoder)
        self.noise = None
        if noise_input == "state":
            self.noise = StateNoise(noise_dim, self.rnn.state_shape)
        elif noise_input != "none":
            self.noise = EmbeddingNoise(noise_dim, self.embed_tokens, noise_input == "step")

    def forward(
        self,
        prev_output_tokens: Tensor,
        encoder_out=None,
        incremental_state: dict | None = None,
        token_embeddings: Tensor | None = None,
        noise: Tensor | None = None,
        **kwargs,
    ) -> tuple[Tensor, None]:
        """As the decoder's, with noise.

        Args:
            noise: z, ``(batch, noise_dim)``; drawn from N(0, I) if None. Read at the first step
                only, and remembered.
        """
        if self.noise is not None:
            first = not self.noise.has_started(incremental_state)
            if first and noise is None:
                noise = self.draw_noise(prev_output_tokens.size(0))
            noise = self.noise.remember(noise, incremental_state)
            if isinstance(self.noise, StateNoise):
                if first:
                    encoder_out = {"state": self.noise(noise, self.rnn.initial_state(noise))}
            elif first or self.noise.every_step:
                if token_embeddings is None:
                    unread = self.unread_tokens(prev_output_tokens, incremental_state)
                    token_embeddings = self.embed_tokens(unread)
                token_embeddings = self.noise(noise, token_embeddings)
        return super().forward(
            prev_output_tokens,
            encoder_out,
            incremental_state=incremental_state,
            token_embeddings=token_embeddings,
            **kwargs,
        )

    def draw_noise(self, batch_size: int) -> Tensor | None:
        """z ~ N(0, I), ``(batch_size, noise_dim)``, from torch's global random numbers.

        None where the generator takes no noise.
        """
        return None if self.noise is None else self.noise.draw(batch_size)


@with_incremental_state
class NoiseInput(nn.Module):
    """A linear way in for z, which is remembered from the first step of a text on.

    Args:
        noise_dim: width of z.
        width: width of what z is added to.
        bias: whether the way in has a bias.
    """

    def __init__(self, noise_dim: int, width: int, bias: bool) -> None:
        super().__init__()
        self.projection = nn.Linear(noise_dim, width, bias=bias)

    def draw(self, batch_size: int) -> Tensor:
        """z, ``(batch_size, noise_dim)``."""
        weight = self.projection.weight
        return torch.randn(batch_size, weight.size(1), dtype=weight.dtype, device=weight.device)

    def has_started(self, incremental_state: dict | None) -> bool:
        """Whether a text has begun, so that its z is known."""
        return self.get_incremental_state(incremental_state, "noise") is not None

    def remember(self, noise: Tensor | None, incremental_state: dict | None) -> Tensor:
        """The z that the text began with; it began with ``noise`` if this is the first step."""
        cached = self.get_incremental_state(incremental_state, "noise")
        if cached is not None:
            return cached["z"]
        self.set_incremental_state(incremental_state, "noise", {"z": noise})
        return noise

    def reorder_incremental_state(self, incremental_state: dict, new_order: Tensor) -> None:
        """Moves z to the beams of ``new_order``, ``(new batch,)``."""
        cached = self.get_incremental_state(incremental_state, "noise")
        if cached is not None:
            reordered = {"z": cached["z"].index_select(0, new_order)}
            self.set_incremental_state(incremental_state, "noise", reordered)


class StateNoise(NoiseInput):
    """z in the first recurrent state, whose shape is ``state_shape`` (see ``Recurrence``)."""

    def __init__(self, noise_dim: int, state_shape: tuple[int, int, int]) -> None:
        super().__init__(noise_dim, torch.Size(state_shape).numel(), bias=True)
        self.state_shape = state_shape

    def forward(self, noise: Tensor, state: State) -> State:
        """Moves ``state``, tensors of ``(rows, batch, width)``, by z, ``(batch, noise_dim)``."""
        offset = torch.tanh(self.projection(noise)).view(-1, *self.state_shape)
        offsets = offset.permute(1, 2, 0, 3)
        return tuple((start + off).contiguous() for start, off in zip(state, offsets, strict=True))


class EmbeddingNoise(NoiseInput):
    """z in the embedding of the first token, or of every token.

    Its share starts as large as the embeddings themselves.
    """

    def __init__(self, noise_dim: int, embed_tokens: nn.Embedding, every_step: bool) -> None:
        super().__init__(noise_dim, embed_tokens.embedding_dim, bias=False)
        self.every_step = every_step
        std = embed_tokens.weight.std().item() / noise_dim**0.5
        nn.init.normal_(self.projection.weight, std=std)

    def forward(self, noise: Tensor, embeddings: Tensor) -> Tensor:
        """Adds z, ``(batch, noise_dim)``, to ``(batch, time, width)`` embeddings."""
        offset = self.projection(noise).unsqueeze(1)
        if self.every_step:
            return embeddings + offset
        return torch.cat([embeddings[:, :1] + offset, embeddings[:, 1:]], dim=1)
