"""What images tell of a cell's type: size, shape and surroundings of each ROI, and patches of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..extras import require
from ..rois import Rois

_ndimage = require("scipy.ndimage", extra="predict", feature="Predicting cell types")

IMAGE_FEATURES = (
    "log area (µm²)",
    "log area over the median ROI's",
    "elongation",
    "compactness",
    "contrast in the mean image",
    "donut in the mean image",
    "contrast over amplitude",
    "correlation within the mask",
    "correlation around the mask",
    "log correlated area (µm²)",
    "elongation of the correlated area",
    "donut in the correlation",
)
"""Named numbers of one ROI's surroundings, in order."""

PATCH_CHANNELS = ("mean image", "mask", "correlation with the ROI's trace")
"""What a patch shows, in order."""

RING = (2.0, 7.0)
"""Surroundings of an ROI: from the first to the second distance, in micrometres, from its mask."""
FEWEST_RING_PIXELS = 8
LARGEST_VALUE = 6.0


@dataclass(frozen=True)
class FieldImages:
    """A field of view, and the sampled frames behind it.

    Attributes
    ----------
    mean : ndarray of float32, shape (first, second)
        Mean of the sampled frames; finite.
    deviations : ndarray of float32, shape (first, second, n_sampled)
        Sampled frames minus `mean`, gain and offset of whole frames taken out, slightly smoothed in space.
    strength : ndarray of float32, shape (first, second)
        Square root of the sum of their squares over time.
    covered : ndarray of bool, shape (first, second)
        Pixels of any ROI.
    scale : float
        Typical deviation of a pixel of `mean` from its surroundings.
    pixel_size : float
        Micrometres per pixel.
    """

    mean: NDArray[np.float32]
    deviations: NDArray[np.float32]
    strength: NDArray[np.float32]
    covered: NDArray[np.bool_]
    scale: float
    pixel_size: float


@dataclass(frozen=True)
class Surroundings:
    """A window of the field around one ROI: `mask`, `ring`, `mean`, `correlation`, all of one shape.

    `centre` is the mask's centre in the window; pixels of the field's outside do not occur.
    """

    mask: NDArray[np.bool_]
    ring: NDArray[np.bool_]
    mean: NDArray[np.float32]
    correlation: NDArray[np.float32]
    centre: NDArray[np.float64]


def field_images(
    frames: NDArray[np.generic], coefficients: NDArray[np.float32], rois: Rois, pixel_size: float
) -> FieldImages:
    """Make the images of a field.

    Parameters
    ----------
    frames : ndarray, shape (n_sampled, first, second)
        Sampled frames as stored; NaN where nothing was recorded.
    coefficients : ndarray of float32, shape (n_sampled, 4)
        Offset and gain - 1 of these frames, in the first two columns.
    rois : Rois
        All usable ones count as covered.
    pixel_size : float
        Micrometres per pixel.
    """
    values = np.asarray(frames, np.float32)
    finite = np.isfinite(values)
    count = np.maximum(finite.sum(axis=0), 1)
    mean = np.where(finite, values, 0).sum(axis=0, dtype=np.float64) / count
    mean = np.where(finite.any(axis=0), mean, np.median(mean)).astype(np.float32)
    deviations = np.where(finite, values - mean, 0).astype(np.float32)
    offset, gain = coefficients[:, 0, None, None], coefficients[:, 1, None, None]
    deviations -= offset + gain * (mean - mean.mean())
    for frame in deviations:
        _ndimage.gaussian_filter(frame, 0.7, output=frame)
    deviations -= deviations.mean(axis=0)
    deviations = np.ascontiguousarray(np.moveaxis(deviations, 0, -1))
    strength = np.sqrt(np.einsum("ijt,ijt->ij", deviations, deviations))
    covered = np.zeros(rois.shape, bool)
    for row in rois.usable:
        pixels = rois.pixels(int(row))
        covered[pixels[:, 0], pixels[:, 1]] = True
    local = mean - _ndimage.gaussian_filter(mean, 8.0 / pixel_size)
    scale = 1.4826 * float(np.median(np.abs(local - np.median(local))))
    scale = max(scale, 1e-6 * float(np.ptp(mean)), 1e-12)
    return FieldImages(mean, deviations, strength, covered, scale, pixel_size)


def surroundings(
    images: FieldImages, pixels: NDArray[np.int32], trace: NDArray[np.float32], reach: float
) -> Surroundings:
    """Cut out the window around an ROI and correlate its pixels with the ROI's trace.

    Parameters
    ----------
    images : FieldImages
        The field.
    pixels : ndarray of int, shape (n, 2)
        The ROI's mask.
    trace : ndarray of float32, shape (n_sampled,)
        The ROI's trace in the sampled frames.
    reach : float
        How far the window reaches from the ROI's centre, in micrometres; further where the mask does.
    """
    shape = np.array(images.mean.shape)
    middle = pixels.mean(axis=0)
    margin = RING[1] / images.pixel_size + 1
    low = np.minimum(middle - reach / images.pixel_size, pixels.min(axis=0) - margin)
    high = np.maximum(middle + reach / images.pixel_size, pixels.max(axis=0) + margin) + 1
    low = np.clip(np.floor(low), 0, shape - 1).astype(int)
    high = np.clip(np.ceil(high), low + 1, shape).astype(int)
    window = (slice(low[0], high[0]), slice(low[1], high[1]))
    mask = np.zeros(high - low, bool)
    inside = pixels - low
    mask[inside[:, 0], inside[:, 1]] = True
    distance = _ndimage.distance_transform_edt(~mask) * images.pixel_size
    ring = (distance > RING[0]) & (distance <= RING[1])
    free = ring & ~images.covered[window]
    ring = free if free.sum() >= FEWEST_RING_PIXELS else ring
    centred = trace - trace.mean()
    products = images.deviations[window] @ centred
    scale = np.maximum(images.strength[window] * np.sqrt((centred**2).sum()), 1e-9)
    correlation = np.asarray(products / scale, np.float32)
    return Surroundings(mask, ring, images.mean[window], correlation, middle - low)


def describe_surroundings(
    around: Surroundings, images: FieldImages, *, median_area: float, amplitude: float
) -> list[float]:
    """Return the numbers named in `IMAGE_FEATURES`; finite.

    Parameters
    ----------
    around : Surroundings
        Of the ROI.
    images : FieldImages
        The field.
    median_area : float
        Pixels of the field's median ROI.
    amplitude : float
        Height of the ROI's transients, in the movie's unit.
    """
    mask, area = around.mask, float(around.mask.sum())
    square = images.pixel_size**2
    level = float(np.median(around.mean[around.ring])) if around.ring.any() else float(around.mean.min())
    contrast = float(around.mean[mask].mean()) - level
    core = _core(mask)
    followed = _followed(around)
    values = [
        np.log(area * square),
        np.log(area / median_area),
        _elongation(mask),
        _compactness(mask),
        np.arcsinh(contrast / images.scale),
        _donut(around.mean - level, mask, core, max(abs(contrast), images.scale)),
        np.arcsinh(contrast / max(amplitude, 1e-9)),
        float(around.correlation[mask].mean()),
        float(around.correlation[around.ring].mean()) if around.ring.any() else 0.0,
        np.log(max(float(followed.sum()), 1.0) * square),
        _elongation(followed),
        _donut(around.correlation, mask, core, max(float(around.correlation[mask].mean()), 0.05)),
    ]
    return [float(np.clip(value, -LARGEST_VALUE, 10.0)) for value in values]


def _core(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return the innermost pixels of a mask, holes filled: at least 0.55 of the largest depth."""
    filled = np.pad(_ndimage.binary_fill_holes(mask), 1)
    depth = _ndimage.distance_transform_edt(filled)[1:-1, 1:-1]
    return np.asarray(depth >= 0.55 * depth.max(), np.bool_)


def _donut(
    image: NDArray[np.float32], mask: NDArray[np.bool_], core: NDArray[np.bool_], scale: float
) -> float:
    """How much darker the core is than the rest of the mask; 0 where there is no rest."""
    rest = mask & ~core
    return float(image[rest].mean() - image[core].mean()) / scale if rest.any() and core.any() else 0.0


def _followed(around: Surroundings) -> NDArray[np.bool_]:
    """Pixels that follow the trace half as well as the mask does, connected with its best one."""
    best = np.where(around.mask, around.correlation, -np.inf)
    peak = np.unravel_index(int(np.argmax(best)), best.shape)
    labels, _ = _ndimage.label(around.correlation >= 0.5 * max(float(around.correlation[peak]), 1e-3))
    return np.asarray((labels == labels[peak]) & (labels[peak] > 0), np.bool_)


def _elongation(mask: NDArray[np.bool_]) -> float:
    """Logarithm of the longest over the shortest axis of the ellipse with the mask's second moments."""
    pixels = np.argwhere(mask).astype(np.float64)
    if len(pixels) < 3:
        return 0.0
    moments = np.cov(pixels.T) + np.eye(2) / 12  # a pixel's own extent
    small, large = np.linalg.eigvalsh(moments)
    return float(0.5 * np.log(large / small))


def _compactness(mask: NDArray[np.bool_]) -> float:
    """Mean distance from the centre, over that in a disk of the same area: 1 round, more if not."""
    pixels = np.argwhere(mask).astype(np.float64)
    distance = np.hypot(*(pixels - pixels.mean(axis=0)).T).mean()
    return float(distance / (2 / 3 * np.sqrt(len(pixels) / np.pi))) if len(pixels) > 3 else 1.0


def make_patch(
    around: Surroundings, images: FieldImages, micrometres: float, n_pixels: int
) -> NDArray[np.float32]:
    """Sample a square around the ROI, shape (n_pixels, n_pixels, 3), as `PATCH_CHANNELS`; 0 outside."""
    step = micrometres / n_pixels / images.pixel_size
    offsets = (np.arange(n_pixels) - (n_pixels - 1) / 2) * step
    grid = np.stack(np.meshgrid(offsets, offsets, indexing="ij")) + around.centre[:, None, None]
    level = float(np.median(around.mean[around.ring])) if around.ring.any() else float(around.mean.min())
    layers = (
        np.arcsinh((around.mean - level) / (2 * images.scale)),
        around.mask.astype(np.float32),
        around.correlation,
    )
    blur = 0.4 * max(step - 1.0, 0.0)
    sampled = [
        _ndimage.map_coordinates(_ndimage.gaussian_filter(layer, blur) if blur else layer, grid, order=1)
        for layer in layers
    ]
    return np.asarray(np.clip(np.stack(sampled, axis=-1), -LARGEST_VALUE, LARGEST_VALUE), np.float32)
