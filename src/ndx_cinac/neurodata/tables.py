"""What the extension's tables share: making them from arrays, and checks of what enters them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Self, cast

import numpy as np
from hdmf.common import DynamicTableRegion, EnumData, VectorData, VectorIndex
from numpy.typing import NDArray

from ..errors import InvalidTypeError
from . import checks
from .constructors import TableNaming

Columns = Mapping[str, Any]
_WHOLE = ("first_frame", "last_frame")


class CheckedTable:
    """Checks rows before they enter a DynamicTable; a mixin that stands before the class made by hdmf.

    Reading a file makes objects without checks, so that a file with faults still opens; the NWB Inspector
    checks of `ndx_cinac.inspector` find those.
    """

    if TYPE_CHECKING:  # from DynamicTable
        name: str
        colnames: tuple[str, ...]

    def check_values(self, columns: Columns) -> None:
        """Check values that are to enter the table: one array for each column, all of one length.

        Raises
        ------
        InvalidTypeError
            If a value cannot be, or points nowhere.
        """
        roi = columns.get("roi")
        checks.check_rows(roi, self.target("roi"), what="Column 'roi'", where=f"table '{self.name}'")

    def check(self) -> None:
        """Check all rows that are in memory.

        Raises
        ------
        InvalidTypeError
            If a value cannot be, or points nowhere.
        """
        table: Any = self
        self.check_values({name: table[name].data for name in table.colnames})

    def check_new(self) -> None:
        """Check the table unless it is being read from a file: one with faults must still open."""
        if not cast(Any, self)._in_construct_mode:
            self.check()

    def add_row(self, data: Mapping[str, Any] | None = None, **values: Any) -> None:
        """Add a row after checking its values, given by column name."""
        row = {**(data or {}), **values}
        self.check_values({name: [row[name]] for name in self.colnames if name in row})
        super().add_row(**row)  # type: ignore[misc]

    def target(self, column: str) -> Any:
        """Return the table that a DynamicTableRegion column points to, or None where it is not set yet."""
        table: Any = self
        return table[column].table if column in table.colnames else None

    @classmethod
    def _from_columns(
        cls, columns: Columns, targets: Mapping[str, Any], table: TableNaming, **attributes: Any
    ) -> Self:
        """Make a table of whole columns; those that are None are left out."""
        # By name: a column that a type makes obligatory is listed after its parent's optional one.
        specs = {spec["name"]: spec for spec in cls.__columns__}  # type: ignore[attr-defined]
        given = {name: columns.get(name) for name in specs}
        made = [_column(specs[n], v, targets.get(n)) for n, v in given.items() if v is not None]
        return cast(Self, cast(Any, cls)(columns=made, **attributes, **table))


def _column(spec: Mapping[str, Any], values: Any, target: Any) -> VectorData:
    name, description = spec["name"], spec["description"]
    array = np.asarray(values)
    if name in _WHOLE or spec.get("table"):
        array = _whole_numbers(array, name)
    if spec.get("table"):
        checks.check_rows(array, target, what=f"Column '{name}'", where=f"table '{target.name}'")
        return DynamicTableRegion(name=name, description=description, data=array, table=target)
    data: NDArray[Any] | list[str] = array
    if array.dtype.kind in "UO":
        data = [str(value) for value in values]  # hdmf writes text from lists
    return spec.get("class", VectorData)(name=name, description=description, data=data)


def _whole_numbers(array: NDArray[Any], name: str) -> NDArray[np.int64]:
    if array.size and array.dtype.kind not in "iu":
        what = f"Column '{name}' is of type {array.dtype}, not of whole numbers"
        raise InvalidTypeError(what)
    return array.astype(np.int64)


def scalar_columns(table: Any) -> dict[str, NDArray[Any] | list[str]]:
    """Columns of a DynamicTable that hold one number, truth value or text in each row, in their order.

    Columns with several values per row (masks, ragged ones, vectors) are not read. A reference to another
    table is the row there.
    """
    found: dict[str, NDArray[Any] | list[str]] = {}
    for name in table.colnames:
        column = table[name]
        shape = checks.shape_of(column.data)
        if isinstance(column, VectorIndex) or shape is None or len(shape) != 1:
            continue
        values = column[:] if isinstance(column, EnumData) else column.data[:]
        array = np.asarray(values)
        if array.dtype.kind in "biuf":
            found[name] = array
        elif all(isinstance(value, (str, bytes)) for value in values):
            found[name] = [value.decode() if isinstance(value, bytes) else str(value) for value in values]
    return found
