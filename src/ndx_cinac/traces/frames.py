"""Frame correction: brightness, offset and small motion of whole frames are measured and taken out.

Each frame is regressed robustly on the median image, its two gradients and a constant. Frames are never
rewritten: sums over pixels are linear in the frame, so the few numbers that the regression gives correct such
sums afterwards.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .order_statistics import median

N_TERMS = 4
"""Terms of a frame's correction: offset, gain - 1, shift (pixels) along the first and the second axis."""
PRIOR_GAIN = 0.15
"""Standard deviation that is expected of a frame's gain."""
PRIOR_SHIFT = 1.0
"""Standard deviation that is expected of a frame's shift, in pixels."""
GAIN_RANGE = (0.3, 3.0)
N_ROUNDS = 3
GROUP = 32
"""Frames that are regressed together."""
LIMITS = ((-4.0, 4.0), (-3.0, 1.5))
"""Residuals that count in the first and in later rounds, in deviations: activity is bright, so cut off."""
FEWEST_FOR_BLANK = 16
"""Pixels that must all be alike, at least, before a frame counts as blank."""


@dataclass(frozen=True)
class FrameBlock:
    """Frames as deviations from the median image, with their corrections.

    Attributes
    ----------
    deviations : ndarray of float32, shape (n, n_pixels)
        Frame minus median image, not corrected. Finite: a missing pixel holds what the correction predicts.
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

    def correct(self, sums: NDArray[Any], basis_sums: NDArray[np.float64]) -> NDArray[np.float64]:
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
        One, median image minus its mean, its gradients along both axes; 0 where not `valid`.
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

    def measure(
        self, frames: NDArray[Any], known: tuple[NDArray[Any], NDArray[Any]] | None = None
    ) -> FrameBlock:
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
            coefficients = self._regress_all(deviations, suspects)
            coefficients[missing] = 0.0
        else:
            coefficients, missing = known
            deviations[missing] = 0.0
        for row in suspects:
            gaps = np.flatnonzero(~np.isfinite(deviations[row]))
            deviations[row, gaps] = self.basis[gaps] @ coefficients[row].astype(np.float32)
        return FrameBlock(deviations, coefficients, missing)

    def subtract(self, flat: NDArray[Any], pixels: NDArray[np.int64] | None = None) -> NDArray[np.float32]:
        """Frames, or some of their pixels, minus median image; in double precision where that is needed."""
        precise = flat.dtype.itemsize > 4 or (flat.dtype.kind in "iu" and flat.dtype.itemsize > 2)
        median = self.median if pixels is None else self.median[pixels]
        if not precise:
            median = median.astype(np.float32)
        if precise:
            return (flat - median).astype(np.float32)
        # Casting first and subtracting in place is faster than a subtraction that casts on its way.
        out = flat.astype(np.float32)
        out -= median
        return out

    def _without_picture(
        self, flat: NDArray[Any], deviations: NDArray[Any], suspects: NDArray[Any]
    ) -> NDArray[np.bool_]:
        """Frames that are mostly not finite, or blank (one value everywhere, as when a shutter is closed)."""
        missing = np.zeros(len(flat), np.bool_)
        for row in suspects:
            finite = np.isfinite(deviations[row]) & self.valid
            missing[row] = finite.sum() < 0.5 * self.valid.sum()
        if len(self.probes) >= FEWEST_FOR_BLANK and np.ptp(self.median[self.probes]) > 0:
            missing |= is_blank(flat[:, self.probes])
        return missing

    def _regress_all(
        self, deviations: NDArray[np.float32], suspects: NDArray[np.int64]
    ) -> NDArray[np.float64]:
        """Regress frames in groups that stay in the processor's cache."""
        coefficients = np.empty((len(deviations), N_TERMS))
        for start in range(0, len(deviations), GROUP):
            stop = min(start + GROUP, len(deviations))
            within = suspects[(suspects >= start) & (suspects < stop)] - start
            coefficients[start:stop] = self._regress(deviations[start:stop, self.probes], within)
        return coefficients

    def _regress(self, probed: NDArray[np.float32], suspects: NDArray[np.int64]) -> NDArray[np.float64]:
        """Regress deviations at the probes, shape (n, n_probes), on the basis; activity (bright) is left out.

        Sums are in double precision and the rest is done pixel by pixel, so that a frame's result does not
        depend on the frames that happen to be in its block.
        """
        finite = np.isfinite(probed) if len(suspects) else None
        for row in suspects:
            known = probed[row, finite[row]] if finite is not None else probed[row]
            probed[row, ~np.isfinite(probed[row])] = median(known) if len(known) else 0.0
        basis = self.basis[self.probes]
        exact = basis.astype(np.float64)
        i, j = np.triu_indices(N_TERMS)
        products = exact[:, i] * exact[:, j]
        expected = np.array([np.inf, PRIOR_GAIN, PRIOR_SHIFT, PRIOR_SHIFT])
        prior = (self.sigma / expected) ** 2 + np.array([1e-3, 0, 0, 0])
        residual = probed - median(probed)[:, None]
        coefficients = np.zeros((len(probed), N_TERMS))
        for attempt in range(N_ROUNDS):
            used = self._inliers(residual, LIMITS[min(attempt, 1)])
            if finite is not None:
                used &= finite
            weights = used.astype(np.float64)
            normal = np.empty((len(probed), N_TERMS, N_TERMS))
            normal[:, i, j] = normal[:, j, i] = weights @ products
            normal[:, range(N_TERMS), range(N_TERMS)] += prior
            weights *= probed
            coefficients[:] = np.linalg.solve(normal, (weights @ exact)[..., None])[..., 0]
            if attempt < N_ROUNDS - 1:
                residual = probed.copy()
                for term in range(N_TERMS):
                    residual -= coefficients[:, term, None].astype(np.float32) * basis[:, term]
        np.clip(coefficients[:, 1], GAIN_RANGE[0] - 1, GAIN_RANGE[1] - 1, out=coefficients[:, 1])
        return coefficients

    def _inliers(self, residual: NDArray[np.float32], limits: tuple[float, float]) -> NDArray[np.bool_]:
        """Residuals within limits that are relative to the scale of each frame's residuals."""
        scale = np.float32(1.4826) * median(np.abs(residual[:, ::4])) + np.float32(0.02 * self.sigma)
        lower, upper = (np.float32(limit) * scale[:, None] for limit in limits)
        return (residual > lower) & (residual < upper)


def is_blank(pixels: NDArray[Any]) -> NDArray[np.bool_]:
    """Whether all pixels of each frame, shape (n, n_pixels), hold one value."""
    return np.asarray((pixels == pixels[:, :1]).all(axis=1), np.bool_)
