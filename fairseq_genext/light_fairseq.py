"""Imports fairseq without what nobody uses of it at start, in half the processor time.

``sklearn``, ``scipy.stats`` and with them pandas are half of ``import fairseq``: two of its files,
of speech and of sentence classification, take functions from them that they call at validation.
It can be done only where the plugin is imported before fairseq, as by ``import fairseq_genext`` and
the commands of ``commands.py``; ``--user-dir`` comes too late.
"""

import importlib
import sys
import types

DEFERRED = ("sklearn", "sklearn.metrics", "scipy.stats")


class Deferred(types.ModuleType):
    """A module whose functions import it when they are called."""

    __path__: tuple = ()

    def __getattr__(self, name: str):
        if name.startswith("__"):
            raise AttributeError(name)

        def call(*args, **kwargs):
            return getattr(importlib.import_module(self.__name__), name)(*args, **kwargs)

        return call


def import_fairseq() -> None:
    """``import fairseq``, unless that was done; what is deferred is as if it had not been."""
    if "fairseq" in sys.modules:
        return
    deferred = {name: Deferred(name) for name in DEFERRED if name not in sys.modules}
    sys.modules.update(deferred)
    try:
        importlib.import_module("fairseq")
    finally:
        for name in deferred:
            del sys.modules[name]
