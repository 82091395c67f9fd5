"""Replaces a function of fairseq by one that is given the original."""

import functools
import sys
import types
from collections.abc import Callable

from fairseq import utils


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


_waiting: list[tuple[str, str, Callable]] = []


def patch_command(command: str, name: str) -> Callable[[Callable], Callable]:
    """As ``patch``, for a function of a command, if that is the one that is running.

    A program that has imported the plugin before the command is patched when the command begins.

    Args:
        command: a module of ``fairseq_cli``: ``"train"``, ``"generate"``, …
        name: a function of it.
    """

    def replace(replacement: Callable) -> Callable:
        module = command_module(command)
        if module is None:
            _waiting.append((command, name, replacement))
        else:
            patch(module, name)(replacement)
        return replacement

    return replace


@patch(utils, "import_user_module")
def patch_what_has_waited(import_user_module, *args, **kwargs) -> None:
    """Every command begins with this, after it was imported."""
    import_user_module(*args, **kwargs)
    waiting = _waiting.copy()
    _waiting.clear()
    for command, name, replacement in waiting:
        patch_command(command, name)(replacement)
