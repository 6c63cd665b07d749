"""What a YAML file of cell types may hold: every key and value is checked before any of it is used."""

from __future__ import annotations

import re
import reprlib
from collections.abc import Iterator, Mapping
from typing import Any

from ..errors import ConfigError

PREDICTED_TYPE_KEYS = ("predicted_cell_type", "predicted_celll_type")
"""The key that marks a binary classifier's predicted type; DeepCINAC reads the second spelling only."""

ENTRY_KEYS = {"keywords", "meaning", "cell_ontology_id", *PREDICTED_TYPE_KEYS}
"""What a cell type can say of itself; DeepCINAC's format has no `meaning` and no `cell_ontology_id`."""

WORDS = {bool: "true or false", dict: "names with settings", list: "a list", str: "text"}
"""What kinds of values are called."""
EXAMPLE = "`ndx-cinac cell-types show --yaml` prints a file to start from"

ONTOLOGY_ID = re.compile(r"CL:\d{7}")

Category = tuple[str, dict[str, Any]]
"""Name and settings of a cell type."""


def check_categories(content: object, where: str) -> tuple[bool | None, list[Category]]:
    """Check the content of a file of cell types.

    Parameters
    ----------
    content : object
        What the file holds.
    where : str
        The file, for messages.

    Returns
    -------
    multi_class : bool or None
        What the file asks for; None where it does not say.
    categories : list of (str, dict)
        Name and settings of each type, in the order of the file.

    Raises
    ------
    ConfigError
        If a key is unknown, of the wrong type or contradictory, or no type is named.
    """
    if content is None:
        what = "The file names no cell types: it is empty"
        raise ConfigError(what, where=where, fix=EXAMPLE)
    known = mapping(content, "the file", where, {"config", "cell_type_categories"})
    config = mapping(known.get("config") or {}, "config", where, {"multi_class"})
    multi_class = config.get("multi_class")
    check_kind("config/multi_class", multi_class, (bool, type(None)), where)
    listed = known.get("cell_type_categories")
    check_kind("cell_type_categories", listed, (list,), where)
    categories = [pair for item in listed or () for pair in _categories(item, where)]
    if not categories:
        what = "cell_type_categories names no cell type"
        raise ConfigError(what, where=where, fix=EXAMPLE)
    return multi_class, categories


def _categories(item: object, path: str) -> Iterator[Category]:
    """Yield (name, settings) of an item of ``cell_type_categories``: a name, or names with settings."""
    named = {item: None} if isinstance(item, str) else mapping(item, "cell_type_categories", path)
    for name, settings in named.items():
        where = f"cell_type_categories/{name}"
        entry = mapping(settings or {}, where, path, ENTRY_KEYS)
        check_kind(f"{where}/keywords", entry.get("keywords", []), (list,), path)
        for word in entry.get("keywords", ()):
            check_kind(f"{where}/keywords", word, (str,), path)
        for key in PREDICTED_TYPE_KEYS:
            check_kind(f"{where}/{key}", entry.get(key, False), (bool,), path)
        if len({entry[key] for key in PREDICTED_TYPE_KEYS if key in entry}) > 1:
            what = f"{where} says both yes and no about the predicted type"
            raise ConfigError(what, where=path, fix="Keep 'predicted_cell_type' only")
        check_kind(f"{where}/meaning", entry.get("meaning", ""), (str,), path)
        identifier = entry.get("cell_ontology_id") or ""
        check_kind(f"{where}/cell_ontology_id", identifier, (str,), path)
        if identifier and not ONTOLOGY_ID.fullmatch(identifier):
            what = f"{where}/cell_ontology_id is '{identifier}', which is no term of the Cell Ontology"
            raise ConfigError(what, where=path, fix="A term is written CL:0000598; leave it out for none")
        yield name, entry


def is_predicted(entry: Mapping[str, Any]) -> bool:
    """Whether a type is the one that a binary classifier predicts."""
    return any(entry.get(key, False) for key in PREDICTED_TYPE_KEYS)


def mapping(value: object, name: str, where: str, keys: set[str] | None = None) -> dict[str, Any]:
    """Return `value` if it is a mapping from text, with none but the given keys.

    Raises
    ------
    ConfigError
        If it is anything else.
    """
    check_kind(name, value, (dict,), where)
    found: dict[str, Any] = value  # type: ignore[assignment]
    for key in found:
        check_kind(f"a key of {name}", key, (str,), where)
        if keys is not None and key not in keys:
            what = f"'{key}' in {name} is not known"
            raise ConfigError(what, where=where, fix=f"Known are {', '.join(sorted(keys))}")
    return found


def check_kind(name: str, value: object, kinds: tuple[type, ...], where: str) -> None:
    """Refuse a value of another type.

    Raises
    ------
    ConfigError
        With its name, the value and the types that it may have.
    """
    if not isinstance(value, kinds):
        words = " or ".join(WORDS[kind] for kind in kinds if kind in WORDS)
        what = f"{name} is {'empty' if value is None else reprlib.repr(value)}, not {words}"
        raise ConfigError(what, where=where)
