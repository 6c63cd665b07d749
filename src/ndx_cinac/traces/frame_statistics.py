"""Statistics of sampled frames: usable pixels, median image, its gradients, typical deviations."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import PredictionError
from .frames import FEWEST_FOR_BLANK, FrameModel, is_blank
from .order_statistics import median

N_PROBES = 4096
"""Pixels on which frames are regressed, at most."""
MEDIAN_FRAMES = 400
"""Frames, at most, that the median image is taken from."""
DEVIATION_FRAMES = 100


def fit_frame_model(frames: NDArray[Any], seed: int = 0) -> FrameModel:
    """Fit the frame model to sampled frames of shape (n, first, second).

    Raises
    ------
    PredictionError
        If no pixel is finite in at least half of the frames that show anything.
    """
    flat = frames.reshape(len(frames), -1)
    seen, valid = _find_gaps(flat)
    if not valid.any():
        what = "The movie shows nothing: every frame that was looked at is NaN or infinite"
        raise PredictionError(what, fix="Check that the right movie was chosen, and that it was saved whole")
    probes = np.flatnonzero(valid)
    if len(probes) > N_PROBES:
        probes = np.random.default_rng(seed).choice(probes, N_PROBES, replace=False)
    if len(probes) >= FEWEST_FOR_BLANK:
        pictures = seen[~is_blank(flat[np.ix_(seen, probes)])]
        seen = pictures if len(pictures) else seen
    chosen = _spread(seen, MEDIAN_FRAMES)
    image = _median_image(flat, chosen)
    image[~valid] = image[valid].mean()
    few = flat[np.ix_(_spread(chosen, DEVIATION_FRAMES), probes)]
    deviations = np.abs(few.astype(np.float64) - image[probes])
    sigma = 1.4826 * float(median(deviations[np.isfinite(deviations)]))
    # A movie without noise has a scale, too: that of its picture, or of its numbers' precision.
    precision = 1e-7 if frames.dtype.kind == "f" and frames.dtype.itemsize <= 4 else 1e-12
    sigma = max(sigma, 1e-6 * float(np.std(image[valid])), precision * float(np.abs(image).max()))
    basis = _basis(image.reshape(frames.shape[1:]), valid.reshape(frames.shape[1:]))
    return FrameModel(image, basis, valid, probes, sigma if sigma > 0 else 1.0)


def _spread(rows: NDArray[np.int64], most: int) -> NDArray[np.int64]:
    """At most so many of some rows, evenly spread."""
    return rows[np.linspace(0, len(rows) - 1, min(len(rows), most)).astype(np.int64)]


def _find_gaps(flat: NDArray[Any]) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Frames that show something, and pixels that are finite in at least half of those."""
    if flat.dtype.kind != "f":
        return np.arange(len(flat)), np.ones(flat.shape[1], np.bool_)
    per_frame = np.array([np.isfinite(frame).sum() for frame in flat])
    # Against the fullest frame: where a field is round, or has lost its border, no frame is full.
    seen = np.flatnonzero((per_frame > 0) & (per_frame >= 0.25 * per_frame.max()))
    per_pixel = np.zeros(flat.shape[1], np.int64)
    for row in seen:
        per_pixel += np.isfinite(flat[row])
    return seen, (per_pixel > 0) & (per_pixel >= 0.5 * len(seen))


def _median_image(flat: NDArray[Any], rows: NDArray[np.int64], step: int = 16384) -> NDArray[np.float64]:
    """Median over some frames, NaN and infinite values left out; some thousand pixels at a time."""
    image = np.empty(flat.shape[1], np.float64)
    for start in range(0, flat.shape[1], step):
        part = np.ascontiguousarray(flat[rows, start : start + step].T)
        if part.dtype.kind != "f" or np.isfinite(part).all():
            image[start : start + step] = median(part)
            continue
        part[~np.isfinite(part)] = np.nan
        part.sort(axis=1)  # NaN last
        count = np.maximum(np.isfinite(part).sum(axis=1), 1)
        middle = np.take_along_axis(part, np.stack([(count - 1) // 2, count // 2], axis=1), axis=1)
        image[start : start + step] = middle.mean(axis=1, dtype=np.float64)
    return image


def _basis(image: NDArray[np.float64], valid: NDArray[np.bool_]) -> NDArray[np.float32]:
    """One, image minus mean, and both gradients of the lightly smoothed image: shape (n_pixels, 4)."""
    deviation = (image - image[valid].mean()) * valid
    smooth = _smooth(deviation) / np.maximum(_smooth(valid.astype(np.float64)), 1e-9)
    around = np.pad(valid, 1, mode="edge")
    terms = [np.ones_like(image), deviation]
    for axis, beside in (
        (0, around[:-2, 1:-1] & around[2:, 1:-1]),
        (1, around[1:-1, :-2] & around[1:-1, 2:]),
    ):
        gradient = np.gradient(smooth, axis=axis) if image.shape[axis] > 1 else np.zeros_like(image)
        # Beside a pixel that is not valid the gradient means nothing.
        terms.append(np.where(beside, gradient, 0.0))
    basis = np.stack([term.ravel() for term in terms], axis=1)
    basis[~valid.ravel()] = 0.0
    return basis.astype(np.float32)


def _smooth(image: NDArray[np.float64]) -> NDArray[np.float64]:
    """Smooth with 1/4, 1/2, 1/4 along both axes, edges repeated."""
    padded = np.pad(image, 1, mode="edge")
    rows = (padded[:-2] + 2 * padded[1:-1] + padded[2:]) / 4
    return np.asarray((rows[:, :-2] + 2 * rows[:, 1:-1] + rows[:, 2:]) / 4)
