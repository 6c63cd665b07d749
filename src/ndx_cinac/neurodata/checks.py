"""What must hold of the values in the extension's objects; each check names the fault."""

from __future__ import annotations

import json
from collections.abc import Collection
from typing import Any

import numpy as np
from hdmf.data_utils import DataIO
from hdmf.utils import get_data_shape
from numpy.typing import NDArray

from ..errors import InvalidTypeError

Array = NDArray[Any]


def in_memory(values: Any) -> Array | None:
    """Return `values` as an array, or None where that would read a file or use up an iterator."""
    if isinstance(values, DataIO):
        values = values.data
    return np.asarray(values) if isinstance(values, (np.ndarray, list, tuple)) else None


def shape_of(values: Any) -> tuple[int | None, ...] | None:
    """Shape of `values` as far as it is known without reading them."""
    shape = get_data_shape(values, strict_no_data_load=True)
    return None if shape is None else tuple(shape)


def check_probabilities(values: Any, *, what: str, where: str) -> None:
    """Check that all values lie from 0 to 1; those in a file or an iterator are left alone.

    Raises
    ------
    InvalidTypeError
        With the first value that is not, and its index.
    """
    array = in_memory(values)
    if array is None or array.size == 0:
        return
    if array.dtype.kind not in "fiub":
        message = f"{what} is of type {array.dtype}, not a number"
        raise InvalidTypeError(message, where=where)
    wrong = ~((array >= 0) & (array <= 1))  # written so that NaN is wrong too
    if wrong.any():
        index = tuple(int(i) for i in np.argwhere(wrong)[0])
        at = index[0] if len(index) == 1 else index
        message = (
            f"{what} is {array[index]:g} at index {at}: not within 0 to 1 ({int(wrong.sum())} such values)"
        )
        raise InvalidTypeError(message, where=where, fix="Give probabilities from 0 to 1, without NaN")


def check_rows(rows: Any, table: Any, *, what: str, where: str) -> None:
    """Check that `rows` are rows of `table`; skipped where the table is not known yet.

    Raises
    ------
    InvalidTypeError
        With the first row that is not in the table.
    """
    array = in_memory(rows)
    if array is None or array.size == 0:
        return
    if array.dtype.kind not in "iu":
        message = f"{what} is of type {array.dtype}, not a row number"
        raise InvalidTypeError(message, where=where)
    length = None if table is None else len(table)
    wrong = (array < 0) | (array >= (length if length is not None else np.iinfo(np.int64).max))
    if wrong.any():
        row = int(array[wrong][0])
        size = "" if length is None else f": '{table.name}' has {length} rows"
        message = f"{what} points to row {row}, which does not exist{size}"
        raise InvalidTypeError(message, where=where)


def check_task(rows: Any, table: Any, *, task: str, where: str) -> None:
    """Check that the classifiers in `rows` of a ClassifierTable do the task that is stored.

    Raises
    ------
    InvalidTypeError
        With the first classifier of another task, or where `table` is no ClassifierTable.
    """
    array = in_memory(rows)
    if array is None or array.size == 0 or table is None:
        return
    if "task" not in table.colnames:
        message = f"'classifier' points into '{table.name}', which is not a ClassifierTable"
        raise InvalidTypeError(message, where=where)
    tasks = table["task"].data
    for row in np.unique(array):
        if tasks[int(row)] != task:
            name = table["classifier_name"].data[int(row)]
            message = (
                f"Classifier '{name}' (row {int(row)}) is for the task '{tasks[int(row)]}', not '{task}'"
            )
            raise InvalidTypeError(message, where=where)


def check_choices(values: Any, choices: Collection[str], *, what: str, where: str) -> None:
    """Check that each value is one of `choices`.

    Raises
    ------
    InvalidTypeError
        With the first value that is not, and its row.
    """
    array = in_memory(values)
    for row, value in enumerate([] if array is None else array):
        if str(value) not in choices:
            message = f"{what} is '{value}' in row {row}: not one of {', '.join(map(repr, choices))}"
            raise InvalidTypeError(message, where=where)


def check_order(first: Any, last: Any, *, what: str, where: str) -> None:
    """Check that periods do not end before they begin, nor begin before 0 frames.

    Raises
    ------
    InvalidTypeError
        With the first period that does.
    """
    begins, ends = in_memory(first), in_memory(last)
    if begins is None or ends is None or begins.size == 0:
        return
    wrong = (begins > ends) | ((begins < 0) & (what == "frame"))
    if wrong.any():
        row = int(np.flatnonzero(wrong)[0])
        message = f"Period {row} runs from {what} {begins[row]:g} to {what} {ends[row]:g}"
        raise InvalidTypeError(
            message, where=where, fix="A period's end must not lie before its beginning or frame 0"
        )


def check_not_negative(values: Any, *, what: str, where: str) -> None:
    """Check that no value is negative; NaN (not known) passes.

    Raises
    ------
    InvalidTypeError
        With the first value that is, and its row.
    """
    array = in_memory(values)
    if array is not None and (array < 0).any():
        row = int(np.flatnonzero(array < 0)[0])
        message = f"{what} is {array[row]:g} in row {row}: it must not be negative"
        raise InvalidTypeError(message, where=where)


def check_json_object(text: str, *, what: str, where: str) -> None:
    """Check that `text` is a JSON object.

    Raises
    ------
    InvalidTypeError
        If it is not.
    """
    try:
        value = json.loads(text)
    except json.JSONDecodeError as error:
        message = f"{what} is not JSON: {error}"
        raise InvalidTypeError(message, where=where) from error
    if not isinstance(value, dict):
        message = f"{what} is a JSON {type(value).__name__}, not an object"
        raise InvalidTypeError(message, where=where)
