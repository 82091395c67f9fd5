"""Corpora a newcomer gets without a download, and data sets that fairseq has not."""
