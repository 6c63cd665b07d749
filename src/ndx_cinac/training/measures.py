"""Figures of a network in training and of the finished classifier, on what it has not been trained on."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..evaluation import best_threshold, score_activity
from ..extras import require
from .calibration import reliability
from .labelled import Example
from .loop import SCORE

SNR_GROUPS = ((0.0, 4.0), (4.0, 10.0), (10.0, 30.0), (30.0, float("inf")))

Predict = Callable[[NDArray[np.float32]], NDArray[np.float32]]
"""From channels (n_rois, n_frames, n_channels) to what a network gives for them (n_rois, n_frames)."""

Measured = tuple[str, float, Sequence[Example]]
"""A source's name, its weight, and its examples."""


def validate(predict: Predict, sources: Sequence[Measured]) -> dict[str, float]:
    """Measure logits on held-out examples.

    Returns
    -------
    dict
        ``score`` and ``average_precision``: the mean over sources, by weight; ``best_frame_f1``, at the
        threshold that is best for it; ``validation_loss``. NaN where nothing held out is active.
    """
    metrics = require("sklearn.metrics", extra="train", feature="Training a classifier")
    rows = []
    for _, weight, examples in sources:
        logits, truth = pooled([predict(e.channels.astype(np.float32)) for e in examples], examples)
        loss = float((np.logaddexp(0, logits) - truth * logits).mean()) if len(truth) else np.nan
        if truth.any():
            precision, recall, _ = metrics.precision_recall_curve(truth, logits)
            f1 = float(np.max(2 * precision * recall / np.maximum(precision + recall, 1e-12)))
            rows.append((weight, float(metrics.average_precision_score(truth, logits)), f1, loss))
        else:
            rows.append((weight, np.nan, np.nan, loss))
    weights, *figures = np.array(rows, float).reshape(-1, 4).T
    average_precision, f1, loss = (_weighted_mean(values, weights) for values in figures)
    return {
        SCORE: average_precision,
        "average_precision": average_precision,
        "best_frame_f1": f1,
        "validation_loss": loss,
    }


def pooled(
    values: Sequence[NDArray[np.float32]], examples: Sequence[Example]
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Put together what was given for all frames that count, and what is true there."""
    given = [v[e.judged] for v, e in zip(values, examples, strict=True)]
    truth = [e.active[e.judged] for e in examples]
    return np.concatenate(given).astype(np.float64), np.concatenate(truth)


def describe_sources(predict: Predict, sources: Sequence[Measured], words: str) -> dict[str, Any]:
    """Score a finished classifier on each source that has examples held out for it; for the card.

    A single source's figures stand by themselves; several lie side by side, by name.
    """
    with_examples = [source for source in sources if source[2]]
    if not with_examples:
        return {"data": "none: there were too few labelled ROIs to hold any out for figures"}
    scored = {
        name: score_examples(examples, [predict(e.channels.astype(np.float32)) for e in examples])
        for name, _, examples in with_examples
    }
    if len(scored) == 1:
        figures, examples = next(iter(scored.values())), with_examples[0][2]
        return {"data": f"{words} ({sum(len(e.channels) for e in examples)} ROIs)", **figures}
    return {"data": words, **scored}


def score_examples(
    examples: Sequence[Example], probabilities: Sequence[NDArray[np.float32]]
) -> dict[str, Any]:
    """Score all ROIs together, beside the trace-based method at its own best, and by signal-to-noise."""
    values, baseline = _side_by_side(probabilities), _side_by_side([e.baseline for e in examples])
    active = _side_by_side([e.active for e in examples])
    ignored = ~_side_by_side([e.judged for e in examples])
    snr = np.concatenate([e.snr for e in examples])
    by_snr = {}
    for low, high in SNR_GROUPS:
        inside = (snr >= low) & (snr < high) & (snr > 0)
        if active[:, inside].any():
            scores = score_activity(values[:, inside], active[:, inside], ignored[:, inside])
            by_snr[f"{low:g} to {high:g}"] = scores.to_dict()
    figures: dict[str, Any] = {"classifier": score_activity(values, active, ignored).to_dict()}
    if (active & ~ignored).any():
        at_best = best_threshold(baseline, active, ignored, n_candidates=40)
        scores = score_activity(baseline, active, ignored, threshold=at_best)
        figures["smoothed trace, its best threshold"] = scores.to_dict()
    return {
        **figures,
        "by signal-to-noise": by_snr,
        "reliability": reliability(values[~ignored], active[~ignored]),
    }


def plain(row: Mapping[str, float]) -> dict[str, float | None]:
    """Return a row of a curve as JSON takes it: None for NaN, no `score`, which says nothing more."""
    return {
        name: float(value) if np.isfinite(value) else None for name, value in row.items() if name != SCORE
    }


def _weighted_mean(values: NDArray[np.float64], weights: NDArray[np.float64]) -> float:
    known = np.isfinite(values)
    return float(np.average(values[known], weights=weights[known])) if known.any() else float("nan")


def _side_by_side(fields: Sequence[NDArray[Any]]) -> NDArray[Any]:
    """Put fields (n_rois, n_frames) side by side, shape (longest, all ROIs); shorter ones end in zeros."""
    longest = max(field.shape[1] for field in fields)
    padded = [np.pad(field, ((0, 0), (0, longest - field.shape[1]))) for field in fields]
    return np.ascontiguousarray(np.concatenate(padded).T)
