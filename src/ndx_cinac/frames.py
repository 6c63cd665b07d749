"""Frame correction: what changes in a whole frame (brightness, offset, small motion) is measured and taken out.

Each frame is regressed robustly on the median image, its two gradients and a constant. Frames are never rewritten: sums
over pixels are linear in the frame, so the few numbers that the regression gives correct such sums afterwards.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .errors import PredictionError

N_TERMS = 4
"""Terms of a frame's correction: offset, gain - 1, shift along the first axis, shift along the second (pixels)."""
N_PROBES = 4096
MEDIAN_FRAMES = 400
PRIOR_GAIN = 0.15
"""Standard deviation that is expected of a frame's gain."""
PRIOR_SHIFT = 1.0
"""Standard deviation that is expected of a frame's shift, in pixels."""
GAIN_RANGE = (0.3, 3.0)
N_ROUNDS = 3
FEWEST_FOR_BLANK = 16
"""Pixels that must all be alike, at least, before a frame counts as blank."""


@dataclass(frozen=True)
class FrameBlock:
    """Frames as deviations from the median image, with their corrections.

    Attributes
    ----------
    deviations : ndarray of float32, shape (n, n_pixels)
        Frame minus median image, not corrected. Finite: a missing pixel holds what the correction predicts for it.
    coefficients : ndarray of float64, shape (n, 4)
        Offset, gain - 1, and shift along both axes in pixels.
    missing : ndarray of bool, shape (n,)
        Frames without a picture; their deviations and coefficients are 0.
    """

    deviations: NDArray[np.float32]
    coefficients: NDArray[np.float64]
    missing: NDArray[np.bool_]

    @property
    def gain(self) -> NDArray[np.float64]:
        """Brightness of each frame against the median image."""
        return 1.0 + self.coefficients[:, 1]

    def correct(self, sums: NDArray, basis_sums: NDArray[np.float64]) -> NDArray[np.float64]:
        """Correct weighted sums over pixels.

        Parameters
        ----------
        sums : ndarray, shape (m, n)
            Weighted sums of `deviations`, one row per set of weights.
        basis_sums : ndarray, shape (m, 4)
            The same weighted sums of the model's `basis`.
        """
        return (sums - basis_sums @ self.coefficients.T) / self.gain


@dataclass(frozen=True)
class FrameModel:
    """What all frames share: the median image and how it answers to gain, offset and motion.

    Attributes
    ----------
    median : ndarray of float64, shape (n_pixels,)
        Median image, flattened.
    basis : ndarray of float32, shape (n_pixels, 4)
        One, median image minus its mean, its gradients along the first and the second axis; 0 where not `valid`.
    valid : ndarray of bool, shape (n_pixels,)
        Pixels that are finite in at least half of the frames; the others are used nowhere.
    probes : ndarray of int64
        Pixels on which frames are regressed.
    sigma : float
        Typical deviation of a pixel from the median image, above 0.
    """

    median: NDArray[np.float64]
    basis: NDArray[np.float32]
    valid: NDArray[np.bool_]
    probes: NDArray[np.int64]
    sigma: float

    def measure(self, frames: NDArray, known: tuple[NDArray, NDArray] | None = None) -> FrameBlock:
        """Subtract the median image from frames of shape (n, first, second) and measure their corrections.

        `known` are the coefficients and the missing frames, where these frames have been measured before.
        """
        flat = frames.reshape(len(frames), -1)
        deviations = self.subtract(flat)
        suspects = np.array([], np.int64)
        if flat.dtype.kind == "f":
            if not self.valid.all():
                deviations[:, ~self.valid] = 0.0
            with np.errstate(invalid="ignore", over="ignore"):
                suspects = np.flatnonzero(~np.isfinite(deviations.sum(axis=1)))
        if known is None:
            missing = self._without_picture(flat, deviations, suspects)
            deviations[missing] = 0.0
            coefficients = self._regress(deviations[:, self.probes], suspects)
            coefficients[missing] = 0.0
        else:
            coefficients, missing = known
            deviations[missing] = 0.0
        for row in suspects:
            gaps = np.flatnonzero(~np.isfinite(deviations[row]))
            deviations[row, gaps] = self.basis[gaps] @ coefficients[row].astype(np.float32)
        return FrameBlock(deviations, coefficients, missing)

    def subtract(self, flat: NDArray, pixels: NDArray[np.int64] | None = None) -> NDArray[np.float32]:
        """Frames, or some of their pixels, minus median image; in double precision where single would lose digits."""
        precise = flat.dtype.itemsize > 4 or (flat.dtype.kind in "iu" and flat.dtype.itemsize > 2)
        median = self.median if pixels is None else self.median[pixels]
        if not precise:
            median = median.astype(np.float32)
        out = np.empty(flat.shape, np.float32)
        np.subtract(flat, median, out=out, dtype=median.dtype, casting="unsafe")
        return out

    def _without_picture(self, flat: NDArray, deviations: NDArray, suspects: NDArray) -> NDArray[np.bool_]:
        """Frames that are mostly not finite, or blank (one value everywhere, as when a shutter is closed)."""
        missing = np.zeros(len(flat), np.bool_)
        for row in suspects:
            finite = np.isfinite(deviations[row]) & self.valid
            missing[row] = finite.sum() < 0.5 * self.valid.sum()
        if len(self.probes) >= FEWEST_FOR_BLANK and np.ptp(self.median[self.probes]) > 0:
            missing |= is_blank(flat[:, self.probes])
        return missing

    def _regress(self, probed: NDArray[np.float32], suspects: NDArray[np.int64]) -> NDArray[np.float64]:
        """Regress deviations at the probes, shape (n, n_probes), on the basis; activity (bright) is left out.

        Sums are in double precision and the rest is done pixel by pixel, so that a frame's result does not depend on
        the frames that happen to be in its block.
        """
        finite = None
        if len(suspects):
            finite = np.isfinite(probed)
            middle = [np.median(probed[row][finite[row]]) if finite[row].any() else 0.0 for row in suspects]
            probed[suspects] = np.where(
                finite[suspects], probed[suspects], np.array(middle, np.float32)[:, None]
            )
        basis = self.basis[self.probes]
        exact = basis.astype(np.float64)
        upper = np.triu_indices(N_TERMS)
        products = exact[:, upper[0]] * exact[:, upper[1]]
        expected = np.array([np.inf, PRIOR_GAIN, PRIOR_SHIFT, PRIOR_SHIFT])
        prior = (self.sigma / expected) ** 2 + np.array([1e-3, 0, 0, 0])
        residual = probed - np.median(probed, axis=1)[:, None]
        coefficients = np.zeros((len(probed), N_TERMS))
        for attempt in range(N_ROUNDS):
            scale = 1.4826 * np.median(np.abs(residual[:, ::4]), axis=1)[:, None] + np.float32(
                0.02 * self.sigma
            )
            if attempt == 0:
                used = np.abs(residual) < 4 * scale
            else:
                used = (residual < 1.5 * scale) & (residual > -3 * scale)
            if finite is not None:
                used &= finite
            weights = used.astype(np.float64)
            normal = np.empty((len(probed), N_TERMS, N_TERMS))
            normal[:, upper[0], upper[1]] = normal[:, upper[1], upper[0]] = weights @ products
            normal[:, range(N_TERMS), range(N_TERMS)] += prior
            weights *= probed
            coefficients = np.linalg.solve(normal, (weights @ exact)[..., None])[..., 0]
            if attempt < N_ROUNDS - 1:
                residual = probed.copy()
                for term in range(N_TERMS):
                    residual -= coefficients[:, term, None].astype(np.float32) * basis[:, term]
        np.clip(coefficients[:, 1], GAIN_RANGE[0] - 1, GAIN_RANGE[1] - 1, out=coefficients[:, 1])
        return coefficients


def is_blank(pixels: NDArray) -> NDArray[np.bool_]:
    """Whether all pixels of each frame, shape (n, n_pixels), hold one value."""
    return np.asarray((pixels == pixels[:, :1]).all(axis=1), np.bool_)


def fit_frame_model(frames: NDArray, seed: int = 0) -> FrameModel:
    """Fit the model to sampled frames of shape (n, first, second).

    Raises
    ------
    PredictionError
        If no pixel is finite in at least half of the frames that show anything.
    """
    shape = frames.shape[1:]
    flat = frames.reshape(len(frames), -1)
    seen, valid = _find_gaps(flat)
    if not valid.any():
        what = "The movie shows nothing: every frame that was sampled is NaN or infinite"
        raise PredictionError(what, fix="Look at the movie with: ndx-cinac inspect FILE")
    generator = np.random.default_rng(seed)
    candidates = np.flatnonzero(valid)
    probes = candidates
    if len(candidates) > N_PROBES:
        probes = np.sort(generator.choice(candidates, N_PROBES, replace=False))
    if len(probes) >= FEWEST_FOR_BLANK:
        pictures = seen[~is_blank(flat[np.ix_(seen, probes)])]
        seen = pictures if len(pictures) else seen
    chosen = seen[np.linspace(0, len(seen) - 1, min(len(seen), MEDIAN_FRAMES)).astype(np.int64)]
    median = _median_image(flat, chosen)
    median[~valid] = median[valid].mean()
    basis = _basis(median.reshape(shape), valid.reshape(shape))
    few = chosen[np.linspace(0, len(chosen) - 1, min(len(chosen), 100)).astype(np.int64)]
    deviations = np.abs(flat[np.ix_(few, probes)].astype(np.float64) - median[probes])
    sigma = 1.4826 * float(np.median(deviations[np.isfinite(deviations)]))
    # A movie without noise has a scale, too: that of its picture, or of its numbers' precision.
    sigma = max(sigma, 1e-6 * float(np.std(median[valid])), 1e-7 * float(np.abs(median).max()))
    return FrameModel(median, basis, valid, probes, sigma if sigma > 0 else 1.0)


def _find_gaps(flat: NDArray) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Frames that show something, and pixels that are finite in at least half of those."""
    if flat.dtype.kind != "f":
        return np.arange(len(flat)), np.ones(flat.shape[1], np.bool_)
    per_frame = np.array([np.isfinite(frame).sum() for frame in flat])
    seen = np.flatnonzero(per_frame > 0.25 * per_frame.max()) if per_frame.any() else np.array([], np.int64)
    per_pixel = np.zeros(flat.shape[1], np.int64)
    for row in seen:
        per_pixel += np.isfinite(flat[row])
    return seen, (per_pixel > 0) & (per_pixel >= 0.5 * len(seen))


def _median_image(flat: NDArray, rows: NDArray[np.int64], step: int = 16384) -> NDArray[np.float64]:
    """Median over some frames, NaN and infinite values left out, for some thousand pixels at a time."""
    median = np.empty(flat.shape[1], np.float64)
    for start in range(0, flat.shape[1], step):
        part = np.ascontiguousarray(flat[rows, start : start + step].T)
        if part.dtype.kind == "f" and not np.isfinite(part).all():
            part[~np.isfinite(part)] = np.nan
            part.sort(axis=1)  # NaN last
            count = np.maximum(np.isfinite(part).sum(axis=1), 1)
            ends = np.stack([(count - 1) // 2, count // 2], axis=1)
            median[start : start + step] = np.take_along_axis(part, ends, axis=1).mean(
                axis=1, dtype=np.float64
            )
        else:
            median[start : start + step] = np.median(part, axis=1)
    return median


def _basis(median: NDArray[np.float64], valid: NDArray[np.bool_]) -> NDArray[np.float32]:
    """One, median minus mean, and both gradients of the lightly smoothed median image, shape (n_pixels, 4)."""
    mean = median[valid].mean()
    weight = valid.astype(np.float64)
    smooth = _smooth((median - mean) * weight) / np.maximum(_smooth(weight), 1e-9)
    terms = [np.ones_like(median), median - mean]
    for axis in (0, 1):
        if median.shape[axis] < 2:
            terms.append(np.zeros_like(median))
            continue
        gradient = np.gradient(smooth, axis=axis)
        # Beside a pixel that is not valid the gradient means nothing.
        around = np.pad(valid, 1, mode="edge")
        before, after = (
            (around[:-2, 1:-1], around[2:, 1:-1]) if axis == 0 else (around[1:-1, :-2], around[1:-1, 2:])
        )
        terms.append(np.where(before & after, gradient, 0.0))
    basis = np.stack([term.ravel() for term in terms], axis=1)
    basis[~valid.ravel()] = 0.0
    return basis.astype(np.float32)


def _smooth(image: NDArray[np.float64]) -> NDArray[np.float64]:
    """Smooth with 1/4, 1/2, 1/4 along both axes, edges repeated."""
    padded = np.pad(image, 1, mode="edge")
    rows = (padded[:-2] + 2 * padded[1:-1] + padded[2:]) / 4
    return np.asarray((rows[:, :-2] + 2 * rows[:, 1:-1] + rows[:, 2:]) / 4)
