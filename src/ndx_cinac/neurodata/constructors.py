"""Constructors with Python signatures for classes whose columns and attributes hdmf makes from the YAML."""

from __future__ import annotations

import functools
from collections.abc import Callable, Collection, Mapping
from typing import Any, ParamSpec, TypedDict, cast

from hdmf.common import VectorData
from hdmf.utils import AllowPositional, docval, get_docval

Parameters = ParamSpec("Parameters")


class TableArguments(TypedDict, total=False):
    """What every table of the extension can be given; with `columns`, they are checked at once."""

    name: str
    """Name of the table in the file."""
    description: str
    """What the table holds."""
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


def typed(
    base: type, *, fixed: Collection[str] = (), defaults: Mapping[str, Any] | None = None
) -> Callable[[Callable[Parameters, None]], Callable[Parameters, None]]:
    """Give a constructor the argument list that hdmf needs to make its class from a file.

    hdmf learns what to pass from a `docval` list. `base`, the class that it made from the YAML, has one: types and
    words come from there, the signature that people and type checkers see is the constructor's own.

    Parameters
    ----------
    base : type
        The class made by hdmf.
    fixed : collection of str
        Arguments of `base` that the constructor sets itself.
    defaults : mapping
        Defaults in place of those of `base`.
    """

    def decorate(init: Callable[Parameters, None]) -> Callable[Parameters, None]:
        arguments = [
            dict(argument) for argument in get_docval(base.__init__) if argument["name"] not in fixed
        ]
        for argument in arguments:
            if defaults is not None and argument["name"] in defaults:
                argument["default"] = defaults[argument["name"]]
        arguments.sort(key=lambda argument: "default" in argument)

        def __init__(self: Any, **given: Any) -> None:
            cast(Any, init)(self, **given)

        # Shapes are left to our own checks: they say which table or movie disagrees.
        made = docval(*arguments, allow_positional=AllowPositional.ERROR, enforce_shape=False)(__init__)
        functools.update_wrapper(made, init)
        return cast(Callable[Parameters, None], made)

    return decorate
