"""How a named architecture (`--arch`) fills in flags."""


def preset(args, **values) -> None:
    """Sets each value on ``args`` that the command line has not set."""
    for name, value in values.items():
        setattr(args, name, getattr(args, name, value))


def preset_options(args, **values) -> None:
    """Sets options of criterion and task that are still None (see ``gan.settings``).

    fairseq puts the defaults of those flags into ``args`` before it asks the architecture, so a
    default cannot be told from a value that the user gave; None can.
    """
    for name, value in values.items():
        if getattr(args, name, None) is None:
            setattr(args, name, value)
