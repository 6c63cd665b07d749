"""Refinement of footprints: a pixel near an ROI weighs as much as it follows the ROI's demixed trace."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..extras import require
from .demixing import Demixer, Layout
from .frames import N_TERMS, FrameBlock, FrameModel
from .order_statistics import median
from .sampling import Sample

_sparse = require("scipy.sparse", extra="predict", feature="Extracting traces")

ACTIVE = 2.5
"""A frame counts as activity where the trace is so many noise deviations above its median."""
PRIOR_STRENGTH = 64.0
"""What the mask counts against the movie: as much as so many pixel noise variances of squared activity."""
LARGEST_WEIGHT = 3.0
LEAST_MASK_MEAN = 0.05
"""A footprint whose mean within its mask is below this has left its cell: the mask takes its place."""
NOISE_FRAMES = 200
"""Pairs of successive frames, at most, that the noise of pixels is taken from."""
DEVIATION_OF_DIFFERENCES = 1.4826 / 2**0.5
"""Standard deviation of normal noise over the median absolute difference of successive values."""


def difference_noise(traces: NDArray[Any], steps: NDArray[np.int64] | None = None) -> NDArray[Any]:
    """Noise of traces of shape (n, n_frames), as the median absolute difference of successive frames.

    `steps` are the frames whose successor counts; all of them by default. No step at all gives 0.
    """
    steps = np.arange(traces.shape[1] - 1) if steps is None else steps
    if not len(steps):
        return np.zeros(len(traces), traces.dtype)
    differences = np.abs(traces[:, steps + 1] - traces[:, steps])
    return np.asarray(median(differences) * DEVIATION_OF_DIFFERENCES, traces.dtype)


class MeasuredSample:
    """Sampled frames with their corrections; what is summed or measured leaves out frames without a picture.

    Parameters
    ----------
    sample : Sample
        Frames in memory.
    model : FrameModel
        Fitted to them.
    block_frames : int
        Frames that are taken up at once.
    """

    def __init__(self, sample: Sample, model: FrameModel, block_frames: int) -> None:
        self.model = model
        self.frames = sample.frames
        self.whole = sample.whole
        self.coefficients = np.zeros((len(self.frames), N_TERMS))
        self.missing = np.zeros(len(self.frames), np.bool_)
        self._parts = [slice(a, a + block_frames) for a in range(0, len(self.frames), block_frames)]
        self._kept: FrameBlock | None = None
        for part in self._parts:
            block = model.measure(self.frames[part])
            self.coefficients[part], self.missing[part] = block.coefficients, block.missing
            self._kept = block if len(self._parts) == 1 else None
        self.present = np.flatnonzero(~self.missing)
        self._follows = np.diff(sample.numbers) == 1

    @property
    def steps(self) -> NDArray[np.int64]:
        """Positions within `present` whose successor there is the next frame of the movie."""
        neighbours = np.diff(self.present) == 1
        return np.flatnonzero(neighbours & self._follows[self.present[:-1]])

    def release(self) -> None:
        """Let go of the frames: for a movie that is read again as a whole."""
        self.frames, self._kept = self.frames[:0].copy(), None

    def block(self, part: slice) -> FrameBlock:
        """Frames of the sample as deviations, without measuring their corrections again."""
        if self._kept is not None and part == self._parts[0]:
            return self._kept
        return self.model.measure(self.frames[part], (self.coefficients[part], self.missing[part]))

    def sums(
        self, layout: Layout, footprints: Any, *, grid: bool
    ) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
        """Sum frames under footprints and under bumps, and over time at the layout's pixels; corrected."""
        under_footprints, under_bumps = [], []
        total = np.zeros(len(layout.pixels))
        for part in self._parts:
            block = self.block(part)
            under_footprints.append(layout.footprint_sums(footprints, block))
            if grid:
                under_bumps.append(layout.grid_sums(block))
                inverse = np.where(block.missing, 0.0, 1.0 / block.gain)
                total += (inverse.astype(np.float32) @ block.deviations)[layout.pixels]
                total -= layout.basis @ (inverse @ block.coefficients)
        bumps = np.concatenate(under_bumps, axis=1)[:, self.present] if grid else np.zeros((0, 0))
        return np.concatenate(under_footprints, axis=1)[:, self.present], bumps, total

    def corrected(self, positions: NDArray[np.int64], pixels: NDArray[np.int64]) -> NDArray[np.float32]:
        """Correct some pixels of some of the frames that are `present`; 0 where they are not finite."""
        rows = self.present[positions]
        if self._kept is not None:
            values = self._kept.deviations[np.ix_(rows, pixels)]
        else:
            raw = self.frames.reshape(len(self.frames), -1)[np.ix_(rows, pixels)]
            values = self.model.subtract(raw, pixels)
        coefficients = self.coefficients[rows].astype(np.float32)
        values -= coefficients @ self.model.basis[pixels].T
        values /= 1 + coefficients[:, 1:2]
        if self.frames.dtype.kind == "f":
            values[~np.isfinite(values)] = 0.0
        return values

    def pixel_noise(self) -> float:
        """Noise of a typical pixel, from successive frames."""
        steps = self.steps
        if not len(steps):
            return 0.0
        chosen = steps[np.linspace(0, len(steps) - 1, min(len(steps), NOISE_FRAMES)).astype(np.int64)]
        probes = self.model.probes
        differences = self.corrected(chosen + 1, probes) - self.corrected(chosen, probes)
        return float(median(median(np.abs(differences).T))) * DEVIATION_OF_DIFFERENCES


def refine(
    measured: MeasuredSample,
    layout: Layout,
    supports: list[NDArray[np.int64]],
    demixer: Demixer,
    *,
    rounds: int,
    ridge: float,
) -> Any:
    """Refine footprints from what the sample shows.

    In each round the sample is demixed and every pixel of an ROI's support is regressed on the active part
    of the ROI's trace, after background and other ROIs have been taken out, with the mask as prior: an ROI
    that is never seen active keeps its mask.

    Parameters
    ----------
    measured : MeasuredSample
        The movie's sample.
    layout : Layout
        Pixels and background.
    supports : list of ndarray
        Columns of the layout where each refined footprint may lie, ascending.
    demixer : Demixer
        With the masks as footprints.
    rounds : int
        How often; 0 returns the masks.
    ridge : float
        As for `Demixer`.

    Returns
    -------
    scipy.sparse.csr_array of float32, shape (n_rois, n_used)
        Refined footprints; each one's mean within its mask is 1.
    """
    masks = footprints = demixer.footprints
    if rounds == 0:
        return masks
    noise = max(measured.pixel_noise(), 1e-6 * measured.model.sigma)
    sums, grid_sums, total = measured.sums(layout, masks, grid=True)
    for i in range(rounds):
        heights = demixer.solve(np.concatenate([sums, grid_sums]))
        footprints = _refine_once(measured, layout, supports, (masks, footprints), heights, (total, noise**2))
        if i < rounds - 1:
            demixer = Demixer(footprints, layout, ridge)
            sums, _, _ = measured.sums(layout, footprints, grid=False)
    return footprints


def _refine_once(
    measured: MeasuredSample,
    layout: Layout,
    supports: list[NDArray[np.int64]],
    rows: tuple[Any, Any],
    heights: NDArray[np.float64],
    statistics: tuple[NDArray[np.float64], float],
) -> Any:
    masks, footprints = rows
    total, variance = statistics
    traces, background = np.split(heights, [len(supports)])
    activity = traces - median(traces)[:, None]
    activity[activity <= ACTIVE * difference_noise(traces, measured.steps)[:, None]] = 0.0
    mean = activity.mean(axis=1, keepdims=True)
    own = (activity * traces).sum(axis=1) - mean[:, 0] * traces.sum(axis=1)
    centred = activity - mean
    background_share = centred @ background.T
    others = _overlapping(supports, footprints, centred @ traces.T)
    prior = PRIOR_STRENGTH * variance
    image, weights = np.zeros(len(layout.pixels)), []
    for k, support in enumerate(supports):
        pixels = layout.pixels[support]
        seen = np.flatnonzero(activity[k])
        value = activity[k, seen] @ measured.corrected(seen, pixels) - mean[k] * total[support]
        value -= layout.grid.evaluate(background_share[k], pixels)
        value -= _take(others, k, support, image) - own[k] * _take(footprints, k, support, image)
        mask = _take(masks, k, support, image)
        new = np.clip((value + prior * mask) / (own[k] + prior), 0.0, LARGEST_WEIGHT)
        level = float(new @ mask) / max(float(mask.sum()), 1.0)
        weights.append(new / level if level > LEAST_MASK_MEAN else mask)
    starts = np.concatenate([[0], np.cumsum([len(support) for support in supports])])
    data = np.concatenate(weights).astype(np.float32)
    refined = _sparse.csr_array((data, np.concatenate(supports), starts), shape=masks.shape)
    refined.eliminate_zeros()
    return refined


def _overlapping(supports: list[NDArray[np.int64]], footprints: Any, shares: NDArray[np.float64]) -> Any:
    """Sum footprints j weighted by ``shares[k, j]``, as a sparse row per ROI k; only where supports meet."""
    starts = np.concatenate([[0], np.cumsum([len(support) for support in supports])])
    columns = np.concatenate(supports)
    pattern = _sparse.csr_array((np.ones(len(columns)), columns, starts), shape=footprints.shape)
    meeting = (pattern @ footprints.astype(np.float64).T).tocoo()
    kept = _sparse.csr_array(
        (shares[meeting.row, meeting.col], (meeting.row, meeting.col)), shape=shares.shape
    )
    return (kept @ footprints.astype(np.float64)).tocsr()


def _take(rows: Any, k: int, columns: NDArray[np.int64], image: NDArray[np.float64]) -> NDArray[np.float64]:
    """Values of one sparse row at some columns; `image` is scratch space of zeros, one per column."""
    part = slice(rows.indptr[k], rows.indptr[k + 1])
    image[rows.indices[part]] = rows.data[part]
    values = image[columns]
    image[rows.indices[part]] = 0.0
    return np.asarray(values)
