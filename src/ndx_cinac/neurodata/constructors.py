"""Constructors and columns of the types: words and defaults come from the YAML, signatures from Python."""

from __future__ import annotations

import functools
from collections.abc import Callable, Collection, Mapping
from typing import Any, ParamSpec, TypedDict, cast

from hdmf.common import DynamicTableRegion, VectorData
from hdmf.utils import AllowPositional, docval, get_docval
from pynwb import get_type_map

from .namespace import NAMESPACE

Parameters = ParamSpec("Parameters")


class TableNaming(TypedDict, total=False):
    """What a table is called; both have defaults."""

    name: str
    """Name of the table in the file."""
    description: str
    """What the table holds."""


class TableArguments(TableNaming, total=False):
    """What every table of the extension can be given; with `columns`, they are checked at once."""

    id: Any
    """Identifiers of the rows; by default their numbers."""
    columns: list[VectorData]
    """Columns made elsewhere; `from_arrays` is easier."""
    colnames: list[str]
    """Names of the columns in their order; needs `columns`."""
    target_tables: dict[str, Any]
    """The table that each DynamicTableRegion column points to, when rows are added one by one."""
    meanings_tables: list[Any]
    """MeaningsTables of columns."""


def spec_of(type_name: str) -> Any:
    """Return the specification of a type of the namespace."""
    return get_type_map(copy=False).namespace_catalog.get_spec(NAMESPACE, type_name)


def columns_of(type_name: str) -> tuple[dict[str, Any], ...]:
    """Return the columns that the YAML adds to a table's parent, as ``__columns__`` of its class."""
    types = get_type_map(copy=False)
    spec = spec_of(type_name)
    columns = []
    for dataset in spec.datasets:
        if dataset.name is None or (spec.is_inherited_spec(dataset) and not spec.is_overridden_spec(dataset)):
            continue
        kind = types.get_dt_container_cls(dataset.data_type_inc, "core")
        column = {
            "name": dataset.name,
            "description": dataset.doc,
            "required": dataset.required,
            "class": kind,
        }
        columns.append({**column, "table": True} if issubclass(kind, DynamicTableRegion) else column)
    return tuple(columns)


def typed(
    type_name: str, parent: type, own: Mapping[str, Any] | None = None, *, fixed: Collection[str] = ()
) -> Callable[[Callable[Parameters, None]], Callable[Parameters, None]]:
    """Give a constructor the argument list that hdmf needs to make its class from a file.

    hdmf learns what to pass from a `docval` list: here the parent's and the type's own attributes, with
    words, name and need from the YAML. The signature that people and type checkers see is the constructor's
    own.

    Parameters
    ----------
    type_name : str
        The type in the YAML.
    parent : type
        The class that it extends.
    own : mapping of str to type
        Attributes, datasets and links that the type adds, and what each may be.
    fixed : collection of str
        Arguments of `parent` that the constructor sets itself.
    """
    spec = spec_of(type_name)
    arguments = [dict(a) for a in get_docval(parent.__init__) if a["name"] not in fixed]  # type: ignore[misc]
    for name, kind in (own or {}).items():
        part = spec.get_attribute(name) or spec.get_dataset(name) or spec.get_link(name)
        optional = {} if part.required else {"default": None}
        arguments.append({"name": name, "type": kind, "doc": part.doc, **optional})
    for argument in arguments:
        if argument["name"] == "name":
            argument["default"] = spec.default_name
        if argument["name"] == "description":
            argument["default"] = spec.doc
    arguments.sort(key=lambda argument: "default" in argument)

    def decorate(init: Callable[Parameters, None]) -> Callable[Parameters, None]:
        def construct(self: Any, **given: Any) -> None:
            cast(Any, init)(self, **given)

        # Shapes are left to our own checks: they say which table or movie disagrees.
        made = docval(*arguments, allow_positional=AllowPositional.ERROR, enforce_shape=False)(construct)
        return cast(Callable[Parameters, None], functools.update_wrapper(made, init))

    return decorate
