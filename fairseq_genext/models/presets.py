"""How a named architecture (`--arch`) fills in flags."""


def preset(args, **values) -> None:
    """Sets each value on ``args`` that the command line has not set."""
    for name, value in values.items():
        setattr(args, name, getattr(args, name, value))
