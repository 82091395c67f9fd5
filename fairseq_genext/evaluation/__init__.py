"""Measures generated text and reports it; reads plain files and knows nothing of training.

The files of this folder are commands and what they read; figures come from ``metrics``. ``report``
makes a page of what ``results`` reads of an experiment, by the ``sections`` that it names.
"""
