"""The threshold that suits known activity best: an advantage for baselines, advice for a user with labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .activity import ActivityCounts, count_activity, judged_frames, match_activity

Known = tuple[NDArray[Any], NDArray[np.bool_], NDArray[np.bool_]]
"""Scores or calls, the truth, and the frames that count, each of shape (n_frames, n_rois)."""

PROBABILITIES = tuple(percent / 100 for percent in range(2, 100, 2))
"""Thresholds that are tried for probabilities: round ones, as people type them."""
CAUTION = 0.05
"""Event F1 that a threshold must win for each unit that its logit lies from that of the old threshold."""
WORTH_CHANGING = 0.005
"""Another threshold is advised where it wins so much event F1 on ROIs that did not choose it."""


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
        The field of `ActivityScores` to make largest; not the average precision, which has no threshold.
    n_candidates : int
        Quantiles of the scores that are tried above the 80th percentile; a quarter as many are below.
    """
    judged = judged_frames(scores, active, ignored, None)
    return best_common_threshold([(scores, active, judged)], figure=figure, n_candidates=n_candidates)


def best_common_threshold(
    recordings: Sequence[Known], *, figure: str = "event_f1", n_candidates: int = 100
) -> float:
    """Return the threshold that suits several recordings together best.

    Parameters
    ----------
    recordings : sequence of (scores, active, judged)
        Each of shape (n_frames, n_rois); frames count where they are judged.
    figure, n_candidates
        As in `best_threshold`.
    """
    shares = np.concatenate(
        [np.linspace(0, 0.8, n_candidates // 4), 1 - np.geomspace(0.2, 1e-4, n_candidates)]
    )
    every = np.concatenate([scores.ravel() for scores, _, _ in recordings])
    candidates = [float(value) for value in np.unique(np.quantile(every, shares))]
    values = []
    for threshold in candidates:
        counts = [count_activity(scores >= threshold, *known) for scores, *known in recordings]
        values.append(getattr(sum(counts, ActivityCounts()).scores(threshold), figure))
    if np.isnan(values).all():  # nothing is active, and no threshold is better than another
        return candidates[-1]
    return candidates[int(np.nanargmax(values))]


@dataclass(frozen=True)
class ThresholdAdvice:
    """Which threshold suits annotations best, and whether that holds for ROIs that did not choose it.

    Attributes
    ----------
    threshold : float
        Gives the annotated ROIs the best event F1, with caution: the farther it lies from the old threshold,
        the more it has to win.
    gain : float
        What event F1 wins when each ROI is given the threshold that all others choose. Below 0 where choosing
        does harm; NaN where there are too few ROIs to tell.
    """

    threshold: float
    gain: float

    @property
    def worth_it(self) -> bool:
        """Whether another threshold should be taken."""
        return self.gain >= WORTH_CHANGING


def advise(recordings: Sequence[Known], own: float) -> ThresholdAdvice:
    """Find the threshold that suits the annotations best, and what choosing by such annotations wins.

    Parameters
    ----------
    recordings : sequence of (probabilities, active, judged)
        Each of shape (n_frames, n_rois); frames count where they are judged.
    own : float
        The threshold that the predictions were written with; it stays where nothing is known to be active.
    """
    thresholds = nearest_first(own)
    return choose(count_by_roi(recordings, thresholds), thresholds)


def nearest_first(own: float) -> list[float]:
    """Return `PROBABILITIES` and the predictions' own threshold, that one first, then those nearest to it."""
    return sorted({*PROBABILITIES, own}, key=lambda value: abs(value - own))


def count_by_roi(recordings: Sequence[Known], thresholds: Sequence[float]) -> NDArray[np.int64]:
    """Count true, predicted and matched transients: shape (n_thresholds, n_rois of all recordings, 3)."""
    parts = []
    for probabilities, active, judged in recordings:
        n_rois = active.shape[1]
        counts = np.zeros((len(thresholds), n_rois, 3), np.int64)
        for place, threshold in enumerate(thresholds):
            true, called, pairs = match_activity(probabilities >= threshold, active, judged)
            matched = [true[index] for index, _ in pairs]
            for kind, found in enumerate((true, called, matched)):
                columns = np.array([period.column for period in found], np.int64)
                counts[place, :, kind] = np.bincount(columns, minlength=n_rois)
        parts.append(counts)
    return np.concatenate(parts, axis=1)


def choose(counts: NDArray[np.int64], thresholds: Sequence[float]) -> ThresholdAdvice:
    """Choose a threshold by counts of some ROIs, as `count_by_roi` gives them; the first one is the old."""
    away = CAUTION * np.abs(_logit(np.array(thresholds)) - _logit(thresholds[0]))
    total = counts.sum(axis=1)
    without = total - counts.transpose(1, 0, 2)
    judged = counts[_best(without, away), np.arange(counts.shape[1])].sum(axis=0)
    several = (counts[0, :, 0] > 0).sum() > 1
    gain = float(event_f1(judged) - event_f1(total[0])) if several else float("nan")
    return ThresholdAdvice(thresholds[int(_best(total, away))], gain)


def event_f1(counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """Event F1 of counts whose last axis is true, predicted, matched; NaN where there is neither."""
    with np.errstate(invalid="ignore"):
        return np.asarray(2 * counts[..., 2] / (counts[..., 0] + counts[..., 1]))


def _best(counts: NDArray[np.int64], away: NDArray[np.float64]) -> NDArray[np.int64]:
    """Place of the threshold to choose, counts of shape (..., n_thresholds, 3); 0 without a transient."""
    return np.where(counts[..., 0, 0] > 0, np.argmax(np.nan_to_num(event_f1(counts)) - away, axis=-1), 0)


def _logit(probability: Any) -> NDArray[np.float64]:
    within = np.clip(np.asarray(probability, np.float64), 0.005, 0.995)  # 0 and 1 are thresholds, too
    return np.asarray(np.log(within / (1 - within)))
