"""Stored ROI traces as evidence: under the right order of axes the movie's mean over an ROI follows them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..movies import BLOCK_BYTES, Movie
from ..recording import Axes, MaskOrder
from .masks import MaskPixels

MOST_ROIS = 60
"""Traces that are compared: more would add time and no certainty."""

RUN_FRAMES = 60
MOST_RUNS = 8
LARGEST_PART = 0.05
"""Frames are compared in contiguous runs of this length, where the stored traces vary most: in so many, but
in no more than this part of the movie, or one run. With the later sample a fifth of it is read twice."""

LENGTH_SLACK = 0.01
"""Part of the movie's frames that stored traces may have more or fewer."""

TELLING_OVERLAP = 0.3
"""Only ROIs tell of which at most this part covers the same pixels when the axes are exchanged."""

LEAST_CORRELATION = 0.3
LEAST_MARGIN = 0.2
LEAST_SHARE = 0.75
"""One order is right when its median correlation reaches the first, exceeds the other's by the second, and is
the higher one in this share of the ROIs. Right orders reach 0.99 with stored fluorescence and about 0.5 with
corrected or deconvolved traces; wrong ones lie near 0, or near what a common background makes of both."""


@dataclass(frozen=True)
class StoredTraces:
    """A RoiResponseSeries of the same segmentation.

    Attributes
    ----------
    path : str
        Its object path.
    data : array-like, shape (n_frames, n) or (n, n_frames)
        Stored values, lazy; some writers store them transposed.
    rows : ndarray of int64, shape (n,)
        Row of the segmentation of each trace.
    """

    path: str
    data: Any
    rows: NDArray[np.int64]

    def read(self, columns: NDArray[np.int64], n_frames: int) -> NDArray[np.float64] | None:
        """Read the traces of some columns of a movie of `n_frames`.

        Returns
        -------
        ndarray of shape (at most n_frames, len(columns)), or None
            None where the stored shape does not fit movie and rows.
        """
        lengths = tuple(self.data.shape) if len(self.data.shape) > 1 else (self.data.shape[0], 1)
        slack = LENGTH_SLACK * n_frames + 1
        fits = [abs(length - n_frames) <= slack for length in lengths]
        upright = fits[0] and lengths[1] == len(self.rows)
        if len(lengths) != 2 or not (upright or (fits[1] and lengths[0] == len(self.rows))):
            return None
        total = min(n_frames, lengths[0] if upright else lengths[1])
        values = np.empty((total, len(columns)))
        step = max(1, BLOCK_BYTES // (8 * len(self.rows)))
        for start in range(0, total, step):
            part = slice(start, min(start + step, total))
            block = np.asarray(self.data[part] if upright else self.data[:, part].T)
            values[part] = block.reshape(part.stop - part.start, -1)[:, columns]
        return values


@dataclass(frozen=True)
class Comparison:
    """Stored traces of one series against the movie under both orders."""

    path: str
    n_traces: int
    better: MaskOrder
    correlation: float
    other: float
    share: float

    @property
    def clear(self) -> bool:
        """Whether the figures leave no doubt."""
        margin = self.correlation - self.other
        return self.correlation >= LEAST_CORRELATION and margin >= LEAST_MARGIN and self.share >= LEAST_SHARE

    @property
    def figures(self) -> str:
        """The figures as a clause."""
        worse = "exchanged" if self.better == "matching" else "matching"
        return (
            f"{self.n_traces} traces of {self.path} correlate with the movie at {self.correlation:.2f} "
            f"(median) if masks and movie are {self.better}, at {self.other:.2f} if they are {worse}"
        )


def compare_orders(
    pixels: MaskPixels, movie: Movie, stored: Sequence[StoredTraces]
) -> tuple[Axes | None, str]:
    """Correlate stored traces with the movie's mean over each ROI under both orders, on a sample of frames.

    Returns
    -------
    axes : Axes or None
        The order that the traces leave no doubt about, or None.
    tried : str
        What was tried, as a clause, for when there is none.
    """
    if not stored:
        return None, "the file holds no traces of these ROIs to compare with"
    rows = _telling_rows(pixels, movie.shape[1:])
    if not len(rows):
        return None, "no ROI covers other pixels when the axes are exchanged"
    best: Comparison | None = None
    for series in stored:
        found = _compare(pixels, movie, series, rows)
        if found is not None and found.clear:
            return Axes(found.better, "stored traces", found.figures), ""
        if found is not None and (best is None or found.correlation > best.correlation):
            best = found
    if best is None:
        return None, "no stored traces have the movie's length and vary as it does"
    return None, f"{best.figures}, which does not tell"


def _compare(
    pixels: MaskPixels, movie: Movie, series: StoredTraces, rows: NDArray[np.int64]
) -> Comparison | None:
    """Compare one series; None where it does not fit or nothing varies."""
    columns = np.flatnonzero(np.isin(series.rows, rows))
    if not len(columns):
        return None
    columns = columns[np.unique(np.linspace(0, len(columns) - 1, MOST_ROIS).astype(int))]
    values = series.read(columns, movie.n_frames)
    if values is None:
        return None
    # A movie that has to be decompressed as a whole for each read is sampled in one place only.
    allowed = 1 if movie.temporary_bytes else int(LARGEST_PART * movie.n_frames / RUN_FRAMES)
    runs = _varied_runs(values, min(max(allowed, 1), MOST_RUNS))
    traces = _mean_traces(pixels, movie, runs, series.rows[columns])
    matching, exchanged = (_correlations(each, values, runs) for each in traces)
    both = np.isfinite(matching) & np.isfinite(exchanged)
    if not both.any():
        return None
    a, b = float(np.median(matching[both])), float(np.median(exchanged[both]))
    higher = float((matching > exchanged)[both].mean())
    better: MaskOrder = "matching" if a >= b else "exchanged"
    share = higher if a >= b else 1 - higher
    return Comparison(series.path, int(both.sum()), better, max(a, b), min(a, b), share)


def _telling_rows(pixels: MaskPixels, frame: tuple[int, int]) -> NDArray[np.int64]:
    """Rows that lie within the frame under both orders and cover mostly other pixels under the other one."""
    span = int(max(frame))
    telling = []
    for row in range(len(pixels)):
        part = slice(pixels.starts[row], pixels.starts[row + 1])
        a, b = pixels.a[part], pixels.b[part]
        if (
            row in pixels.faults
            or not len(a)
            or min(a.min(), b.min()) < 0
            or max(a.max(), b.max()) >= min(frame)
        ):
            continue
        if np.isin(a * span + b, b * span + a).mean() <= TELLING_OVERLAP:
            telling.append(row)
    return np.array(telling, dtype=np.int64)


def _varied_runs(values: NDArray[np.float64], count: int) -> list[tuple[int, int]]:
    """Contiguous runs of frames in which the traces vary most, in order of time."""
    runs = [(start, min(start + RUN_FRAMES, len(values))) for start in range(0, len(values), RUN_FRAMES)]
    finite = np.where(np.isfinite(values), values, 0)
    spread = finite.std(axis=0)
    spread[spread == 0] = np.inf
    scores = [float((finite[start:stop].std(axis=0) / spread).mean()) for start, stop in runs]
    return sorted(runs[index] for index in np.argsort(scores)[::-1][:count])


def _mean_traces(
    pixels: MaskPixels, movie: Movie, runs: Sequence[tuple[int, int]], rows: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean of the movie over each ROI in the runs' frames under both orders; shape (frames, rows) each."""
    parts = [slice(pixels.starts[row], pixels.starts[row + 1]) for row in rows]
    a = np.concatenate([pixels.a[part] for part in parts])
    b = np.concatenate([pixels.b[part] for part in parts])
    sizes = np.array([part.stop - part.start for part in parts])
    starts = np.cumsum(sizes) - sizes
    means: tuple[list[NDArray[Any]], list[NDArray[Any]]] = ([], [])
    step = max(1, BLOCK_BYTES // movie.frame_bytes)
    for start, stop in runs:
        for low in range(start, stop, step):
            frames = movie.read(low, min(low + step, stop))
            for found, (first, second) in zip(means, ((a, b), (b, a)), strict=True):
                values = frames[:, first, second].astype(np.float64)
                found.append(np.add.reduceat(values, starts, axis=1) / sizes)
    return np.concatenate(means[0]), np.concatenate(means[1])


def _correlations(
    found: NDArray[np.float64], values: NDArray[np.float64], runs: Sequence[tuple[int, int]]
) -> NDArray[np.float64]:
    """Correlation of each column with its stored trace; NaN where either is constant.

    Each run's own mean is taken out first, so that slow drift does not count.
    """
    products = np.zeros((3, found.shape[1]))
    position = 0
    for start, stop in runs:
        x, y = found[position : position + stop - start], values[start:stop]
        position += stop - start
        finite = np.isfinite(x) & np.isfinite(y)
        count = np.maximum(finite.sum(axis=0), 1)
        x, y = np.where(finite, x, 0), np.where(finite, y, 0)
        x, y = np.where(finite, x - x.sum(axis=0) / count, 0), np.where(finite, y - y.sum(axis=0) / count, 0)
        products += (x * y).sum(axis=0), (x * x).sum(axis=0), (y * y).sum(axis=0)
    scale = np.sqrt(products[1] * products[2])
    correlation = np.full(len(scale), np.nan)
    np.divide(products[0], scale, out=correlation, where=scale > 0)
    return correlation
