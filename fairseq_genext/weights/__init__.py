"""Commands that make a checkpoint from others, or from weights and for programs of elsewhere."""
