"""Windows of frames as DeepCINAC laid them over a movie: where they begin, how they are chosen and merged."""

from __future__ import annotations

from math import ceil

import numpy as np
from numpy.typing import NDArray

from ..errors import PredictionError
from ..extras import require


def window_starts(n_frames: int, window: int, overlap: float) -> NDArray[np.int64]:
    """First frames of the windows that cover a movie.

    Parameters
    ----------
    n_frames : int
        Frames in the movie.
    window : int
        Frames in a window.
    overlap : float
        Fraction of a window that it shares with the next, from 0 to below 1.

    Returns
    -------
    ndarray of int64
        Ascending; the last window ends with the movie.

    Raises
    ------
    PredictionError
        If the movie is shorter than a window, or `overlap` is out of its range.

    Notes
    -----
    These are DeepCINAC's windows wherever those reach the end of the movie. It leaves out the last of them
    for some lengths, and fails for an overlap between 0 and 0.5.
    """
    if not 0 <= overlap < 1:
        what = f"The overlap of windows is {overlap:g}"
        raise PredictionError(what, fix="Give a value from 0 to below 1, such as 0.5")
    if n_frames < window:
        what = f"The movie has {n_frames} frames, fewer than the {window} of one window of this classifier"
        raise PredictionError(what, fix="Use a longer movie, or a classifier with a shorter window")
    step = max(1, ceil(window * (1 - overlap)))
    last = n_frames - window
    return np.append(np.arange(0, last, step), last).astype(np.int64)


def active_windows(
    trace: NDArray[np.float64], window: int, overlap: float, n_windows: int
) -> NDArray[np.int64]:
    """First frames of the windows in which a cell is most active, the most active first.

    The activity of a window is the mean of the trace over its highest peaks: those from the 90th percentile
    of the peaks' heights on. A window without any peak ranks last.

    Parameters
    ----------
    trace : ndarray of float, shape (n_frames,)
        Smoothed trace of the cell.
    window, overlap
        As in `window_starts`.
    n_windows : int
        How many to keep at most.

    Returns
    -------
    ndarray of int64

    Raises
    ------
    PredictionError
        As `window_starts`.
    MissingExtraError
        If SciPy is not installed.
    """
    starts = window_starts(len(trace), window, overlap)
    signal = require("scipy.signal", extra="predict", feature="Choosing the active windows of a cell")
    peaks = signal.find_peaks(trace)[0]
    activity = np.full(len(starts), -np.inf)
    for index, start in enumerate(starts):
        heights = trace[peaks[(peaks >= start) & (peaks < start + window)]]
        if len(heights):
            activity[index] = heights[heights >= np.percentile(heights, 90)].mean()
    order = np.argsort(activity)[::-1]
    return starts[order[: max(0, n_windows)]]


def merge_windows(
    predictions: NDArray[np.floating], starts: NDArray[np.int64], n_frames: int, *, keep_highest: bool
) -> NDArray[np.float64]:
    """Predictions frame by frame from those of windows that overlap.

    Parameters
    ----------
    predictions : ndarray, shape (n_windows, window, n_classes)
    starts : ndarray of int, shape (n_windows,)
        First frame of each window; a window may occur several times (flipped patches).
    n_frames : int
        Frames in the movie.
    keep_highest : bool
        Where windows overlap, keep each class's highest value: a transient at the edge of a window is often
        missed there. If false, the earlier window counts, as for windows that are laid end to end.

    Returns
    -------
    ndarray of float64, shape (n_frames, n_classes)
    """
    window = predictions.shape[1]
    merged = np.zeros((n_frames, predictions.shape[2]))
    filled = 0
    for start, values in zip(starts, predictions, strict=True):
        part = slice(int(start), int(start) + window)
        if keep_highest:
            merged[part] = np.maximum(merged[part], values)
        else:
            begin = max(filled, part.start)
            merged[begin : part.stop] = values[begin - part.start :]
            filled = part.stop
    return merged
