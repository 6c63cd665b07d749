"""Mask columns of a plane segmentation -> sparse pixels, read row by row, and the choice of rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from hdmf.data_utils import DataIO
from numpy.typing import NDArray

from ..errors import ConfigError, ReadingError
from ..hdf5_files import empty_claim, read_whole
from .image_masks import image_entries, image_shape

FAIR_PART = 0.2
"""A pixel belongs to an ROI where its weight is at least this part of the ROI's maximum.

Footprints of matrix factorisation (suite2p, CaImAn, CNMF-E) trail off in weights down to 0.001 over pixels
that belong to neighbours and neuropil; a fifth of the maximum is about where their outline is usually drawn.
Masks whose weights are of one size stay as they are.
"""

ROUNDING = 1e-6
"""Relative slack of that comparison, so that rounding of stored weights decides nothing."""

BLOCK_ENTRIES = 2**20
"""Entries of a pixel or voxel mask that are read together."""

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
        A column that says yes or no, such as ``iscell`` or ``Accepted``; of suite2p's two-column ``iscell``
        the first column counts.
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
        reasons: dict[int, str] = {}
        for name, wanted, present in (("row", self.rows, np.arange(len(ids))), ("id", self.ids, ids)):
            if wanted is None:
                continue
            absent = sorted(set(wanted) - set(present.tolist()))
            if absent:
                shown = ", ".join(map(str, absent[:5]))
                what = f"The segmentation '{table.name}' has no ROI with {name} {shown}"
                raise ConfigError(what, fix=f"It has {len(ids)} ROIs; list them with: ndx-cinac inspect FILE")
            for row in np.flatnonzero(~np.isin(present, wanted)):
                reasons.setdefault(int(row), f"its {name} was not chosen")
        if self.column is not None:
            for row in np.flatnonzero(~_yes_or_no(table, self.column)):
                reasons.setdefault(int(row), f"column '{self.column}' says no")
        return dict(sorted(reasons.items()))


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
    return read_whole(table.id.data, "id", f"segmentation '{table.name}'").astype(np.int64).ravel()


def image_mask_shape(table: Any) -> tuple[int, int] | None:
    """Height and width of `image_mask`, from its shape alone; None where there is none that can be used."""
    if "image_mask" not in table.colnames:
        return None
    shape = np.shape(_stored(table["image_mask"]))
    return (int(shape[1]), int(shape[2])) if len(shape) >= 3 else None


def read_masks(table: Any) -> MaskPixels:
    """Read the masks of a PlaneSegmentation; of image masks only a block of rows is dense at a time.

    Of several mask columns the first of `MASK_COLUMNS` that holds any pixels is taken.

    Raises
    ------
    ReadingError
        If the table has no rows, no mask column, or masks of several planes.
    """
    where = f"segmentation '{table.name}'"
    ids = row_ids(table)
    if not len(ids):
        what = "The plane segmentation has no ROIs"
        raise ReadingError(what, where=where)
    present = [name for name in MASK_COLUMNS if name in table.colnames]
    if not present:
        what = f"The plane segmentation has no mask column ({', '.join(MASK_COLUMNS)})"
        raise ReadingError(what, where=where, fix=f"It has the columns {', '.join(table.colnames)}")
    for name in present:
        data = _stored(table[name])
        _check_stored(
            data if name == "image_mask" else _stored(getattr(table[name], "target", table[name])), where
        )
        if name == "image_mask":
            entries = image_entries(data, where, FAIR_PART * (1 - ROUNDING))
            pixels = _assemble(name, ids, entries, {}, image_shape(data, where))
        else:
            entries, faults = _list_entries(table[name], name, len(ids), where)
            pixels = _assemble(name, ids, entries, faults, None)
        if len(pixels.weights):
            break
    return pixels


def _stored(column: Any) -> Any:
    """Return a column's data as stored: an HDF5 or Zarr dataset, or an array."""
    data = column.data
    if isinstance(data, DataIO):
        data = data.data
    return np.asarray(data) if isinstance(data, list | tuple) else data


def _list_entries(
    column: Any, name: str, n_rows: int, where: str
) -> tuple[tuple[NDArray[Any], ...], dict[int, str]]:
    """Row, coordinates and weight of each entry of a pixel or voxel mask, and rows that cannot be used."""
    if not hasattr(column, "target"):
        what = f"{name} has no index: which of its entries belong to which ROI is not told"
        raise ReadingError(what, where=where)
    data = _stored(column.target)
    ends = _ends(column, name, n_rows, len(data), where)
    starts = np.concatenate([[0], ends[:-1]])
    faults: dict[int, str] = {}
    blocks = []
    lowest, highest = np.full(n_rows, np.inf), np.full(n_rows, -np.inf)
    row = 0
    while row < n_rows:
        last = max(row + 1, int(np.searchsorted(ends, starts[row] + BLOCK_ENTRIES, side="right")))
        values = _columns(data[int(starts[row]) : int(ends[last - 1])], 4 if name == "voxel_mask" else 3)
        owner = np.repeat(np.arange(row, last), ends[row:last] - starts[row:last])
        place = values[:, :-1]
        whole = ((place == np.rint(place)) & (np.abs(place) < 2**53)).all(axis=1)
        odd = np.unique(owner[~whole]).tolist()
        faults |= dict.fromkeys(odd, f"{name} has a coordinate that is no whole number")
        kept = whole & _fair(owner, values[:, -1], n_rows)
        if name == "voxel_mask":
            np.minimum.at(lowest, owner[kept], values[kept, 2])
            np.maximum.at(highest, owner[kept], values[kept, 2])
        blocks.append((owner[kept], values[kept, 0], values[kept, 1], values[kept, -1]))
        row = last
    faults |= _several_planes(lowest, highest, where)
    return tuple(np.concatenate(each) for each in zip(*blocks, strict=True)), faults


def _check_stored(data: Any, where: str) -> None:
    """Refuse masks that claim to be more than the file holds of them."""
    claim = empty_claim(data) if hasattr(data, "shape") and hasattr(data, "dtype") else ""
    if claim:
        what = f"The masks of shape {tuple(data.shape)} were never written, or for the least part: {claim}"
        raise ReadingError(what, where=where, fix="Copy the file again from where it was made")


def _ends(column: Any, name: str, n_rows: int, n_entries: int, where: str) -> NDArray[np.int64]:
    """Where the entries of each row end; unsigned ends would wrap around when subtracted."""
    stored = read_whole(column.data, f"{name}_index", where)
    ends = stored.astype(np.int64, copy=False).ravel() if stored.dtype.kind in "ui" else np.zeros(0, np.int64)
    bounds = np.concatenate([[0], ends, [n_entries]])
    if len(ends) != n_rows or (np.diff(bounds) < 0).any() or (n_rows and stored.max() > n_entries):
        what = f"{name}'s index does not divide its {n_entries} entries among the {n_rows} ROIs"
        raise ReadingError(what, where=where, fix="Write the segmentation again: its index is damaged")
    return ends


def _columns(entries: Any, count: int) -> NDArray[np.float64]:
    """Mask entries as an array (n, count): x, y(, z), weight."""
    values = np.asarray(entries)
    if values.dtype.names:
        return np.column_stack([values[name].astype(np.float64) for name in values.dtype.names[:count]])
    if values.dtype == object:  # tuples, as Zarr and plain Python hold them
        values = np.array([tuple(entry) for entry in values], dtype=np.float64)
    return values.astype(np.float64).reshape(-1, count)


def _several_planes(lowest: NDArray[np.float64], highest: NDArray[np.float64], where: str) -> dict[int, str]:
    """Rows of a voxel_mask that span planes.

    Raises
    ------
    ReadingError
        If rows of one plane each lie on different planes: one movie of one plane cannot hold them.
    """
    single = np.unique(lowest[lowest == highest])
    if len(single) > 1:
        shown = ", ".join(f"{z:g}" for z in single[:5])
        what = f"The voxel masks lie on {len(single)} planes (z = {shown}), the movie on one"
        raise ReadingError(what, where=where, fix="Name a segmentation of one plane")
    return {
        int(row): f"voxel_mask spans several planes (z from {lowest[row]:g} to {highest[row]:g})"
        for row in np.flatnonzero(lowest < highest)
    }


def _fair(row: NDArray[Any], weights: NDArray[Any], n_rows: int) -> NDArray[np.bool_]:
    """Whether each weight is above 0 and a fair part of its row's maximum."""
    with np.errstate(over="ignore"):  # beyond the largest of float32 a weight is infinite, and no weight
        single = np.asarray(weights, dtype=np.float32)
    good = np.isfinite(single) & (single > 0)
    highest = np.zeros(n_rows)
    np.maximum.at(highest, row[good], weights[good])
    fair: NDArray[np.bool_] = good & (np.where(good, weights, 0) >= FAIR_PART * (1 - ROUNDING) * highest[row])
    return fair


def _assemble(
    column: str,
    ids: NDArray[np.int64],
    entries: tuple[NDArray[Any], ...],
    faults: Mapping[int, str],
    shape: tuple[int, int] | None,
) -> MaskPixels:
    """Put entries (row, a, b, weight), ordered by row, together; rows without any are faulty."""
    kept = _fair(entries[0], entries[3], len(ids))
    row, a, b, weights = (each[kept] for each in entries)
    counts = np.bincount(row, minlength=len(ids))
    reasons = dict(faults)
    for empty in np.flatnonzero(counts == 0):
        reasons.setdefault(int(empty), "its mask is empty: no pixel has a weight above 0")
    starts = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    whole = (a.astype(np.int64), b.astype(np.int64))
    return MaskPixels(column, *whole, weights.astype(np.float32), starts, ids, shape, reasons)


def _yes_or_no(table: Any, name: str) -> NDArray[np.bool_]:
    """Return a column as booleans, one per row."""
    if name not in table.colnames:
        what = f"The segmentation '{table.name}' has no column '{name}'"
        raise ConfigError(what, fix=f"It has {', '.join(table.colnames)}")
    values = read_whole(_stored(table[name]), name, f"segmentation '{table.name}'")
    if values.ndim == 2 and values.shape[1] <= 2:
        values = values[:, 0]  # suite2p: whether it is a cell, and how probably
    if values.ndim != 1 or values.dtype.kind not in "buif" or not np.isin(values, (0, 1)).all():
        what = f"Column '{name}' of segmentation '{table.name}' does not say yes or no (0 or 1) for each ROI"
        raise ConfigError(what, fix="Choose by rows or ids instead")
    return values.astype(bool)
