"""Calibration: from a network's logits to probabilities that mean what they say, with a threshold at 0.5."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit, logit

from ..evaluation.activity import count_activity

THRESHOLDS = np.round(np.arange(0.1, 0.8, 0.025), 3)
"""Probabilities that are tried as thresholds."""


@dataclass(frozen=True)
class Calibration:
    """How logits become probabilities: ``sigmoid(logit / temperature + shift)``.

    Attributes
    ----------
    temperature, shift : float
        What `networks.with_probability` takes.
    best_probability : float
        The probability, before the last shift, at which frames and transients are found best: it is moved to
        0.5.
    """

    temperature: float
    shift: float
    best_probability: float


def calibrate(
    logits: Sequence[NDArray[np.float32]],
    active: Sequence[NDArray[np.bool_]],
    judged: Sequence[NDArray[np.bool_]],
    by_annotator: Sequence[NDArray[np.int8]] = (),
) -> Calibration:
    """Fit temperature and shift to fields that the network was not trained on.

    Maximum likelihood gives both; then a further shift moves the probability at which frames and transients
    are found best (mean of frame and event F1, averaged over fields) to 0.5. Where annotators differ it is
    the probability that serves the one best whom it serves least: who will judge a prediction is not known.

    Parameters
    ----------
    logits, active, judged : sequences of ndarray, shape (n_rois, n_frames)
        What the network gave for each field, what is true, and where that counts.
    by_annotator : sequence of ndarray of int8, shape (n_annotators, n_rois, n_frames)
        What each of several annotators says of each field: 1 active, 0 not, -1 doubtful. Fields of different
        simulations may have more or fewer. Without them `active` and `judged` are the only ones.
    """
    pooled = np.concatenate([values[where] for values, where in zip(logits, judged, strict=True)])
    truth = np.concatenate([values[where] for values, where in zip(active, judged, strict=True)])
    slope, offset = _fit_logistic(pooled.astype(np.float64), truth)
    several = _each_annotator(by_annotator) or [(active, judged)]

    def quality(threshold: float) -> float:
        cut = (float(logit(threshold)) - offset) / slope
        calls = [values >= cut for values in logits]
        return min(_quality(calls, truth, where) for truth, where in several)

    best = max(THRESHOLDS, key=quality)
    return Calibration(temperature=1 / slope, shift=offset - float(logit(best)), best_probability=float(best))


def reliability(
    probabilities: NDArray[np.floating], active: NDArray[np.bool_], n_bins: int = 10
) -> list[dict[str, float]]:
    """Compare predicted probability with how often it was true, in equal steps; empty ones are left out."""
    place = np.minimum((np.asarray(probabilities) * n_bins).astype(int), n_bins - 1)
    rows = []
    for step in range(n_bins):
        inside = place == step
        if inside.any():
            rows.append(
                {
                    "predicted": round(float(probabilities[inside].mean()), 4),
                    "true": round(float(active[inside].mean()), 4),
                    "frames": int(inside.sum()),
                }
            )
    return rows


def _fit_logistic(logits: NDArray[np.float64], truth: NDArray[np.bool_]) -> tuple[float, float]:
    """Slope (above 0) and offset that make sigmoid(slope * logit + offset) most likely."""

    def loss(parameters: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        slope = np.exp(parameters[0])
        values = slope * logits + parameters[1]
        error = expit(values) - truth
        likelihood = np.logaddexp(0, values) - truth * values
        return float(likelihood.mean()), np.array([(error * logits).mean() * slope, error.mean()])

    found = minimize(loss, np.zeros(2), jac=True, method="L-BFGS-B", bounds=[(-2, 2), (-5, 5)])
    return float(np.exp(found.x[0])), float(found.x[1])


def _each_annotator(
    by_annotator: Sequence[NDArray[np.int8]],
) -> list[tuple[Sequence[NDArray[np.bool_]], Sequence[NDArray[np.bool_]]]]:
    """Return what is active in each field, and where that counts, by annotator.

    Where a field has fewer than another, each of them stands for several.
    """
    most = max(map(len, by_annotator), default=0)
    said = [[each[number * len(each) // most] for each in by_annotator] for number in range(most)]
    return [([each == 1 for each in fields], [each >= 0 for each in fields]) for fields in said]


def _quality(
    calls: Sequence[NDArray[np.bool_]],
    active: Sequence[NDArray[np.bool_]],
    judged: Sequence[NDArray[np.bool_]],
) -> float:
    """Mean over fields with transients of frame and event F1 of what is called active."""
    values = []
    for called, truth, where in zip(calls, active, judged, strict=True):
        if (truth & where).any():
            scores = count_activity(called.T, truth.T, where.T).scores(0.5)
            values += [scores.frame_f1, scores.event_f1]
    return float(np.nanmean(values)) if values else 0.0
