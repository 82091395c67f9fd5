"""Reads a YAML file that may come from anywhere: it is read whole, or refused fast in one line."""

from collections import Counter
from pathlib import Path

import yaml

from fairseq_genext.errors import UsageError

LONGEST = 1_000_000  # bytes of a file
DEEPEST = 30  # levels of lists and mappings within each other
MOST = 100_000  # entries, aliases counted as often as they are used


class Loader(yaml.SafeLoader):
    """Refuses aliases that multiply, entries too deep, and a key that stands twice in a mapping.

    YAML itself keeps the last of two equal keys. Its loader shares what aliases name, but whoever
    walks through the entries, and its own merging by ``<<``, would meet each of them again.
    """

    def __init__(self, stream: str) -> None:
        super().__init__(stream)
        self.level = 0
        self.sizes: dict[int, int] = {}  # of nodes that are complete, aliases counted out

    def compose_node(self, parent, index):
        self.level += 1
        if self.level > DEEPEST:
            raise yaml.YAMLError(f"it is more than {DEEPEST} levels deep")
        alias = self.check_event(yaml.AliasEvent)
        node = super().compose_node(parent, index)
        self.level -= 1
        if alias and id(node) not in self.sizes:
            raise yaml.YAMLError(f"an alias in line {node.start_mark.line + 1} is part of itself")
        if not alias:
            parts = [] if isinstance(node, yaml.ScalarNode) else node.value
            if isinstance(node, yaml.MappingNode):
                parts = [part for pair in parts for part in pair]
            self.sizes[id(node)] = 1 + sum(self.sizes[id(part)] for part in parts)
        if self.sizes[id(node)] > MOST:
            raise yaml.YAMLError(f"it has more than {MOST:,} entries, aliases counted out")
        return node

    def construct_mapping(self, node, deep=False):
        own = Counter(
            key.value
            for key, _ in node.value
            if isinstance(key, yaml.ScalarNode) and key.tag != "tag:yaml.org,2002:merge"
        )
        for key, times in own.items():
            if times > 1:
                line = node.start_mark.line + 1
                raise yaml.YAMLError(f"{key!r} stands twice in the mapping from line {line}")
        return super().construct_mapping(node, deep)


def plain_number(loader: Loader, node: yaml.ScalarNode) -> int:
    """YAML 1.1 reads 010 as 8 and 1:30 as 90, which nobody means.

    Raises:
        YAMLError: a number is written so.
    """
    digits = node.value.lstrip("+-")
    if ":" in digits or (len(digits) > 1 and digits[0] == "0" and digits[1] not in "xb"):
        line = node.start_mark.line + 1
        raise yaml.YAMLError(f"{node.value} in line {line}: write a number without leading 0 or :")
    return loader.construct_yaml_int(node)


Loader.add_constructor("tag:yaml.org,2002:int", plain_number)
# A date is a text: JSON has none.
Loader.add_constructor("tag:yaml.org,2002:timestamp", Loader.construct_yaml_str)


def load(path: Path):
    """What a file holds.

    Raises:
        UsageError: it is missing or too large, is no YAML, or as ``Loader``.
    """
    try:
        with path.open("rb") as file:
            data = file.read(LONGEST + 1)
    except OSError:
        raise UsageError(f"{path} does not exist or cannot be read") from None
    if len(data) > LONGEST:
        raise UsageError(f"{path} has more than {LONGEST:,} bytes, which no experiment needs")
    try:
        return yaml.load(data.decode("utf-8-sig"), Loader)
    except Exception as error:  # constructors of YAML's types raise what int() and others do
        raise UsageError(f"{path} is no valid YAML: {' '.join(str(error).split())}") from None
