"""Score predicted activity against known activity: by frame, and by transient matched one to one."""

from __future__ import annotations

import math
from dataclasses import asdict, astuple, dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import ConfigError
from ..extras import require

MIN_OVERLAP = 0.2
"""Intersection over union at which a predicted period may be matched with a true one."""


@dataclass(frozen=True)
class ActivityScores:
    """How well predictions agree with the truth, over all ROIs together; NaN where a figure is not defined.

    Attributes
    ----------
    threshold : float
        At or above it a frame is predicted active.
    n_frames : int
        Judged frames, summed over ROIs.
    prevalence : float
        Part of them that is active.
    average_precision : float
        Area under the precision-recall curve of frames; needs no threshold.
    sensitivity, specificity, precision, negative_predictive_value, frame_f1 : float
        By frame.
    n_transients, n_predicted, n_matched : int
        True periods, predicted periods, and pairs of them matched one to one.
    event_recall, event_precision, event_f1 : float
        By period.
    """

    threshold: float
    n_frames: int
    prevalence: float
    average_precision: float
    sensitivity: float
    specificity: float
    precision: float
    negative_predictive_value: float
    frame_f1: float
    n_transients: int
    n_predicted: int
    n_matched: int
    event_recall: float
    event_precision: float
    event_f1: float

    def to_dict(self, digits: int = 4) -> dict[str, float | int | None]:
        """Return the figures rounded, None for NaN: fit for JSON."""
        return {
            name: None if isinstance(value, float) and math.isnan(value) else round(value, digits)
            for name, value in asdict(self).items()
        }


@dataclass(frozen=True)
class ActivityCounts:
    """Frames and periods, counted: counts of several ROIs or recordings can be added.

    Attributes
    ----------
    n_frames, n_active, n_called, n_hits : int
        Judged frames; those that are active, predicted active, and both.
    n_transients, n_predicted, n_matched : int
        True periods, predicted periods, and pairs of them matched one to one.
    """

    n_frames: int = 0
    n_active: int = 0
    n_called: int = 0
    n_hits: int = 0
    n_transients: int = 0
    n_predicted: int = 0
    n_matched: int = 0

    def __add__(self, other: ActivityCounts) -> ActivityCounts:
        """Return the counts of both together."""
        return ActivityCounts(*(a + b for a, b in zip(astuple(self), astuple(other), strict=True)))

    def scores(self, threshold: float, precision_area: float = math.nan) -> ActivityScores:
        """Return the figures that follow; `precision_area` is the average precision, which counts lack."""
        rejections = self.n_frames - self.n_active - self.n_called + self.n_hits
        return ActivityScores(
            threshold=threshold,
            n_frames=self.n_frames,
            prevalence=_ratio(self.n_active, self.n_frames),
            average_precision=precision_area,
            sensitivity=_ratio(self.n_hits, self.n_active),
            specificity=_ratio(rejections, self.n_frames - self.n_active),
            precision=_ratio(self.n_hits, self.n_called),
            negative_predictive_value=_ratio(rejections, self.n_frames - self.n_called),
            frame_f1=_ratio(2 * self.n_hits, self.n_active + self.n_called),
            n_transients=self.n_transients,
            n_predicted=self.n_predicted,
            n_matched=self.n_matched,
            event_recall=_ratio(self.n_matched, self.n_transients),
            event_precision=_ratio(self.n_matched, self.n_predicted),
            event_f1=_ratio(2 * self.n_matched, self.n_transients + self.n_predicted),
        )


def score_activity(
    probabilities: NDArray[Any],
    active: NDArray[np.bool_],
    ignored: NDArray[np.bool_] | None = None,
    examined: NDArray[np.bool_] | None = None,
    *,
    threshold: float = 0.5,
) -> ActivityScores:
    """Score predictions of some ROIs.

    Periods are runs of active frames. A predicted and a true one can be matched where their intersection is
    at least a fifth of their union; each is matched at most once. Frames count where they were examined and
    are not doubtful; periods count where at least half of their frames do.

    Parameters
    ----------
    probabilities : ndarray, shape (n_frames, n_rois)
        Predictions; any score that grows with the evidence for activity.
    active : ndarray of bool, shape (n_frames, n_rois)
        The truth.
    ignored : ndarray of bool, shape (n_frames, n_rois), optional
        Doubtful frames.
    examined : ndarray of bool, shape (n_frames, n_rois), optional
        Frames about which the truth says something; all of them, where not given.
    threshold : float
        At or above it a frame is predicted active.

    Raises
    ------
    ConfigError
        If the arrays' shapes differ.
    MissingExtraError
        If scikit-learn is not installed.
    """
    active, values = np.asarray(active, bool), np.asarray(probabilities)
    judged = judged_frames(values, active, ignored, examined)
    area = average_precision(active[judged], values[judged])
    return count_activity(values >= threshold, active, judged).scores(threshold, area)


def average_precision(active: NDArray[np.bool_], values: NDArray[Any]) -> float:
    """Area under the precision-recall curve of frames, both of shape (n,); NaN where none is active.

    Raises
    ------
    MissingExtraError
        If scikit-learn is not installed.
    """
    metrics = require("sklearn.metrics", extra="train", feature="Scoring predictions")
    return float(metrics.average_precision_score(active, values)) if active.any() else math.nan


def count_activity(
    predicted: NDArray[np.bool_], active: NDArray[np.bool_], judged: NDArray[np.bool_]
) -> ActivityCounts:
    """Count frames and periods, all arrays of shape (n_frames, n_rois), as `score_activity` says."""
    true, called, pairs = match_activity(predicted, active, judged)
    return ActivityCounts(
        n_frames=int(judged.sum()),
        n_active=int((active & judged).sum()),
        n_called=int((predicted & judged).sum()),
        n_hits=int((predicted & active & judged).sum()),
        n_transients=len(true),
        n_predicted=len(called),
        n_matched=len(pairs),
    )


class Period(NamedTuple):
    """A run of active frames of one ROI: its column, its first frame, and the frame after its last."""

    column: int
    start: int
    end: int


def match_activity(
    predicted: NDArray[np.bool_], active: NDArray[np.bool_], judged: NDArray[np.bool_]
) -> tuple[list[Period], list[Period], list[tuple[int, int]]]:
    """Find the periods that count, and match them; arrays of shape (n_frames, n_rois).

    Returns
    -------
    true, called : list of Period
        By column, then by time.
    pairs : list of tuple of int
        Indices of what was matched.
    """
    # ROIs one after the other, with a frame between them, are one long ROI
    stride = active.shape[0] + 1
    before = np.concatenate([[0], np.cumsum(_lined_up(judged))])
    runs = []
    for frames in (active, predicted):
        starts, ends = periods(_lined_up(frames))
        counts = 2 * (before[ends] - before[starts]) >= ends - starts
        runs.append(list(zip(starts[counts].tolist(), ends[counts].tolist(), strict=True)))
    found = [[Period(a // stride, a % stride, b - a + a % stride) for a, b in each] for each in runs]
    return found[0], found[1], match_periods(runs[0], runs[1])


def periods(active: NDArray[np.bool_]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """First frames and ends (exclusive) of the runs of True in one ROI's frames."""
    edges = np.diff(np.concatenate([[0], np.asarray(active, np.int8), [0]]))
    return np.flatnonzero(edges == 1), np.flatnonzero(edges == -1)


def match_periods(
    true: list[tuple[int, int]], predicted: list[tuple[int, int]], min_overlap: float = MIN_OVERLAP
) -> list[tuple[int, int]]:
    """Match periods (first frame, end) one to one and return the pairs' indices.

    Both lists are ascending and free of overlaps among themselves: to give each true period the first fit
    prediction that is left is a best matching.
    """
    pairs = []
    earliest = 0
    for index, (start, end) in enumerate(true):
        for candidate in range(earliest, len(predicted)):
            first, last = predicted[candidate]
            if first >= end:
                break
            if last <= start:
                earliest = candidate + 1
                continue
            both = min(end, last) - max(start, first)
            if both >= min_overlap * (end - start + last - first - both):
                pairs.append((index, candidate))
                earliest = candidate + 1
                break
    return pairs


def _lined_up(frames: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Frames of all ROIs in one line, a frame of False behind each ROI's."""
    return np.pad(frames.T, ((0, 0), (0, 1))).ravel()


def judged_frames(
    probabilities: NDArray[Any],
    active: NDArray[np.bool_],
    ignored: NDArray[np.bool_] | None,
    examined: NDArray[np.bool_] | None,
) -> NDArray[np.bool_]:
    """Return the frames that count: examined and not doubtful; all arrays of shape (n_frames, n_rois).

    Raises
    ------
    ConfigError
        If the arrays' shapes differ.
    """
    given = {"truth": active, "ignored frames": ignored, "examined frames": examined}
    for name, array in given.items():
        if array is not None and array.shape != probabilities.shape:
            what = f"Predictions have shape {probabilities.shape}, the {name} {array.shape}"
            raise ConfigError(what, fix="Give all of them as frames x ROIs")
    judged = np.ones(active.shape, bool) if examined is None else np.asarray(examined, bool)
    return judged if ignored is None else judged & ~np.asarray(ignored, bool)


def _ratio(part: float, whole: float) -> float:
    return float(part / whole) if whole else math.nan
