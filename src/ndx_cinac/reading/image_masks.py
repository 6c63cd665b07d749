"""Dense image masks -> sparse entries, tile by tile along their chunks: never the whole stack at once."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ReadingError

BLOCK_BYTES = 64 * 2**20
"""Most bytes of masks that are in memory as stored at a time."""


def image_shape(data: Any, where: str) -> tuple[int, int]:
    """Height and width of stored image masks of shape (ROI, height, width) or (ROI, height, width, 1).

    Raises
    ------
    ReadingError
        If they have another shape.
    """
    shape = tuple(np.shape(data))
    if len(shape) == 3 or (len(shape) == 4 and shape[3] == 1):
        return int(shape[1]), int(shape[2])
    what = (
        f"image_mask has shape {shape}, not (ROI, height, width): a movie of one plane cannot hold these ROIs"
    )
    raise ReadingError(what, where=where)


def image_entries(data: Any, where: str, part: float) -> tuple[NDArray[Any], ...]:
    """Find the pixels whose weight is at least `part` of their row's maximum.

    Parameters
    ----------
    data : array-like of shape (ROI, height, width) or (ROI, height, width, 1)
        Stored masks, lazy.
    where : str
        Name of the segmentation, for messages.
    part : float
        From 0 to 1. Where a row spans several tiles, lower weights can remain: the caller looks again.

    Returns
    -------
    row, first, second, weights : ndarray
        One entry per pixel, ordered by row.
    """
    height, width = image_shape(data, where)
    plane = (slice(None), 0) if len(data.shape) == 4 else (slice(None),)
    found = []
    highest = np.zeros(len(data))
    for rows, lines in _tiles(data, height, width):
        tile = np.asarray(data[(rows, lines, *plane)])
        flat = tile.reshape(len(tile), -1)
        if flat.dtype.kind == "f" and not np.isfinite(flat.sum()):
            flat = np.where(np.isfinite(flat), flat, 0)
        highest[rows] = np.maximum(highest[rows], flat.max(axis=1))
        fair = np.where(highest[rows] > 0, part * highest[rows], 1)
        fair = (fair if flat.dtype.kind == "f" else np.ceil(fair)).astype(flat.dtype)
        position = np.flatnonzero(flat >= fair[:, None])
        row, pixel = np.divmod(position, flat.shape[1])
        weights = flat.ravel()[position].astype(np.float32)
        found.append((row + rows.start, pixel + lines.start * width, weights))
    row, pixel, weights = (np.concatenate(each) for each in zip(*found, strict=True))
    order = np.argsort(row, kind="stable")
    first, second = np.divmod(pixel[order], width)
    return row[order], first, second, weights[order]


def _tiles(data: Any, height: int, width: int) -> Iterator[tuple[slice, slice]]:
    """Ranges of rows and of lines whose masks fill at most a block, along the chunks where that can be."""
    chunks = getattr(data, "chunks", None) or (1, height, width)
    line_bytes = width * np.dtype(data.dtype).itemsize
    n_lines = height
    if min(chunks[0], len(data)) * height * line_bytes > BLOCK_BYTES:
        n_lines = min(height, max(1, BLOCK_BYTES // (chunks[0] * line_bytes) // chunks[1]) * chunks[1])
    n_rows = max(1, BLOCK_BYTES // (n_lines * line_bytes))
    if n_rows > chunks[0]:
        n_rows = n_rows // chunks[0] * chunks[0]
    for row in range(0, len(data), n_rows):
        for line in range(0, height, n_lines):
            yield slice(row, min(row + n_rows, len(data))), slice(line, min(line + n_lines, height))
