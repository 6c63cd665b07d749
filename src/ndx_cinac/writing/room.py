"""Room on the disk, taken before HDF5 writes: where it runs out of room itself, it can end the process."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from pynwb.ophys import PlaneSegmentation

from ..results import ActivityResult, Result

FIXED_BYTES = 4 * 2**20
"""For cached schemas, texts, and what HDF5 needs to find things."""

BYTES_PER_TRANSIENT = 400
_ZEROS = bytes(2**20)


def reserve(path: Path, n_bytes: int) -> None:
    """Make a file longer, so that what HDF5 adds finds room; HDF5 cuts off what it did not need.

    Raises
    ------
    OSError
        If the disk, a quota or a limit does not allow it.
    """
    with path.open("ab") as file:
        size = os.fstat(file.fileno()).st_size
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(file.fileno(), size, n_bytes)
            return
        for start in range(0, n_bytes, len(_ZEROS)):
            file.write(_ZEROS[: n_bytes - start])


def bytes_for(results: Sequence[Result], table: PlaneSegmentation | None = None) -> int:
    """Most bytes that results, and a ROI table that is written anew, are likely to take."""
    total = FIXED_BYTES
    for result in results:
        total += 2 * result.probabilities.nbytes
        if isinstance(result, ActivityResult):
            total += BYTES_PER_TRANSIENT * len(result.transients) + 16 * result.times.n_frames
    columns = () if table is None else table.columns
    return total + sum(2 * _stored_bytes(column.data) for column in columns)


def _stored_bytes(data: Any) -> int:
    """Bytes that a column's values take where they are stored, or in memory."""
    data = getattr(data, "dataset", data)  # hdmf wraps datasets of several fields
    if hasattr(data, "id") and hasattr(data.id, "get_storage_size"):
        return int(data.id.get_storage_size())
    if isinstance(data, np.ndarray):
        return int(data.nbytes)
    return 64 * len(data)
