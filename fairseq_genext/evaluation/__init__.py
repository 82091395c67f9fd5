"""Samples checkpoints, measures what they write, and reports it; knows nothing of training.

The files of this folder are commands and what they share:

- ``sample``, ``translate``, ``image_samples``, ``unigram``, ``hypotheses`` write texts or images
- ``measure``, ``oracle``, ``translation``, ``image_quality`` write figures; these come from
  ``metrics/``, a file a metric
- ``__main__`` (genext-evaluate) and ``sweep`` (genext-sweep) do both for any files and checkpoints
- ``report`` makes a page of what ``results`` reads in an experiment's folder, by ``sections/``
- ``command``, ``tables`` and ``plots`` give all of them one form
- ``checkpoints`` and ``generation`` load models and run fairseq-generate in this process

docs/evaluation.md says what each figure means.
"""
