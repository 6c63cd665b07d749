"""Regions of interest as sparse weighted pixels on the movie's own spatial axes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .errors import ReadingError


@dataclass(frozen=True)
class Rois:
    """The ROIs of one plane segmentation, in the order of its rows.

    Pixels of all ROIs lie one after another; ROI ``r`` owns ``starts[r]:starts[r + 1]``. The first index runs
    along the movie's first spatial axis as stored, the second along its second: whatever the file calls them,
    masks and movie agree here.

    Attributes
    ----------
    first, second : ndarray of int32, shape (n_pixels,)
        Indices on the movie's first and second spatial axis.
    weights : ndarray of float32, shape (n_pixels,)
        Weight of each pixel, above 0.
    starts : ndarray of int64, shape (n_rois + 1,)
        Where each ROI's pixels begin; the last entry is their total number.
    shape : tuple of int
        Lengths of the movie's two spatial axes.
    ids : ndarray of int64, shape (n_rois,)
        The segmentation's row ids.
    skipped : mapping of int to str
        Rows that cannot be used at all (empty, out of the frame, oversized), with the reason.
    unselected : mapping of int to str
        Rows that are fit, serve as neighbours of others, and are not to be predicted, with the reason.
    """

    first: NDArray[np.int32]
    second: NDArray[np.int32]
    weights: NDArray[np.float32]
    starts: NDArray[np.int64]
    shape: tuple[int, int]
    ids: NDArray[np.int64]
    skipped: Mapping[int, str] = field(default_factory=dict)
    unselected: Mapping[int, str] = field(default_factory=dict)

    @classmethod
    def from_pixels(
        cls,
        pixels: Iterable[NDArray[Any]],
        shape: tuple[int, int],
        *,
        weights: Iterable[NDArray[Any]] | None = None,
        ids: Sequence[int] | NDArray[Any] | None = None,
        skipped: Mapping[int, str] | None = None,
    ) -> Rois:
        """Make ROIs from one array of shape (n, 2) per ROI: first index, second index.

        Raises
        ------
        ReadingError
            If a pixel lies outside `shape`.
        """
        lists = [np.asarray(p, dtype=np.int64).reshape(-1, 2) for p in pixels]
        counts = np.array([len(p) for p in lists], dtype=np.int64)
        flat = np.concatenate(lists) if lists else np.zeros((0, 2), np.int64)
        starts = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
        outside = ((flat < 0) | (flat >= np.asarray(shape))).any(axis=1)
        if outside.any():
            position = int(np.flatnonzero(outside)[0])
            row = int(np.searchsorted(starts, position, side="right") - 1)
            place = tuple(int(v) for v in flat[position])
            what = f"ROI {row} has a pixel at {place}, outside of the frame {tuple(shape)}"
            raise ReadingError(what)
        given = None if weights is None else [np.asarray(w, dtype=np.float32).ravel() for w in weights]
        values = np.ones(len(flat), np.float32) if given is None or not given else np.concatenate(given)
        return cls(
            first=flat[:, 0].astype(np.int32),
            second=flat[:, 1].astype(np.int32),
            weights=values,
            starts=starts,
            shape=(int(shape[0]), int(shape[1])),
            ids=np.arange(len(lists)) if ids is None else np.asarray(ids, dtype=np.int64),
            skipped=dict(skipped or {}),
        )

    def __len__(self) -> int:
        return len(self.starts) - 1

    @property
    def n_pixels(self) -> NDArray[np.int64]:
        """Number of pixels of each ROI, shape (n_rois,)."""
        return np.diff(self.starts)

    @property
    def usable(self) -> NDArray[np.int64]:
        """Rows whose pixels can be used, ascending: those to predict and their neighbours."""
        return np.array([row for row in range(len(self)) if row not in self.skipped], dtype=np.int64)

    @property
    def kept(self) -> NDArray[np.int64]:
        """Rows that are to be predicted, ascending."""
        return np.array([row for row in self.usable if row not in self.unselected], dtype=np.int64)

    def pixels(self, row: int) -> NDArray[np.int32]:
        """Pixels of one ROI, shape (n, 2): first index, second index."""
        part = slice(self.starts[row], self.starts[row + 1])
        return np.stack([self.first[part], self.second[part]], axis=1)

    def pixel_weights(self, row: int) -> NDArray[np.float32]:
        """Weights of one ROI's pixels, in the order of `pixels`."""
        return self.weights[self.starts[row] : self.starts[row + 1]]

    def centroid(self, row: int) -> tuple[float, float]:
        """Weighted centre of one ROI on the movie's first and second spatial axis; NaN for an empty ROI."""
        weights = self.pixel_weights(row).astype(np.float64)
        if not weights.sum() > 0:
            return float("nan"), float("nan")
        first, second = np.average(self.pixels(row), axis=0, weights=weights)
        return float(first), float(second)
