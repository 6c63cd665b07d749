"""Footprints: the ROIs' masks, and the somewhat wider supports of refined footprints, as sparse rows."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..extras import require
from ..rois import Rois

_sparse = require("scipy.sparse", extra="predict", feature="Extracting traces")


def mask_rows(rois: Rois, rows: NDArray[np.int64], valid: NDArray[np.bool_]) -> list[NDArray[np.int64]]:
    """Flat, sorted indices of each row's valid pixels; all pixels of a mask count alike here."""
    pixels = []
    for row in rows:
        first, second = rois.pixels(int(row)).T.astype(np.int64)
        flat = np.unique(first * rois.shape[1] + second)
        pixels.append(flat[valid[flat]])
    return pixels


def widen(pixels: NDArray[np.int64], shape: tuple[int, int], radius: int) -> NDArray[np.int64]:
    """Flat, sorted indices of the pixels within about `radius` of a mask."""
    reach = np.arange(-radius, radius + 1)
    offsets = np.stack(np.meshgrid(reach, reach, indexing="ij"), axis=-1).reshape(-1, 2)
    offsets = offsets[(offsets**2).sum(axis=1) <= radius**2 + 1]
    around = np.stack(np.divmod(pixels, shape[1]), axis=-1)[:, None] + offsets
    inside = ((around >= 0) & (around < shape)).all(axis=-1)
    return np.unique(around[inside] @ np.array([shape[1], 1]))


def to_rows(pixels: list[NDArray[np.int64]], columns: NDArray[np.int64], n_columns: int) -> Any:
    """Sparse rows of ones; `columns` gives the column of each flat pixel index."""
    starts = np.concatenate([[0], np.cumsum([len(p) for p in pixels])])
    indices = columns[np.concatenate(pixels)] if len(pixels) else np.zeros(0, np.int64)
    ones = np.ones(len(indices), np.float32)
    return _sparse.csr_array((ones, indices, starts), shape=(len(pixels), n_columns))
