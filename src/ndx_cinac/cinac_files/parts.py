"""What the groups of a .cinac file hold, taken from HDF5 and checked."""

from __future__ import annotations

import math
import reprlib
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from ..hdf5_files import LARGEST_ARRAY, FilePart, empty_claim
from ..hdf5_heaps import longest_list


def contours_of(group: FilePart) -> tuple[NDArray[np.integer], ...]:
    """Read contours: rows of two lists of whole numbers, x and y."""
    if "cells_contour" not in group:
        return ()
    rows = group.dataset("cells_contour", "Oiuf")
    if rows.ndim not in (2, 3) or rows.shape[1] != 2 or (rows.ndim == 2) != (rows.dtype.kind == "O"):
        group.refuse("cells_contour", f"has shape {rows.shape}, not two lists of numbers per contour")
    if empty_claim(rows):
        group.refuse("cells_contour", f"is hollow: {empty_claim(rows)}")
    if rows.dtype.kind == "O":
        _check_lists(group, rows)
    found, size = [], 0
    for index in range(len(rows)):  # one at a time: many rows can name the same long list
        x, y = (np.asarray(values) for values in group.read("cells_contour", rows, index))
        if any(v.ndim != 1 or v.dtype.kind not in "iuf" for v in (x, y)) or len(x) != len(y):
            group.refuse("cells_contour", f"has no x and y for contour {index} that are as many numbers")
        if not (np.isfinite(x).all() and np.isfinite(y).all()):
            group.refuse("cells_contour", f"has a corner that is no number in contour {index}")
        size += x.nbytes + y.nbytes
        if size > LARGEST_ARRAY:
            group.refuse("cells_contour", f"has more than {LARGEST_ARRAY:,} bytes")
        found.append(np.stack([x, y]))
    return tuple(found)


def _check_lists(group: FilePart, rows: h5py.Dataset) -> None:
    """Refuse lists that claim to be longer than the file is."""
    try:
        longest = longest_list(rows)
    except (OSError, RuntimeError, ValueError) as error:
        group.refuse("cells_contour", f"cannot be read: {error}", error)
    if longest > Path(rows.file.filename).stat().st_size:
        group.refuse("cells_contour", f"is damaged: a list claims {longest:,} bytes, more than the file has")


def movie_of(group: FilePart) -> h5py.Dataset | None:
    """Return the whole movie, which stays in its file."""
    if "ci_movie" not in group:
        return None
    movie = group.dataset("ci_movie")
    claim = empty_claim(movie) or ("" if movie.ndim == 3 else f"its shape is {movie.shape}")
    if claim:
        group.refuse("ci_movie", f"is no movie: {claim}")
    return movie


def array_of(group: FilePart, name: str) -> NDArray[Any] | None:
    """Read an array, where there is one."""
    return group.array(name) if name in group else None


def number_of(group: FilePart, name: str) -> float | None:
    """Return an attribute that is a number."""
    value = group.attribute(name)
    if (
        isinstance(value, bool)
        or not isinstance(value, int | float | None)
        or not (value is None or math.isfinite(value))
    ):
        group.refuse(f"@{name}", f"is {reprlib.repr(value)}, not a number")
    return value


def text_of(group: FilePart, name: str) -> str | None:
    """Return an attribute that is a text."""
    value = group.attribute(name)
    text = value.decode("utf-8", "replace") if isinstance(value, bytes) else value
    if not isinstance(text, str | None):
        group.refuse(f"@{name}", f"is {reprlib.repr(value)}, not a text")
    return text
