"""A generator that writes near its mode: the softmax of its logits has a temperature."""

from torch import Tensor


class TemperedDecoder:
    """Mixin for decoders, before the decoder in the list of bases: p(y_t | y_<t) = softmax(l / T).

    With T < 1 samples have fewer errors and less diversity, and the discriminator, which reads
    nothing else, learns the latter (ColdGANs, Scialom et al. 2020,
    https://arxiv.org/abs/2006.04643, section 4.1). Likelihood, samples and gradients are those of
    that distribution everywhere; ``--temperature`` of the generation commands comes on top.

    Args:
        temperature: T.
    """

    def __init__(self, *args, temperature: float = 1.0, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        self.temperature = temperature

    def output_layer(self, features: Tensor, **kwargs) -> Tensor:
        """As the decoder's, ``(…, vocabulary)``, divided by T."""
        logits = super().output_layer(features, **kwargs)
        return logits if self.temperature == 1 else logits / self.temperature
