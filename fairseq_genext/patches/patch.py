"""Replaces a function of fairseq by one that is given the original."""

import functools
import sys
import types
from collections.abc import Callable


def patch(owner: object, name: str) -> Callable[[Callable], Callable]:
    """Decorator: the function stands in for ``owner.name``, and gets that as its first argument.

    Args:
        owner: a module or class of fairseq. It must be the one where the name is looked up when it
            is called: a name that another module has imported for itself stays the original there.
        name: of a function or method.
    """

    def replace(replacement: Callable) -> Callable:
        original = getattr(owner, name)

        @functools.wraps(original)
        def patched(*args, **kwargs):
            return replacement(original, *args, **kwargs)

        setattr(owner, name, patched)
        return replacement

    return replace


def command_module(command: str) -> types.ModuleType | None:
    """The module of ``fairseq_cli`` that is running, found too where it runs by ``python -m``."""
    full_name = f"fairseq_cli.{command}"
    main = sys.modules["__main__"]
    spec = getattr(main, "__spec__", None)
    return main if spec is not None and spec.name == full_name else sys.modules.get(full_name)


def patch_command(command: str, name: str) -> Callable[[Callable], Callable]:
    """As ``patch``, for a function of the command that is running; does nothing in all others.

    Args:
        command: a module of ``fairseq_cli``: ``"train"``, ``"generate"``, …
        name: a function of it.
    """
    module = command_module(command)
    return patch(module, name) if module is not None else lambda replacement: replacement
