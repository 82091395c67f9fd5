"""``--store-ema`` of a model that has whole numbers among its tensors."""

from fairseq.models.ema import EMA

from fairseq_genext.patches.patch import patch


@patch(EMA, "__init__")
def copy_whole_numbers(init, self, model, config, device=None, skip_keys=()) -> None:
    """fairseq averages counts and indices too, such as a GAN's turns, and ends in a traceback."""
    whole = {name for name, held in model.state_dict().items() if not held.is_floating_point()}
    init(self, model, config, device, whole.union(skip_keys or ()))
