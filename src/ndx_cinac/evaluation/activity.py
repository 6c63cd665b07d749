"""Score predicted activity against known activity: by frame, and by transient matched one to one."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

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
    metrics = require("sklearn.metrics", extra="train", feature="Scoring predictions")
    active = np.asarray(active, bool)
    judged = _judged(np.asarray(probabilities), active, ignored, examined)
    predicted = np.asarray(probabilities) >= threshold
    truth, values = active[judged], np.asarray(probabilities, np.float64)[judged]
    hits, positives, calls = (active & predicted)[judged].sum(), truth.sum(), predicted[judged].sum()
    rejections = truth.size - positives - calls + hits
    n_transients, n_predicted, n_matched = _count_periods(active, predicted, judged)
    return ActivityScores(
        threshold=threshold,
        n_frames=int(truth.size),
        prevalence=_ratio(positives, truth.size),
        average_precision=float(metrics.average_precision_score(truth, values)) if positives else math.nan,
        sensitivity=_ratio(hits, positives),
        specificity=_ratio(rejections, truth.size - positives),
        precision=_ratio(hits, calls),
        negative_predictive_value=_ratio(rejections, truth.size - calls),
        frame_f1=_ratio(2 * hits, positives + calls),
        n_transients=n_transients,
        n_predicted=n_predicted,
        n_matched=n_matched,
        event_recall=_ratio(n_matched, n_transients),
        event_precision=_ratio(n_matched, n_predicted),
        event_f1=_ratio(2 * n_matched, n_transients + n_predicted),
    )


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


def _count_periods(
    active: NDArray[np.bool_], predicted: NDArray[np.bool_], judged: NDArray[np.bool_]
) -> tuple[int, int, int]:
    """Count true periods, predicted ones and matched pairs, over all ROIs."""
    n_true = n_predicted = n_matched = 0
    for roi in range(active.shape[1]):
        before = np.concatenate([[0], np.cumsum(judged[:, roi])])
        true, called = (
            [
                (int(a), int(b))
                for a, b in zip(*periods(frames), strict=True)
                if 2 * (before[b] - before[a]) >= b - a
            ]
            for frames in (active[:, roi], predicted[:, roi])
        )
        n_true, n_predicted = n_true + len(true), n_predicted + len(called)
        n_matched += len(match_periods(true, called))
    return n_true, n_predicted, n_matched


def _judged(
    probabilities: NDArray[Any],
    active: NDArray[np.bool_],
    ignored: NDArray[np.bool_] | None,
    examined: NDArray[np.bool_] | None,
) -> NDArray[np.bool_]:
    """Frames that count; refuses arrays that do not belong together."""
    given = {"truth": active, "ignored frames": ignored, "examined frames": examined}
    for name, array in given.items():
        if array is not None and array.shape != probabilities.shape:
            what = f"Predictions have shape {probabilities.shape}, the {name} {array.shape}"
            raise ConfigError(what, fix="Give all of them as frames x ROIs")
    judged = np.ones(active.shape, bool) if examined is None else np.asarray(examined, bool)
    return judged if ignored is None else judged & ~np.asarray(ignored, bool)


def _ratio(part: float, whole: float) -> float:
    return float(part / whole) if whole else math.nan
