"""How probabilities are distributed: precision against recall, calibration, active and inactive frames."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..extras import require

CALIBRATION_BINS = 10
DISTRIBUTION_BINS = 20
MOST_POINTS = 400
"""A curve is thinned to about so many points, which a figure cannot tell from all of them."""


@dataclass(frozen=True)
class PrecisionRecall:
    """Precision against recall of frames, from the lowest threshold to the highest.

    Attributes
    ----------
    recall, precision : ndarray of float64, shape (n_points,)
        From 0 to 1; empty where no frame is active.
    """

    recall: NDArray[np.float64]
    precision: NDArray[np.float64]


@dataclass(frozen=True)
class Calibration:
    """How often frames of some probability are active.

    Attributes
    ----------
    mean_probability, active_share : ndarray of float64, shape (10,)
        Mean prediction in bins of equal width from 0 to 1, and the part of their frames that is active; NaN
        in an empty bin.
    n_frames : ndarray of int64, shape (10,)
        Frames in each bin.
    """

    mean_probability: NDArray[np.float64]
    active_share: NDArray[np.float64]
    n_frames: NDArray[np.int64]

    @property
    def error(self) -> float:
        """Mean difference between prediction and truth, over bins weighted by their frames (ECE)."""
        filled = self.n_frames > 0
        if not filled.any():
            return float("nan")
        apart = np.abs(self.mean_probability - self.active_share)[filled]
        return float(np.average(apart, weights=self.n_frames[filled]))


@dataclass(frozen=True)
class Distribution:
    """How probabilities of active and of inactive frames are distributed.

    Attributes
    ----------
    edges : ndarray of float64, shape (21,)
        Edges of the bins.
    n_active, n_inactive : ndarray of int64, shape (20,)
        Frames in each bin.
    """

    edges: NDArray[np.float64]
    n_active: NDArray[np.int64]
    n_inactive: NDArray[np.int64]


def precision_recall(active: NDArray[np.bool_], values: NDArray[Any]) -> PrecisionRecall:
    """Return the curve of frames, both of shape (n,), thinned.

    Raises
    ------
    MissingExtraError
        If scikit-learn is not installed.
    """
    metrics = require("sklearn.metrics", extra="train", feature="Scoring predictions")
    if not active.any():
        return PrecisionRecall(np.zeros(0), np.zeros(0))
    precision, recall, _ = metrics.precision_recall_curve(active, values)
    # recall falls from 1 to 0; the last of the points that share a recall has the highest threshold
    steps = np.searchsorted(-recall, -np.linspace(1, 0, MOST_POINTS), side="right") - 1
    kept = np.unique(np.concatenate([[0], steps, [len(recall) - 1]]))
    return PrecisionRecall(recall[kept], precision[kept])


def calibration(active: NDArray[np.bool_], probabilities: NDArray[Any]) -> Calibration:
    """Return how often frames of some probability are active; both of shape (n,)."""
    values = probabilities.astype(np.float64)
    place = np.minimum((values * CALIBRATION_BINS).astype(np.int64), CALIBRATION_BINS - 1)
    counts = np.bincount(place, minlength=CALIBRATION_BINS)
    with np.errstate(invalid="ignore"):
        mean = np.bincount(place, values, CALIBRATION_BINS) / counts
        share = np.bincount(place, active, CALIBRATION_BINS) / counts
    return Calibration(mean, share, counts)


def distribution(active: NDArray[np.bool_], probabilities: NDArray[Any]) -> Distribution:
    """Return how probabilities of active and of inactive frames are distributed; both of shape (n,)."""
    edges = np.linspace(0, 1, DISTRIBUTION_BINS + 1)
    n_active, n_inactive = (np.histogram(probabilities[part], edges)[0] for part in (active, ~active))
    return Distribution(edges, n_active, n_inactive)
