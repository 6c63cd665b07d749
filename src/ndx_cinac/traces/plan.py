"""The plan of a trace extraction: footprints, background, and matrices from sums over pixels to traces."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..extras import require
from ..rois import Rois
from .background import BackgroundGrid
from .channels import TRACES
from .demixing import Demixer, Layout
from .footprints import mask_rows, to_rows, widen
from .frames import FrameBlock
from .options import TraceOptions
from .refinement import MeasuredSample, refine

_sparse = require("scipy.sparse", extra="predict", feature="Extracting traces")


@dataclass(frozen=True)
class TracePlan:
    """What the pass over the movie applies to each block: sums over pixels first, then small matrices.

    Attributes
    ----------
    layout : Layout
        Pixels and background.
    rows : scipy.sparse.csr_array, shape (2 * n_usable, n_used)
        Masks, then refined footprints.
    with_masks : ndarray of float64, shape (n_kept, n_usable + n_bumps)
        Takes sums under masks and bumps to demixed traces.
    demixed : ndarray of float64, shape (2 * n_kept, n_usable + n_bumps)
        Takes sums under refined footprints and bumps to demixed traces and, below them, local background.
    squares, areas : ndarray of float64, shape (n_kept,)
        Squared norms of refined footprints, pixels of masks.
    kept : ndarray of int64, shape (n_kept,)
        Which of the usable ROIs get traces.
    """

    layout: Layout
    rows: Any
    with_masks: NDArray[np.float64]
    demixed: NDArray[np.float64]
    squares: NDArray[np.float64]
    areas: NDArray[np.float64]
    kept: NDArray[np.int64]

    def traces(self, block: FrameBlock) -> NDArray[np.float32]:
        """Traces of a block of frames, shape (n_kept, 5, n)."""
        sums = self.layout.footprint_sums(self.rows, block)
        masks, footprints = np.split(sums, 2)
        bumps = self.layout.grid_sums(block)
        out = np.empty((len(self.kept), len(TRACES), sums.shape[1]), np.float32)
        demixed, local = np.split(self.demixed @ np.concatenate([footprints, bumps]), 2)
        out[:, 0], out[:, 3] = demixed, local
        out[:, 1] = self.with_masks @ np.concatenate([masks, bumps])
        out[:, 2] = footprints[self.kept] / self.squares[:, None]
        out[:, 4] = masks[self.kept] / self.areas[:, None]
        return out


def prepare(measured: MeasuredSample, rois: Rois, options: TraceOptions) -> tuple[TracePlan, tuple[str, ...]]:
    """Lay out ROIs and background, refine footprints, and solve the normal equations once for all frames.

    Parameters
    ----------
    measured : MeasuredSample
        The movie's sample.
    rois : Rois
        All usable ones are demixed.
    options : TraceOptions
        How.

    Returns
    -------
    TracePlan
        For the ROIs that are kept.
    tuple of str
        What a user should know.
    """
    model, usable = measured.model, rois.usable
    kept = np.searchsorted(usable, rois.kept)
    masks = mask_rows(rois, usable, model.valid)
    areas = np.array([len(mask) for mask in masks])
    supports = [
        wide[model.valid[wide]] for wide in (widen(mask, rois.shape, options.widening) for mask in masks)
    ]
    pixels = np.unique(np.concatenate(supports))
    columns = np.zeros(model.median.size, np.int64)
    columns[pixels] = np.arange(len(pixels))
    diameter = float(np.sqrt(np.median(areas[areas > 0]) * 4 / np.pi)) if areas.any() else 1.0
    spacing = float(np.clip(options.background_spacing * diameter, *options.spacing_range))
    layout = Layout.make(pixels, BackgroundGrid.covering(rois.shape, spacing), model)
    mask_matrix = to_rows(masks, columns, len(pixels))
    first = Demixer(mask_matrix, layout, options.ridge)
    refined = refine(
        measured,
        layout,
        [columns[s] for s in supports],
        first,
        rounds=options.refinements,
        ridge=options.ridge,
    )
    final = Demixer(refined, layout, options.ridge)
    squares = np.asarray(refined.multiply(refined).sum(axis=1), np.float64).ravel()
    plan = TracePlan(
        layout=layout,
        rows=_sparse.vstack([mask_matrix, refined], format="csr"),
        with_masks=first.operator(kept, local=False),
        demixed=final.operator(kept, local=True),
        squares=np.where(squares > 0, squares, 1.0)[kept],
        areas=np.maximum(areas, 1)[kept].astype(np.float64),
        kept=kept,
    )
    blind = usable[kept][areas[kept] == 0]
    notes = [
        f"ROI row {row} has no pixel that is finite in most frames: its traces are flat" for row in blind
    ]
    return plan, tuple(notes)
