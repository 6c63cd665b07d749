"""Mask columns of a plane segmentation -> sparse pixels, read row by row, and the choice of rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .errors import ConfigError, ReadingError

FAIR_PART = 0.2
"""A pixel belongs to an ROI where its weight is at least this part of the ROI's maximum.

Matrix-factorisation footprints (suite2p, CaImAn, CNMF-E) trail off in weights down to 0.001 over pixels that belong to the
neighbours and the neuropil; a fifth of the maximum is about where their visible outline is drawn, and it leaves masks whose
weights are of one size (binary, or by overlap) as they are.
"""

ROUNDING = 1e-6
"""Relative slack of that comparison, so that rounding of stored weights decides nothing."""

BLOCK_BYTES = 64 * 2**20
"""Most bytes of masks that are in memory as stored at a time."""

MASK_COLUMNS = ("image_mask", "pixel_mask", "voxel_mask")
"""In order of preference: image masks agree with the movie in more files than pixel masks do."""


@dataclass(frozen=True)
class RoiSelection:
    """Which rows of the segmentation to predict; the other rows still serve as neighbours.

    Attributes
    ----------
    rows : tuple of int, optional
        Row numbers.
    ids : tuple of int, optional
        Row ids.
    column : str, optional
        A column that says yes or no, such as ``iscell`` or ``Accepted``; of suite2p's two-column ``iscell`` the first
        column counts.
    """

    rows: tuple[int, ...] | None = None
    ids: tuple[int, ...] | None = None
    column: str | None = None

    def unselected(self, table: Any) -> dict[int, str]:
        """Rows of `table` that are not to be predicted, with the reason.

        Raises
        ------
        ConfigError
            If a row, an id or the column is not in the table, or the column does not say yes or no.
        """
        ids = row_ids(table)
        chosen = np.ones(len(ids), bool)
        reasons = []
        for name, wanted, present in (("row", self.rows, np.arange(len(ids))), ("id", self.ids, ids)):
            if wanted is not None:
                absent = sorted(set(wanted) - set(present.tolist()))
                if absent:
                    what = f"The segmentation '{table.name}' has no ROI with {name} {', '.join(map(str, absent[:5]))}"
                    raise ConfigError(what, fix=f"It has {len(ids)} ROIs; see them with: ndx-cinac inspect")
                chosen &= np.isin(present, wanted)
                reasons.append(f"its {name} was not chosen")
        if self.column is not None:
            chosen &= _yes_or_no(table, self.column)
            reasons.append(f"column '{self.column}' says no")
        return dict.fromkeys(np.flatnonzero(~chosen).tolist(), " or ".join(reasons))


@dataclass(frozen=True)
class MaskPixels:
    """Pixels of all rows in the masks' own axes, before it is known how these lie against the movie's.

    Attributes
    ----------
    column : str
        The column that was read.
    a, b : ndarray of int64, shape (n_pixels,)
        Coordinate on the mask's first axis (x of `pixel_mask`, axis 0 of `image_mask`) and on its second.
    weights : ndarray of float32, shape (n_pixels,)
        Above 0.
    starts : ndarray of int64, shape (n_rois + 1,)
        Where each row's pixels begin.
    ids : ndarray of int64, shape (n_rois,)
        Row ids.
    image_shape : tuple of int or None
        Height and width of `image_mask`; None for other columns.
    faults : mapping of int to str
        Rows whose masks cannot be used, with the reason.
    """

    column: str
    a: NDArray[np.int64]
    b: NDArray[np.int64]
    weights: NDArray[np.float32]
    starts: NDArray[np.int64]
    ids: NDArray[np.int64]
    image_shape: tuple[int, int] | None = None
    faults: Mapping[int, str] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def row(self) -> NDArray[np.int64]:
        """Row of each pixel, shape (n_pixels,)."""
        return np.repeat(np.arange(len(self)), np.diff(self.starts))


def row_ids(table: Any) -> NDArray[np.int64]:
    """Row ids of a table, shape (n_rows,)."""
    return np.asarray(table.id.data[:], dtype=np.int64).ravel()


def image_mask_shape(table: Any) -> tuple[int, int] | None:
    """Height and width of the `image_mask` column, read from its shape alone; None where there is none."""
    if "image_mask" not in table.colnames:
        return None
    shape = np.shape(_stored(table["image_mask"]))
    return (int(shape[1]), int(shape[2])) if len(shape) == 3 else None


def read_masks(table: Any) -> MaskPixels:
    """Read the masks of a PlaneSegmentation; never more than a block of rows is dense.

    Raises
    ------
    ReadingError
        If the table has no rows, no mask column, or masks of several planes.
    """
    where = f"segmentation '{table.name}'"
    if len(table.id) == 0:
        what = "The plane segmentation has no ROIs"
        raise ReadingError(what, where=where)
    present = [name for name in MASK_COLUMNS if name in table.colnames]
    if not present:
        what = f"The plane segmentation has no mask column ({', '.join(MASK_COLUMNS)})"
        raise ReadingError(what, where=where, fix=f"It has the columns {', '.join(table.colnames)}")
    pixels = None
    for name in present:
        pixels = _read_images(table) if name == "image_mask" else _read_lists(table, name)
        if len(pixels.weights):
            return pixels
    assert pixels is not None
    return pixels


def _stored(column: Any) -> Any:
    """Return a column's data as stored: an HDF5 or Zarr dataset, or an array."""
    data = column.data
    data = getattr(data, "data", data) if type(data).__name__.endswith("DataIO") else data
    return np.asarray(data) if isinstance(data, list | tuple) else data


def _read_images(table: Any) -> MaskPixels:
    """Pixels of `image_mask`, tile by tile along its chunks."""
    data, ids = _stored(table["image_mask"]), row_ids(table)
    if len(data.shape) != 3:
        what = f"image_mask has shape {tuple(data.shape)}, not (ROI, height, width)"
        raise ReadingError(what, where=f"segmentation '{table.name}'")
    found: list[tuple[NDArray, NDArray, NDArray]] = []
    highest = np.zeros(len(ids))
    for rows, first in _tiles(data):
        tile = np.asarray(data[rows, first, :])
        flat = tile.reshape(len(tile), -1)
        if flat.dtype.kind == "f" and not np.isfinite(flat).all():
            flat = np.where(np.isfinite(flat), flat, 0)
        highest[rows] = np.maximum(highest[rows], flat.max(axis=1))
        # Rows that end within the tile are judged by their true maximum, the others again in _fair.
        fair = np.where(highest[rows] > 0, FAIR_PART * (1 - ROUNDING) * highest[rows], 1)
        fair = (fair if flat.dtype.kind == "f" else np.ceil(fair)).astype(flat.dtype)
        position = np.flatnonzero(flat >= fair[:, None])
        row, pixel = np.divmod(position, flat.shape[1])
        found.append(
            (row + rows.start, pixel + first.start * data.shape[2], flat.ravel()[position].astype(np.float32))
        )
    row, pixel, weights = (np.concatenate(part) for part in zip(*found, strict=True))
    order = np.argsort(row, kind="stable")
    a, b = np.divmod(pixel[order], data.shape[2])
    return _fair("image_mask", ids, (row[order], a, b, weights[order]), {}, (data.shape[1], data.shape[2]))


def _tiles(data: Any) -> Iterator[tuple[slice, slice]]:
    """Ranges of rows and of the first spatial axis whose masks fill at most a block, along the chunks where it can be."""
    chunk_rows, chunk_first, _ = getattr(data, "chunks", None) or (1, data.shape[1], data.shape[2])
    line = data.shape[2] * np.dtype(data.dtype).itemsize
    n_first = data.shape[1]
    if min(chunk_rows, len(data)) * n_first * line > BLOCK_BYTES:
        n_first = min(n_first, max(1, BLOCK_BYTES // (chunk_rows * line) // chunk_first) * chunk_first)
    n_rows = max(1, BLOCK_BYTES // (n_first * line))
    n_rows = max(1, n_rows // chunk_rows) * chunk_rows if n_rows > chunk_rows else n_rows
    for row in range(0, len(data), n_rows):
        for first in range(0, data.shape[1], n_first):
            yield slice(row, min(row + n_rows, len(data))), slice(first, min(first + n_first, data.shape[1]))


def _read_lists(table: Any, name: str) -> MaskPixels:
    """Pixels of `pixel_mask` or `voxel_mask`, a stretch of rows at a time."""
    column, ids = table[name], row_ids(table)
    if not hasattr(column, "target"):
        what = f"{name} is a column without an index: which entries belong to which ROI is not told"
        raise ReadingError(what, where=f"segmentation '{table.name}'")
    ends = np.asarray(column.data[:], dtype=np.int64)  # unsigned ends would wrap around when subtracted
    starts = np.concatenate([[0], ends[:-1]])
    data = _stored(column.target)
    faults: dict[int, str] = {}
    parts, planes = [], {}
    per_block = max(1, BLOCK_BYTES // 64)
    row = 0
    while row < len(ids):
        last = max(row + 1, int(np.searchsorted(ends, starts[row] + per_block, side="right")))
        entries = _columns(data[int(starts[row]) : int(ends[last - 1])], 4 if name == "voxel_mask" else 3)
        owner = np.repeat(np.arange(row, last), ends[row:last] - starts[row:last])
        whole = np.all(entries[:, :-1] == np.rint(entries[:, :-1]), axis=1)
        for bad in np.unique(owner[~whole]):
            faults[int(bad)] = f"{name} has a coordinate that is no whole number"
        entries, owner = entries[whole], owner[whole]
        if name == "voxel_mask":
            for each in np.unique(owner):
                planes[int(each)] = np.unique(entries[owner == each, 2])
        parts.append(np.column_stack([owner, entries[:, 0], entries[:, 1], entries[:, -1]]))
        row = last
    faults.update(_several_planes(planes, table.name))
    owner, a, b, weights = np.concatenate(parts).T
    return _fair(
        name, ids, (owner.astype(np.int64), a.astype(np.int64), b.astype(np.int64), weights), faults, None
    )


def _columns(entries: Any, count: int) -> NDArray[np.float64]:
    """Mask entries as an array (n, count): x, y(, z), weight."""
    values = np.asarray(entries)
    if values.dtype.names:
        return np.column_stack([values[name].astype(np.float64) for name in values.dtype.names[:count]])
    if values.dtype == object:  # a list of tuples as Zarr and plain Python hold them
        values = np.array([tuple(entry) for entry in values], dtype=np.float64)
    return values.astype(np.float64).reshape(-1, count)


def _several_planes(planes: Mapping[int, NDArray], name: str) -> dict[int, str]:
    """Rows of a voxel_mask that span planes.

    Raises
    ------
    ReadingError
        If rows of one plane each lie on different planes: one movie of one plane cannot hold them.
    """
    single = sorted({float(z[0]) for z in planes.values() if len(z) == 1})
    if len(single) > 1:
        shown = ", ".join(f"{z:g}" for z in single[:5])
        what = f"The voxel masks lie on {len(single)} planes (z = {shown}); a movie of one plane cannot hold them"
        raise ReadingError(what, where=f"segmentation '{name}'", fix="Name a segmentation of one plane")
    return {row: f"voxel_mask spans {len(z)} planes" for row, z in planes.items() if len(z) > 1}


def _fair(
    column: str,
    ids: NDArray[np.int64],
    entries: tuple[NDArray, NDArray, NDArray, NDArray],
    faults: Mapping[int, str],
    image_shape: tuple[int, int] | None,
) -> MaskPixels:
    """Keep the pixels (row, a, b, weight), ordered by row, whose weight is a fair part of their ROI's maximum."""
    row, a, b, weights = entries
    counted = np.bincount(row, minlength=len(ids))
    with np.errstate(invalid="ignore"):
        good = np.isfinite(weights) & (weights > 0)
    highest = np.zeros(len(ids))
    np.maximum.at(highest, row[good], weights[good])
    good &= np.where(good, weights, 0) >= FAIR_PART * (1 - ROUNDING) * highest[row]
    row, a, b, weights = row[good], a[good], b[good], weights[good]
    kept = np.bincount(row, minlength=len(ids))
    reasons = dict(faults)
    for empty in np.flatnonzero(kept == 0):
        why = "its mask has no pixels" if not counted[empty] else "no weight of its mask is above 0"
        reasons.setdefault(int(empty), why)
    starts = np.concatenate([[0], np.cumsum(kept)]).astype(np.int64)
    return MaskPixels(column, a, b, weights.astype(np.float32), starts, ids, image_shape, reasons)


def _yes_or_no(table: Any, name: str) -> NDArray[np.bool_]:
    """Return a column as booleans, one per row."""
    if name not in table.colnames:
        what = f"The segmentation '{table.name}' has no column '{name}'"
        raise ConfigError(what, fix=f"It has {', '.join(table.colnames)}")
    values = np.asarray(_stored(table[name])[:])
    if values.ndim == 2 and values.shape[1] <= 2:
        values = values[:, 0]  # suite2p: whether it is a cell, and how probably
    if values.ndim != 1 or values.dtype.kind not in "buif" or not np.isin(values, (0, 1)).all():
        what = f"Column '{name}' of segmentation '{table.name}' does not say yes or no (0 or 1) for each ROI"
        raise ConfigError(what, fix="Choose by rows or ids instead")
    return values.astype(bool)
