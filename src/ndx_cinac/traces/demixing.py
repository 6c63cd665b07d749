"""Demixing: least squares on all footprints and a local background at once, from sums over pixels alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..extras import require
from .background import BackgroundGrid
from .frames import FrameBlock, FrameModel

_linalg = require("scipy.linalg", extra="predict", feature="Demixing")


@dataclass(frozen=True)
class Layout:
    """Where footprints may lie: the pixels that any ROI uses, and the background bumps beneath.

    Attributes
    ----------
    pixels : ndarray of int64, shape (n_used,)
        Flat indices, ascending, of the pixels that the columns of footprints stand for.
    grid : BackgroundGrid
        The local background.
    basis : ndarray of float64, shape (n_used, 4)
        The frame model's basis at those pixels.
    grid_basis_sums : ndarray of float64, shape (n_bumps, 4)
        Sums of the basis under each bump.
    grid_gram : ndarray of float64, shape (n_bumps, n_bumps)
        Inner products of the bumps.
    """

    pixels: NDArray[np.int64]
    grid: BackgroundGrid
    basis: NDArray[np.float64]
    grid_basis_sums: NDArray[np.float64]
    grid_gram: NDArray[np.float64]

    @classmethod
    def make(cls, pixels: NDArray[np.int64], grid: BackgroundGrid, model: FrameModel) -> Layout:
        """Prepare what does not change with the footprints."""
        return cls(
            pixels=pixels,
            grid=grid,
            basis=model.basis[pixels].astype(np.float64),
            grid_basis_sums=grid.basis_sums(model.basis),
            grid_gram=grid.gram(model.valid),
        )

    def footprint_sums(self, footprints: Any, block: FrameBlock) -> NDArray[np.float64]:
        """Corrected sums of frames under footprints (sparse rows over `pixels`), shape (n_rois, n_frames)."""
        used = np.ascontiguousarray(block.deviations.T[self.pixels])
        return block.correct(footprints @ used, footprints @ self.basis)

    def grid_sums(self, block: FrameBlock) -> NDArray[np.float64]:
        """Corrected sums of frames under the bumps, shape (n_bumps, n_frames)."""
        return block.correct(self.grid.project(block.deviations), self.grid_basis_sums)


class Demixer:
    """Least squares on footprints and bumps together, with a ridge relative to each one's own norm.

    The ridge keeps ROIs apart that are alike, or one and the same: they share what they show.

    Parameters
    ----------
    footprints : scipy.sparse.csr_array of float32, shape (n_rois, n_used)
        Weights over the layout's pixels.
    layout : Layout
        Pixels and background.
    ridge : float
        What is added to the diagonal of the normal equations, relative to it.
    """

    def __init__(self, footprints: Any, layout: Layout, ridge: float) -> None:
        self.footprints = footprints
        self.n_rois = footprints.shape[0]
        self._cross = layout.grid.footprint_sums(footprints, layout.pixels)
        n = self.n_rois + len(layout.grid)
        normal = np.empty((n, n))
        exact = footprints.astype(np.float64)
        normal[: self.n_rois, : self.n_rois] = (exact @ exact.T).toarray()
        normal[: self.n_rois, self.n_rois :] = self._cross
        normal[self.n_rois :, : self.n_rois] = self._cross.T
        normal[self.n_rois :, self.n_rois :] = layout.grid_gram
        diagonal = normal.diagonal().copy()
        # What lies on no valid pixel at all gets zeros, not an equation that cannot be solved.
        np.fill_diagonal(normal, np.where(diagonal > 0, diagonal * (1 + ridge), 1.0))
        self._factor = _linalg.cho_factor(normal, lower=True, overwrite_a=True, check_finite=False)

    def solve(self, sums: NDArray[np.float64]) -> NDArray[np.float64]:
        """Heights of footprints and bumps from the sums under them, both of shape (n_rois + n_bumps, n)."""
        return np.asarray(_linalg.cho_solve(self._factor, sums, check_finite=False))

    def local_weights(self) -> NDArray[np.float64]:
        """Average each bump over each ROI's footprint, shape (n_rois, n_bumps)."""
        total = np.asarray(self.footprints.sum(axis=1), np.float64).reshape(-1, 1)
        return self._cross / np.where(total > 0, total, 1.0)

    def operator(self, rows: NDArray[np.int64], *, local: bool) -> NDArray[np.float64]:
        """Matrix that takes sums to the heights of some footprints and, below them, their local background.

        Returns
        -------
        ndarray of float64, shape (n_rows or 2 * n_rows, n_rois + n_bumps)
        """
        wanted = np.zeros((len(rows) * (1 + local), self._factor[0].shape[0]))
        wanted[np.arange(len(rows)), rows] = 1.0
        if local:
            wanted[len(rows) :, self.n_rois :] = self.local_weights()[rows]
        return np.ascontiguousarray(self.solve(wanted.T).T)
