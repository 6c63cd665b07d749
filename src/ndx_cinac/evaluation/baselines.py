"""The trace-based methods that a classifier has to beat: smoothed traces, their rises, deconvolution."""

from __future__ import annotations

import logging
from collections.abc import Callable
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..extras import require
from ..movies import Movie
from ..progress import Progress, silent
from ..rois import Rois

if TYPE_CHECKING:
    from ..traces import TraceOptions

logger = logging.getLogger(__name__)

FEATURE = "Scoring traces"
"""What needs SciPy; it is imported when it is needed, because drawing truth beside predictions does not."""

BASELINE_FRAMES = 300
BASELINE_PERCENTILE = 20
SMOOTHING_FRAMES = 1.0
PIXELS_PER_READ = 8_000_000
ROIS_TOGETHER = 100


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


def demixed_traces(
    movie: Movie, rois: Rois, options: TraceOptions | None = None, *, progress: Progress = silent
) -> NDArray[np.float64]:
    """Demixed trace of each ROI, as `extract_traces` finds it, shape (n_frames, n_rois).

    In the movie's unit, around 0 at rest; NaN for ROIs that cannot be used or are not to be predicted.
    """
    from ..traces import TraceOptions, extract_traces
    from ..traces.channels import TRACES

    demixed = TRACES.index("demixed")
    traces = np.full((movie.n_frames, len(rois)), np.nan)
    with extract_traces(movie, rois, options or TraceOptions(), progress=progress) as extracted:
        for start in range(0, extracted.n_rois, ROIS_TOGETHER):
            part = slice(start, start + ROIS_TOGETHER)
            traces[:, extracted.roi_rows[part]] = extracted.raw(part)[:, demixed].T
    return traces


def change_over_noise(traces: NDArray[Any], *, relative: bool = True) -> NDArray[np.float64]:
    """Height of traces above their baseline in units of their noise, shape (n_frames, n_rois).

    The baseline is the running 20th percentile; the noise is the median size of the differences between
    successive frames, scaled to a standard deviation. A trace that is not finite is 0 throughout.

    Parameters
    ----------
    traces : ndarray, shape (n_frames, n_rois)
        Fluorescence, or demixed traces.
    relative : bool
        Whether to divide by the baseline, which takes out bleaching; not for traces that are 0 at rest.
    """
    ndimage = require("scipy.ndimage", extra="predict", feature=FEATURE)
    change = np.zeros(traces.shape)
    for roi in np.flatnonzero(np.isfinite(traces).all(axis=0)):
        trace = traces[:, roi].astype(np.float64)
        baseline = ndimage.percentile_filter(trace, BASELINE_PERCENTILE, size=BASELINE_FRAMES, mode="nearest")
        baseline = ndimage.uniform_filter1d(baseline, BASELINE_FRAMES, mode="nearest")
        change[:, roi] = trace - baseline
        if relative:
            change[:, roi] /= np.maximum(np.abs(baseline), 1e-9)
    noise = 1.4826 / np.sqrt(2) * np.median(np.abs(np.diff(change, axis=0)), axis=0)
    return np.asarray(change / np.maximum(noise, 1e-9))


def height_scores(change: NDArray[np.float64]) -> NDArray[np.float64]:
    """Height of the smoothed trace; `change` as `change_over_noise` gives it, shape (n_frames, n_rois)."""
    ndimage = require("scipy.ndimage", extra="predict", feature=FEATURE)
    return np.asarray(ndimage.gaussian_filter1d(change, SMOOTHING_FRAMES, axis=0))


def rise_scores(change: NDArray[np.float64]) -> NDArray[np.float64]:
    """Height of each rise of the smoothed trace, in all its frames from onset to peak; 0 elsewhere.

    `change` is what `change_over_noise` gives, shape (n_frames, n_rois).
    """
    smoothed = height_scores(change)
    scores = np.zeros_like(smoothed)
    for roi in range(smoothed.shape[1]):
        trace = smoothed[:, roi]
        edges = np.diff(np.concatenate([[0], (np.diff(trace) > 0).astype(np.int8), [0]]))
        for onset, peak in zip(np.flatnonzero(edges == 1), np.flatnonzero(edges == -1), strict=True):
            scores[onset : peak + 1, roi] = np.maximum(
                scores[onset : peak + 1, roi], trace[peak] - trace[onset]
            )
    return scores


def oasis_scores(change: NDArray[np.float64]) -> NDArray[np.float64]:
    """Deconvolved activity by OASIS (Friedrich, Zhou and Paninski, 2017), shape (n_frames, n_rois).

    Each trace is deconvolved with an autoregressive kernel of first order and the sparsity that its noise
    allows; a spike counts for the frame before, too, as a rise does. `change` is what `change_over_noise`
    gives. Where no kernel can be estimated, as in a trace without any change, the score is 0.

    Raises
    ------
    MissingExtraError
        If oasis-deconv is not installed.
    """
    oasis = require("oasis.functions", extra="baselines", feature="Deconvolution by OASIS")
    scores = np.zeros_like(change)
    for roi in np.flatnonzero(np.ptp(change, axis=0) > 0):
        try:
            spikes = oasis.deconvolve(np.ascontiguousarray(change[:, roi]), sn=1.0, penalty=1).s
        except (ArithmeticError, np.linalg.LinAlgError, ValueError) as error:
            logger.warning("OASIS cannot deconvolve the trace of column %d: %s", roi, error)
            continue
        scores[:, roi] = np.nan_to_num(np.maximum(spikes, 0))
    scores[:-1] = np.maximum(scores[:-1], scores[1:])
    return scores


def smoothed_trace_scores(movie: Movie, rois: Rois) -> NDArray[np.float64]:
    """Height of the smoothed mean trace above its baseline over its noise, shape (n_frames, n_rois)."""
    return height_scores(change_over_noise(mean_traces(movie, rois)))


def smoothed_rise_scores(movie: Movie, rois: Rois) -> NDArray[np.float64]:
    """Height of each rise of the smoothed mean trace over its noise, shape (n_frames, n_rois)."""
    return rise_scores(change_over_noise(mean_traces(movie, rois)))


METHODS: dict[str, Callable[[NDArray[np.float64]], NDArray[np.float64]]] = {
    "smoothed trace": height_scores,
    "rises of the smoothed trace": rise_scores,
    "OASIS": oasis_scores,
}
"""The methods by name: each takes what `change_over_noise` gives and returns scores of the same shape."""


def oasis_is_installed() -> bool:
    """Whether the package oasis-deconv is installed."""
    return find_spec("oasis") is not None
