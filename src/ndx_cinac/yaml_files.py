"""YAML files of plain values: no tags, no aliases, no key twice, and of a sensible size and depth."""

from __future__ import annotations

from collections.abc import Hashable
from os import PathLike
from pathlib import Path
from typing import Any, NoReturn

import yaml

from .errors import ConfigError

LARGEST_FILE = 200_000
"""Characters beyond which a file is refused unread: the parser takes about a second for so many."""

DEEPEST = 30
"""Lists and mappings within each other; no file of ours needs more than six."""

LARGEST_NUMBER = 2**63
"""Whole numbers of this size and beyond are refused."""


class _PlainLoader(yaml.SafeLoader):
    """Reads plain YAML and refuses what can make a small file large or a value strange."""

    def __init__(self, stream: str) -> None:
        super().__init__(stream)
        self._depth = 0

    def compose_node(self, parent: Any, index: Any) -> Any:
        """Make a node of the next events, unless it is an alias, has a tag, or lies too deep."""
        event: Any = super().peek_event()  # type: ignore[no-untyped-call]
        if isinstance(event, yaml.AliasEvent):
            _refuse(f"it uses the alias '*{event.anchor}': write the value out", event.start_mark)
        if getattr(event, "tag", None):
            _refuse(f"it uses the tag '{event.tag}', and only plain values are read", event.start_mark)
        self._depth += 1
        if self._depth > DEEPEST:
            _refuse(f"more than {DEEPEST} lists and mappings lie within each other", event.start_mark)
        node = super().compose_node(parent, index)
        self._depth -= 1
        return node

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        """Make a value; whole numbers of hundreds of digits are none that anything could be done with."""
        value = super().construct_object(node, deep=deep)
        if isinstance(value, int) and abs(value) >= LARGEST_NUMBER:
            _refuse("a whole number is too large", node.start_mark)
        return value

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        """Make a mapping whose keys all differ."""
        seen = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if isinstance(key, Hashable) and key in seen:
                _refuse(f"the key '{key}' stands twice", key_node.start_mark)
            seen.add(key if isinstance(key, Hashable) else repr(key))
        return super().construct_mapping(node, deep=deep)


def load_yaml(path: str | PathLike[str], what: str) -> Any:
    """Read a YAML file of plain values.

    Parameters
    ----------
    path : str or path
        The file.
    what : str
        What it holds, for the message: "The cell types".

    Raises
    ------
    ConfigError
        If it cannot be read, or as `parse_yaml`.
    """
    try:
        with Path(path).open(encoding="utf-8") as file:
            text = file.read(LARGEST_FILE + 1)
    except (OSError, UnicodeDecodeError) as error:
        message = f"{what} cannot be read: {error}"
        raise ConfigError(message, where=str(path)) from error
    return parse_yaml(text, what, str(path))


def parse_yaml(text: str, what: str, where: str) -> Any:
    """Return the plain values that a YAML text holds.

    Parameters
    ----------
    text : str
        The text.
    what, where : str
        What it holds, as the subject of a sentence, and where it stands.

    Raises
    ------
    ConfigError
        If it is too long, is no YAML, has a tag or an alias, holds a key twice, or nests too deeply.
    """
    if len(text) > LARGEST_FILE:
        message = f"{what} cannot be read: there are more than {LARGEST_FILE:,} characters"
        raise ConfigError(message, where=where)
    try:
        return yaml.load(text, Loader=_PlainLoader)
    except (yaml.YAMLError, ValueError, OverflowError) as error:  # a date that is none is a ValueError
        message = f"{what} cannot be read: {' '.join(str(error).split())}"
        raise ConfigError(message, where=where) from error


def _refuse(what: str, mark: Any) -> NoReturn:
    raise yaml.constructor.ConstructorError(None, None, what, mark)
