"""Replaces a function of fairseq by one that is given the original."""

import functools
import sys
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


def patch_command(command: str, name: str) -> Callable[[Callable], Callable]:
    """As ``patch``, for a function of the command that is running; does nothing in all others.

    Args:
        command: a module of ``fairseq_cli``: ``"train"``, ``"generate"``, …
        name: a function of it. It is found too where the module runs by ``python -m``.
    """
    full_name = f"fairseq_cli.{command}"
    main = sys.modules["__main__"]
    spec = getattr(main, "__spec__", None)
    if spec is not None and spec.name == full_name:
        return patch(main, name)
    if full_name in sys.modules:
        return patch(sys.modules[full_name], name)
    return lambda replacement: replacement
