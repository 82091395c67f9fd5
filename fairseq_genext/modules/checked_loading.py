"""Says in one line that a checkpoint was trained with another dictionary."""

from torch import nn

from fairseq_genext.errors import UsageError


class CheckedLoading:
    """Mixin for fairseq models; it stands before the model class in the list of bases."""

    def load_state_dict(self, state_dict, strict=True, model_cfg=None, args=None):
        """Loads ``state_dict`` as ``BaseFairseqModel`` does.

        Raises:
            UsageError: an embedding table has another number of rows in the checkpoint.
        """
        for name, module in self.named_modules():
            weight = state_dict.get(f"{name}.weight")
            # An embedding of a size that the model's own flags fix is not the dictionary's.
            if not isinstance(module, nn.Embedding) or weight is None or module.padding_idx is None:
                continue
            if weight.size(0) != module.num_embeddings:
                raise UsageError(
                    f"the checkpoint was trained with a dictionary of {weight.size(0)} entries, "
                    f"the one in the data folder has {module.num_embeddings}: use the data folder "
                    "(dict.txt) that the checkpoint was trained on"
                )
        return super().load_state_dict(state_dict, strict, model_cfg, args)
