"""Outlines of ROIs as DeepCINAC drew them, and the traces under them.

Legacy classifiers were trained on masks that are drawn polygons, not on the pixels of the ROI, and the
polygon's bounds and centroid say where a patch lies. Everything here follows those drawings, to the pixel.
Coordinates are (x, y): x runs along the movie's second spatial axis, y along its first.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..movies import BLOCK_BYTES, Movie, iterate_blocks
from ..rois import Rois
from .polygons import buffered, centroid, convex_hull, draw_polygon, intersect


@dataclass(frozen=True)
class Outlines:
    """One polygon per ROI.

    Attributes
    ----------
    polygons : tuple of ndarray of float64, each of shape (n_corners, 2)
        Corners as (x, y), not closed; no corners for an ROI that cannot be used.
    """

    polygons: tuple[NDArray[np.float64], ...]

    @classmethod
    def from_rois(cls, rois: Rois) -> Outlines:
        """Convex hulls of the ROIs' pixels; those of skipped rows are empty."""
        hulls = [convex_hull([] if r in rois.skipped else rois.pixels(r)[:, ::-1]) for r in range(len(rois))]
        return cls(tuple(hulls))

    @classmethod
    def from_contours(cls, contours: Iterable[ArrayLike]) -> Outlines:
        """Contours as they are, each of shape (n, 2); a last corner that repeats the first is dropped."""
        polygons = [np.asarray(contour, dtype=np.float64).reshape(-1, 2) for contour in contours]
        return cls(tuple(p[:-1] if len(p) > 1 and (p[0] == p[-1]).all() else p for p in polygons))

    def __len__(self) -> int:
        return len(self.polygons)

    def centroid(self, row: int) -> tuple[float, float]:
        """Centre (x, y) of one polygon."""
        return centroid(self.polygons[row])

    def bounds(self, row: int) -> tuple[int, int, int, int]:
        """Lowest x, lowest y, highest x, highest y of one polygon, truncated to whole pixels."""
        polygon = self.polygons[row]
        low, high = np.trunc(polygon.min(axis=0)).astype(int), np.trunc(polygon.max(axis=0)).astype(int)
        return int(low[0]), int(low[1]), int(high[0]), int(high[1])

    @cached_property
    def overlaps(self) -> NDArray[np.bool_]:
        """Which polygons have a point in common, shape (n_rois, n_rois); none with itself."""
        found = np.zeros((len(self), len(self)), bool)
        nowhere = np.full((1, 2), np.nan)  # compares as false with everything
        low = np.array([(p if len(p) else nowhere).min(axis=0) for p in self.polygons]).reshape(-1, 2)
        high = np.array([(p if len(p) else nowhere).max(axis=0) for p in self.polygons]).reshape(-1, 2)
        for row, polygon in enumerate(self.polygons):
            near = (low[row + 1 :] <= high[row]).all(axis=1) & (low[row] <= high[row + 1 :]).all(axis=1)
            for other in row + 1 + np.flatnonzero(near):
                found[row, other] = found[other, row] = intersect(polygon, self.polygons[other])
        return found

    def mask(
        self, row: int, corner: tuple[int, int], size: tuple[int, int], buffer: float | None = None
    ) -> NDArray[np.bool_]:
        """Pixels of one polygon in a patch.

        Parameters
        ----------
        row : int
            The ROI.
        corner : tuple of int
            The patch's lowest (x, y) in the frame.
        size : tuple of int
            The patch's (height, width).
        buffer : float, optional
            Pixels by which the polygon is widened first.

        Returns
        -------
        ndarray of bool, shape (height, width)
        """
        polygon = self.polygons[row] - np.asarray(corner, dtype=np.float64)
        pieces = buffered(polygon, buffer) if buffer else [polygon]
        drawn = np.array([draw_polygon(piece, *size) for piece in pieces])
        return np.asarray(drawn.any(axis=0))


def raw_traces(movie: Movie, masks: list[NDArray[np.bool_]]) -> NDArray[np.float64]:
    """Mean of the movie under each mask, frame by frame.

    Parameters
    ----------
    movie : Movie
        Read once, in blocks.
    masks : list of ndarray of bool, each of the frame's shape
        An empty mask gives a trace of zeros.

    Returns
    -------
    ndarray of float64, shape (n_masks, n_frames)
    """
    traces = np.zeros((len(masks), movie.n_frames))
    pixels = [np.nonzero(mask) for mask in masks]
    for start, stop in iterate_blocks(movie, BLOCK_BYTES // movie.frame_bytes):
        block = movie.read(start, stop)
        for trace, (first, second) in zip(traces, pixels, strict=True):
            if len(first):
                trace[start:stop] = block[:, first, second].mean(axis=1, dtype=np.float64)
    return traces


def smooth_traces(traces: NDArray[np.float64]) -> NDArray[np.float64]:
    """Traces smoothed by a Hamming window of seven frames, mirrored at both ends; shape as given.

    A trace shorter than seven frames is returned as it is.
    """
    if traces.shape[1] < 7:
        return traces.copy()
    window = np.hamming(7) / np.hamming(7).sum()
    mirrored = np.pad(traces, ((0, 0), (3, 3)), mode="reflect")
    return np.stack([np.convolve(window, trace, mode="valid") for trace in mirrored]).reshape(traces.shape)


def normalized_traces(traces: NDArray[np.float64], offset: float = 0.0) -> NDArray[np.float64]:
    """Each trace as standard scores plus `offset`; a constant trace becomes `offset`."""
    spread = traces.std(axis=1, keepdims=True)
    centred = traces - traces.mean(axis=1, keepdims=True)
    scores = np.divide(centred, spread, out=np.zeros_like(centred), where=spread > 0)
    return np.asarray(scores + offset)
