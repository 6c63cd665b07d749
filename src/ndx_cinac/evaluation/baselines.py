"""The trace-based methods that a classifier has to beat: thresholds on smoothed traces and their rises."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..extras import require
from ..movies import Movie
from ..rois import Rois

FEATURE = "Scoring traces"
"""What needs SciPy; it is imported when it is needed, because drawing truth beside predictions does not."""

BASELINE_FRAMES = 300
BASELINE_PERCENTILE = 20
SMOOTHING_FRAMES = 1.0
PIXELS_PER_READ = 8_000_000


def mean_traces(movie: Movie, rois: Rois) -> NDArray[np.float64]:
    """Weighted mean of each ROI's pixels in every frame, shape (n_frames, n_rois); NaN for an empty ROI."""
    sparse = require("scipy.sparse", extra="predict", feature=FEATURE)
    first, second = movie.shape[1:]
    columns = rois.first.astype(np.int64) * second + rois.second
    weights = sparse.csr_matrix((rois.weights, columns, rois.starts), shape=(len(rois), first * second))
    total = np.asarray(weights.sum(axis=1), np.float64).ravel()
    traces = np.empty((movie.n_frames, len(rois)))
    step = max(1, PIXELS_PER_READ // (first * second))
    for start in range(0, movie.n_frames, step):
        frames = movie.read(start, min(start + step, movie.n_frames)).astype(np.float32)
        traces[start : start + len(frames)] = (weights @ frames.reshape(len(frames), -1).T).T
    with np.errstate(invalid="ignore"):
        return traces / total


def smoothed_trace_scores(movie: Movie, rois: Rois) -> NDArray[np.float64]:
    """Height of the smoothed trace above its baseline, in units of its noise, shape (n_frames, n_rois).

    The baseline is the running 20th percentile; the noise is the median size of the differences between
    successive frames, scaled to a standard deviation.
    """
    return _smoothed_change(movie, rois)


def smoothed_rise_scores(movie: Movie, rois: Rois) -> NDArray[np.float64]:
    """Height of each rise of the smoothed trace, in units of its noise, in all its frames from onset to peak.

    Returns
    -------
    ndarray, shape (n_frames, n_rois)
        0 where the trace does not rise.
    """
    smoothed = _smoothed_change(movie, rois)
    scores = np.zeros_like(smoothed)
    for roi in range(smoothed.shape[1]):
        trace = smoothed[:, roi]
        edges = np.diff(np.concatenate([[0], (np.diff(trace) > 0).astype(np.int8), [0]]))
        for onset, peak in zip(np.flatnonzero(edges == 1), np.flatnonzero(edges == -1), strict=True):
            scores[onset : peak + 1, roi] = np.maximum(
                scores[onset : peak + 1, roi], trace[peak] - trace[onset]
            )
    return scores


def _smoothed_change(movie: Movie, rois: Rois) -> NDArray[np.float64]:
    """Relative change of fluorescence, smoothed, over its noise."""
    ndimage = require("scipy.ndimage", extra="predict", feature=FEATURE)
    traces = mean_traces(movie, rois)
    baseline = ndimage.percentile_filter(
        traces, BASELINE_PERCENTILE, size=(BASELINE_FRAMES, 1), mode="nearest"
    )
    baseline = ndimage.uniform_filter1d(baseline, BASELINE_FRAMES, axis=0, mode="nearest")
    change = (traces - baseline) / np.maximum(np.abs(baseline), 1e-9)
    noise = 1.4826 / np.sqrt(2) * np.median(np.abs(np.diff(change, axis=0)), axis=0)
    return np.asarray(ndimage.gaussian_filter1d(change, SMOOTHING_FRAMES, axis=0) / np.maximum(noise, 1e-9))


def best_threshold(
    scores: NDArray[Any],
    active: NDArray[np.bool_],
    ignored: NDArray[np.bool_] | None = None,
    *,
    figure: str = "event_f1",
    n_candidates: int = 100,
) -> float:
    """Return the threshold that suits these very scores best: a baseline is given every advantage.

    Parameters
    ----------
    scores : ndarray, shape (n_frames, n_rois)
        Any score that grows with the evidence for activity.
    active, ignored : ndarray of bool, shape (n_frames, n_rois)
        The truth, and doubtful frames.
    figure : str
        The field of `ActivityScores` to make largest.
    n_candidates : int
        Quantiles of the scores that are tried above the 80th percentile; a quarter as many are below.
    """
    from .activity import score_activity

    shares = np.concatenate(
        [np.linspace(0, 0.8, n_candidates // 4), 1 - np.geomspace(0.2, 1e-4, n_candidates)]
    )
    candidates = np.unique(np.quantile(scores, shares))
    values = [
        getattr(score_activity(scores, active, ignored, threshold=float(threshold)), figure)
        for threshold in candidates
    ]
    return float(candidates[int(np.nanargmax(values))])
