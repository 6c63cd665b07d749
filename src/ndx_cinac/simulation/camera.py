"""What a microscope makes of a simulated scene: displaced, noisy, counted frames."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, shift

from .draws import chance, log_uniform, uniform, wander
from .optics import CameraSettings


@dataclass(frozen=True)
class Camera:
    """The settings of one field's recording.

    Attributes
    ----------
    displacement : ndarray, shape (n_frames, 2)
        Motion along the first and the second axis, pixels.
    noise : float
        Standard deviation of a pixel's noise at the mean brightness.
    shot_noise : float
        Part of its variance that grows with brightness.
    smoothing : float
        Standard deviation, in pixels, of the Gaussian that correlates the noise; 0 for none.
    averaging : float
        Standard deviation, in frames, of the Gaussian that smooths the movie in time; 0 for none.
    counts, offset : float
        Counts per unit of brightness, and in the dark.
    highest : int
        Largest count that the detector can give.
    stretched : bool
        Whether each frame is stretched to 0-255 for itself.
    scan_offset : float
        Pixels by which every other line is off, as scanned in both directions; 0 for none.
    scan_axis : int
        1 if the scanned lines are rows (one for each index of the first spatial axis), 2 if they are columns.
    """

    displacement: NDArray[np.float64]
    noise: float
    shot_noise: float
    smoothing: float
    averaging: float
    counts: float
    offset: float
    highest: int
    stretched: bool
    scan_offset: float
    scan_axis: int

    @property
    def dark_noise(self) -> float:
        """Standard deviation of a pixel's noise without light, counts."""
        return self.counts * self.noise * float(np.sqrt(1 - self.shot_noise)) if not self.stretched else 0.0

    def record(
        self, rng: np.random.Generator, scene: NDArray[np.float32], start: int, mean: float
    ) -> NDArray[np.uint16]:
        """Record the frames of a scene (n, first, second) from frame `start` on; they are spoilt."""
        for index in range(len(scene)):
            step = self.displacement[start + index]
            if np.abs(step).max() > 0.01:
                scene[index] = shift(scene[index], step, order=1, mode="nearest", prefilter=False)
        if self.scan_offset:
            displace_lines(scene, self.scan_offset, self.scan_axis)
        noise = rng.standard_normal(scene.shape, dtype=np.float32)
        if self.smoothing:
            noise = gaussian_filter(noise, (0, self.smoothing, self.smoothing))
            noise /= max(float(noise.std()), 1e-6)
        variance = (1 - self.shot_noise) + self.shot_noise * np.maximum(scene, 0) / mean
        frames = scene + self.noise * np.sqrt(variance) * noise
        if self.stretched:
            low, high = frames.min(axis=(1, 2), keepdims=True), frames.max(axis=(1, 2), keepdims=True)
            counted = np.floor((frames - low) / np.maximum(high - low, 1e-6) * 255)
        else:
            counted = np.clip(np.rint(frames * self.counts + self.offset), 0, self.highest)
        return np.asarray(counted.astype(np.uint16))


def blur_frames(scene: NDArray[np.float32], widths: NDArray[np.float64]) -> None:
    """Blur frames (n, first, second) in place, each by about its own width in pixels."""
    widest = float(widths.max())
    if widest < 0.05:
        return
    # A sharp and a blurred picture, mixed by variance, are close to a picture blurred by what lies between.
    part = ((widths / widest) ** 2).astype(np.float32)[:, None, None]
    scene += part * (gaussian_filter(scene, (0, widest, widest), mode="nearest") - scene)


def displace_lines(scene: NDArray[np.float32], offset: float, axis: int) -> None:
    """Shift every other line of frames (n, first, second) along itself, in place, by parts of a pixel too."""
    lines = np.swapaxes(scene, 1, axis)[:, 1::2]
    places = np.clip(np.arange(lines.shape[2]) - offset, 0, lines.shape[2] - 1)
    before = np.floor(places).astype(int)
    after = np.minimum(before + 1, lines.shape[2] - 1)
    part = (places - before).astype(np.float32)
    lines[:] = (1 - part) * lines[:, :, before] + part * lines[:, :, after]


def draw_camera(
    rng: np.random.Generator,
    settings: CameraSettings,
    *,
    n_frames: int,
    signal: float,
    resting: float,
    brightest: float,
) -> Camera:
    """Draw a camera for a field.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of all chance.
    settings : CameraSettings
        The ranges.
    n_frames : int
        Length of the movie.
    signal : float
        Height of a typical transient after a matched filter over the soma: the measure of the noise.
    resting, brightest : float
        Highest brightness of the background at rest, and of the scene: a detector that saturates does so
        between them.
    """
    clean = chance(rng, settings.clean_probability)
    noise = signal / log_uniform(rng, settings.clean_snr if clean else settings.snr)
    # Readings of 16 bits have to hold the brightest pixel.
    counts = min(log_uniform(rng, settings.counts) / noise, 60000 / max(brightest, 1e-6))
    offset = uniform(rng, settings.offset)
    saturated = chance(rng, settings.saturated_probability)
    ceiling = resting + uniform(rng, settings.saturation) * (brightest - resting)
    scanned = chance(rng, settings.bidirectional_probability)
    return Camera(
        displacement=_displacement(rng, settings, n_frames),
        noise=noise,
        shot_noise=uniform(rng, settings.shot_noise),
        smoothing=uniform(rng, settings.smoothing) if chance(rng, settings.smoothed_probability) else 0.0,
        averaging=uniform(rng, settings.averaging) if chance(rng, settings.averaged_probability) else 0.0,
        counts=counts,
        offset=offset,
        highest=min(65535, int(ceiling * counts + offset)) if saturated else 65535,
        stretched=chance(rng, settings.stretched_probability),
        scan_offset=uniform(rng, settings.bidirectional) * rng.choice([-1.0, 1.0]) if scanned else 0.0,
        scan_axis=int(rng.integers(1, 3)),
    )


def _displacement(rng: np.random.Generator, settings: CameraSettings, n_frames: int) -> NDArray[np.float64]:
    """Residual motion: jitter or drift, by whole or by parts of pixels, always or in a few frames."""
    if not chance(rng, settings.motion_probability):
        return np.zeros((n_frames, 2))
    size = log_uniform(rng, settings.motion)
    steps = (
        wander(rng, 2, n_frames, uniform(rng, settings.motion_time)).T
        if chance(rng, 0.5)
        else rng.standard_normal((n_frames, 2))
    )
    steps = np.clip(size * steps, -2.5 * max(size, 0.4), 2.5 * max(size, 0.4))
    if chance(rng, 0.3):
        steps = np.round(steps)
    if chance(rng, 0.3):
        steps = steps * (rng.random((n_frames, 1)) < 0.1)
    return np.asarray(steps)
