"""When the embeddings of both sides of a seq2seq model can be one table."""

from fairseq_genext.errors import UsageError


def require_joined_dictionary(cfg, task) -> None:
    """Raises UsageError unless source and target can share their embeddings."""
    if task.source_dictionary != task.target_dictionary:
        raise UsageError(
            "--share-all-embeddings needs a joined dictionary: run fairseq-preprocess with "
            "--joined-dictionary"
        )
    if cfg.encoder_embed_dim != cfg.decoder_embed_dim:
        raise UsageError(
            f"--share-all-embeddings needs --encoder-embed-dim {cfg.encoder_embed_dim} equal "
            f"to --decoder-embed-dim {cfg.decoder_embed_dim}"
        )
