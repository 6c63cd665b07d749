"""Exported predictions as files: CSV with a header of comments, npz, mat."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Sequence
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import OutputError
from ..extras import require
from .content import Arrays, Exported, Table

CSV_ROWS = 4096
"""As many rows are turned into text at once."""

MAT_BYTES = 2**31 - 2**20
"""MATLAB's version 5 files, the one kind that every MATLAB and Octave reads, hold 2 GiB in a variable."""

MAT_NAME = 63
"""Longest name that MATLAB takes."""


def write_csv(path: Path, table: Table) -> None:
    """Write a table as CSV behind lines that begin with ``#``.

    Texts are quoted, numbers are not; single precision has as few digits as give the same number again.
    """
    with path.open("w", encoding="utf-8", newline="") as file:
        for subject, words in table.about.items():
            file.write(f"# {subject}: {' '.join(words.split())}\n")
        csv.writer(file, lineterminator="\n").writerow(table.frame.columns)
        for start in range(0, len(table.frame), CSV_ROWS):
            block = table.frame.iloc[start : start + CSV_ROWS]
            columns = [_as_text(block.iloc[:, index].to_numpy()) for index in range(block.shape[1])]
            file.writelines(",".join(row) + "\n" for row in zip(*columns, strict=True))


def _as_text(values: NDArray[Any]) -> list[str]:
    """Return one column of a CSV table; truth values are TRUE and FALSE, what is no number is empty."""
    if values.dtype.kind == "b":
        return ["TRUE" if value else "FALSE" for value in values]
    if values.dtype.kind == "f":
        return ["" if text == "nan" else text for text in values.astype(str).tolist()]
    if values.dtype.kind in "iu":
        return [str(value) for value in values.tolist()]
    return ['"' + str(value).replace('"', '""') + '"' for value in values]


def write_npz(path: Path, predictions: Sequence[Exported]) -> None:
    """Write predictions as compressed arrays named ``PREDICTIONS/ARRAY``; nothing in them is pickled.

    ``PREDICTIONS/about`` is the header as JSON.
    """
    arrays: dict[str, Any] = {}
    for each in predictions:
        header: NDArray[Any] = np.array(json.dumps(dict(each.about), ensure_ascii=False))
        arrays |= _flat({"about": header, **each.arrays()}, each.name)
    with path.open("wb") as file:
        np.savez_compressed(file, allow_pickle=False, **arrays)


def _flat(arrays: Arrays, prefix: str) -> dict[str, NDArray[Any]]:
    """Return arrays without groups: ``GROUP/ARRAY``."""
    flat: dict[str, NDArray[Any]] = {}
    for name, value in arrays.items():
        key = f"{prefix}/{name}"
        flat |= _flat(value, key) if isinstance(value, dict) else {key: value}
    return flat


def write_mat(path: Path, predictions: Sequence[Exported]) -> None:
    """Write predictions as MATLAB structs (version 5, compressed), one variable for each.

    Texts are cell arrays, vectors are columns; names become such as MATLAB takes. ``about`` is the header.

    Raises
    ------
    OutputError
        If an array is larger than such a file can hold; nothing is written.
    """
    names = matlab_names([each.name for each in predictions])
    variables = {}
    for each in predictions:
        header: Arrays = {key: np.array(text) for key, text in each.about.items()}
        variables[names[each.name]] = _struct({"about": header, **each.arrays()})
    largest = max(
        (value.nbytes for each in predictions for value in _flat(each.arrays(), "").values()), default=0
    )
    if largest > MAT_BYTES:
        what = f"An array of {largest / 1e9:.1f} GB does not fit into a MATLAB file, which takes 2.1 GB"
        raise OutputError(what, where=str(path), fix="Export as npz or csv, or predict fewer ROIs at a time")
    scipy_io = require("scipy.io", extra="export", feature="Writing MATLAB files")
    with path.open("wb") as file:
        scipy_io.savemat(file, variables, do_compression=True, long_field_names=True, oned_as="column")


def _struct(arrays: Arrays) -> dict[str, Any]:
    """Return a group as scipy writes a struct: names that MATLAB takes, texts as cells."""
    names = matlab_names(list(arrays))
    return {names[name]: _cells(value) for name, value in arrays.items()}


def _cells(value: NDArray[Any] | Arrays) -> Any:
    if isinstance(value, dict):
        return _struct(value)
    if value.dtype.kind != "U":
        return value
    return str(value) if value.ndim == 0 else np.array([*value.tolist(), None], object)[:-1]


def matlab_names(names: Sequence[str]) -> dict[str, str]:
    """Return one that MATLAB takes for each name: letters, digits and ``_``, a letter first, no two alike."""
    made: dict[str, str] = {}
    for name in names:
        plain = re.sub(r"[^A-Za-z0-9_]", "_", name)
        plain = plain if plain[:1].isalpha() else f"x{plain}"
        numbered = (f"{plain[: MAT_NAME - 4]}_{number}" for number in count(2))
        free = plain[:MAT_NAME]
        while free in made.values():
            free = next(numbered)
        made[name] = free
    return made
