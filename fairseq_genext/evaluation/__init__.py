"""Measures generated text and reports it; reads plain files and knows nothing of training.

The files of this folder are commands and what they read; figures come from ``metrics``, pages from
``reporting``.
"""
