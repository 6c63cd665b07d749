"""Stored ROI traces as evidence: under the right order of axes the movie's mean over an ROI follows them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .masks import MaskPixels
from .movies import BLOCK_BYTES, Movie
from .recording import Axes, MaskOrder

MOST_ROIS = 60
"""Traces that are compared: more would add time and no certainty."""

RUN_FRAMES = 60
RUNS = 8
"""Frames are compared in this many contiguous runs, where the stored traces vary most."""

LEAST_CORRELATION = 0.3
LEAST_MARGIN = 0.2
LEAST_SHARE = 0.75
"""One order is right when its median correlation reaches the first, exceeds the other's by the second, and is the higher one
in this share of the ROIs. Right orders reach 0.99 with stored fluorescence and about 0.5 with deconvolved or corrected
traces; wrong ones lie near 0, or near a common background that both share."""


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
        """Return traces of some columns, shape (n_frames, len(columns)); None where the shape does not fit the movie."""
        shape = tuple(self.data.shape)
        if len(shape) == 1 and len(self.rows) == 1:
            shape = (*shape, 1)
        if len(shape) != 2 or len(self.rows) not in shape:
            return None
        upright = shape[1] == len(self.rows) and shape[0] >= n_frames
        if not upright and not (shape[0] == len(self.rows) and shape[1] >= n_frames):
            return None
        values = np.empty((n_frames, len(columns)))
        step = max(1, BLOCK_BYTES // (8 * len(self.rows)))
        for start in range(0, n_frames, step):
            stop = min(start + step, n_frames)
            if len(self.data.shape) == 1:
                block = np.asarray(self.data[start:stop])[:, None]
            else:
                block = np.asarray(self.data[start:stop] if upright else self.data[:, start:stop].T)
            values[start:stop] = block[:, columns]
        return values


def compare_orders(
    pixels: MaskPixels, movie: Movie, stored: Sequence[StoredTraces]
) -> tuple[Axes | None, str]:
    """Correlate stored traces with the movie's mean over each ROI under both orders, on a sample of frames.

    Returns
    -------
    Axes or None
        The order that the traces leave no doubt about, or None.
    tried : str
        What was tried, as a clause, for when there is none.
    """
    rows = _telling_rows(pixels, movie.shape[1:])
    if not stored:
        return None, "the file holds no traces of these ROIs to compare with"
    if not len(rows):
        return None, "no ROI covers other pixels when the axes are exchanged"
    best: tuple[float, Axes | None, str] = (-1.0, None, "")
    for series in stored:
        verdict = _compare(pixels, movie, series, rows)
        if verdict[0] > best[0]:
            best = verdict
        if best[1] is not None:
            break
    return best[1], best[2] or "no stored traces have the movie's length and vary"


def _compare(
    pixels: MaskPixels, movie: Movie, series: StoredTraces, rows: NDArray[np.int64]
) -> tuple[float, Axes | None, str]:
    """Margin, verdict and figures of one series."""
    columns = np.flatnonzero(np.isin(series.rows, rows))
    columns = (
        columns[np.linspace(0, len(columns) - 1, min(len(columns), MOST_ROIS)).astype(int)]
        if len(columns)
        else columns
    )
    values = series.read(columns, movie.n_frames) if len(columns) else None
    if values is None:
        return -1.0, None, ""
    runs = _varied_runs(values)
    used = series.rows[columns]
    medians, per_roi = {}, {}
    traces = _mean_traces(pixels, movie, runs, used)
    for order, found in zip(("matching", "exchanged"), traces, strict=True):
        per_roi[order] = _correlations(found, values, runs)
        finite = per_roi[order][np.isfinite(per_roi[order])]
        medians[order] = float(np.median(finite)) if len(finite) else float("nan")
    both = np.isfinite(per_roi["matching"]) & np.isfinite(per_roi["exchanged"])
    if not both.any():
        return -1.0, None, ""
    better: MaskOrder = "matching" if medians["matching"] >= medians["exchanged"] else "exchanged"
    worse: MaskOrder = "exchanged" if better == "matching" else "matching"
    margin = medians[better] - medians[worse]
    share = float((per_roi[better] > per_roi[worse])[both].mean())
    figures = (
        f"{int(both.sum())} traces of {series.path} correlate with the movie at {medians[better]:.2f} (median) if masks and "
        f"movie are {better}, at {medians[worse]:.2f} if they are {worse}"
    )
    clear = medians[better] >= LEAST_CORRELATION and margin >= LEAST_MARGIN and share >= LEAST_SHARE
    return (
        margin,
        Axes(better, "stored traces", figures) if clear else None,
        f"{figures}, which does not tell",
    )


def _telling_rows(pixels: MaskPixels, frame: tuple[int, int]) -> NDArray[np.int64]:
    """Rows that lie within the frame under both orders and cover mostly other pixels under the other one."""
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
        here, there = (
            set(zip(a.tolist(), b.tolist(), strict=True)),
            set(zip(b.tolist(), a.tolist(), strict=True)),
        )
        if len(here & there) < 0.3 * len(here):
            telling.append(row)
    return np.array(telling, dtype=np.int64)


def _varied_runs(values: NDArray[np.float64]) -> list[tuple[int, int]]:
    """Contiguous runs of frames in which the traces vary most."""
    edges = list(range(0, len(values), RUN_FRAMES))
    runs = [(start, min(start + RUN_FRAMES, len(values))) for start in edges]
    with np.errstate(all="ignore"):
        spread = np.nanstd(values, axis=0)
        spread[~(spread > 0)] = np.inf
        scores = [
            float(np.nanmean(np.nanstd(values[a:b], axis=0) / spread)) for a, b in runs if b - a > 2
        ] or [0.0]
    chosen = np.argsort(np.nan_to_num(scores))[::-1][:RUNS]
    return sorted(runs[i] for i in chosen)


def _mean_traces(
    pixels: MaskPixels, movie: Movie, runs: Sequence[tuple[int, int]], rows: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean of the movie over each ROI in the runs' frames, under both orders; shape (frames, len(rows)) each."""
    parts = [slice(pixels.starts[row], pixels.starts[row + 1]) for row in rows]
    a = np.concatenate([pixels.a[part] for part in parts])
    b = np.concatenate([pixels.b[part] for part in parts])
    sizes = np.array([part.stop - part.start for part in parts])
    starts = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    means: tuple[list[NDArray], list[NDArray]] = ([], [])
    step = max(1, BLOCK_BYTES // movie.frame_bytes)
    for start, stop in runs:
        for low in range(start, stop, step):
            frames = movie.read(low, min(low + step, stop))
            for found, index in zip(means, ((a, b), (b, a)), strict=True):
                values = frames[:, index[0], index[1]].astype(np.float64)
                found.append(np.add.reduceat(values, starts, axis=1) / sizes)
    return np.concatenate(means[0]), np.concatenate(means[1])


def _correlations(
    found: NDArray[np.float64], values: NDArray[np.float64], runs: Sequence[tuple[int, int]]
) -> NDArray[np.float64]:
    """Correlation of each column, each run's own mean taken out so that slow drift does not count; NaN where constant."""
    stored = np.concatenate([values[a:b] for a, b in runs])
    finite = np.isfinite(found) & np.isfinite(stored)
    found, stored = np.where(finite, found, np.nan), np.where(finite, stored, np.nan)
    position = 0
    with np.errstate(all="ignore"):
        for start, stop in runs:
            part = slice(position, position + stop - start)
            for each in (found, stored):
                count = np.maximum(np.isfinite(each[part]).sum(axis=0), 1)
                each[part] = np.nan_to_num(each[part] - np.nansum(each[part], axis=0) / count)
            position += stop - start
        scale = np.sqrt((found**2).sum(axis=0) * (stored**2).sum(axis=0))
        return np.where(scale > 0, (found * stored).sum(axis=0) / scale, np.nan)
