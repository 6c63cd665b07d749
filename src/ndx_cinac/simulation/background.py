"""What glows, darkens and drifts around simulated cells: neuropil, vessels, processes, bleaching, flicker."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, gaussian_filter1d

from .draws import chance, log_uniform, uniform, wander
from .footprints import draw_process
from .settings import BackgroundSettings

Part = tuple[NDArray[np.floating], NDArray[np.floating]]
"""An image, and the course of its brightness."""


@dataclass(frozen=True)
class Background:
    """Everything but the cells, as images times their courses.

    Attributes
    ----------
    resting : ndarray of float32, shape (first, second)
        What glows all the time.
    images : ndarray of float32, shape (n, first, second)
        Where it changes.
    courses : ndarray of float32, shape (n, n_frames)
        How it changes.
    gain : ndarray of float32, shape (n_frames,)
        Brightness of the whole frame: bleaching and flicker.
    """

    resting: NDArray[np.float32]
    images: NDArray[np.float32]
    courses: NDArray[np.float32]
    gain: NDArray[np.float32]


def draw_background(
    rng: np.random.Generator,
    settings: BackgroundSettings,
    shape: tuple[int, int],
    calcium: NDArray[np.float32],
    frame_rate: float,
) -> Background:
    """Draw the background of a field whose cells show `calcium` (n_cells, n_frames)."""
    n_frames = calcium.shape[1]
    parts = _neuropil(rng, settings, shape, calcium, frame_rate) + _processes(rng, settings, shape, calcium)
    return Background(
        resting=_resting(rng, settings, shape),
        images=np.array([image for image, _ in parts], np.float32).reshape(len(parts), *shape),
        courses=np.array([course for _, course in parts], np.float32).reshape(len(parts), n_frames),
        gain=_gain(rng, settings, n_frames),
    )


def _resting(
    rng: np.random.Generator, settings: BackgroundSettings, shape: tuple[int, int]
) -> NDArray[np.float32]:
    """Draw a level with fine and coarse unevenness, and dark vessels."""
    level = uniform(rng, settings.level)
    image = np.ones(shape)
    for smoothness in (rng.uniform(1, 4), rng.uniform(8, 20)):
        pattern = gaussian_filter(rng.standard_normal(shape), smoothness, mode="wrap")
        image += uniform(rng, settings.texture) * pattern / max(float(pattern.std()), 1e-6)
    image = np.clip(image, 0.1, None)
    if chance(rng, settings.vessel_probability):
        vessel = gaussian_filter(draw_process(rng, shape), rng.uniform(0.5, 2))
        image *= 1 - rng.uniform(0.2, 0.7) * vessel / max(float(vessel.max()), 1e-6)
    return (level * image).astype(np.float32)


def _neuropil(
    rng: np.random.Generator,
    settings: BackgroundSettings,
    shape: tuple[int, int],
    calcium: NDArray[np.float32],
    frame_rate: float,
) -> list[Part]:
    """Wide patches whose brightness wanders, and may follow the cells' common activity."""
    if not chance(rng, settings.neuropil_probability):
        return []
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    common = gaussian_filter1d(calcium.mean(axis=0), rng.uniform(0.5, 5))
    common = (common - common.mean()) / (common.std() + 1e-3)
    strength, width = log_uniform(rng, settings.neuropil), rng.uniform(6, 25)
    number = int(rng.integers(1, 6) * max(1, shape[0] * shape[1] / 80**2))
    parts = []
    for _ in range(number):
        centre = rng.uniform((0, 0), shape)
        distance = (rows - centre[0]) ** 2 + (columns - centre[1]) ** 2
        image = np.exp(-0.5 * distance / width**2) + rng.uniform(0, 0.5)
        time = log_uniform(rng, settings.neuropil_time) * frame_rate
        course = wander(rng, 1, calcium.shape[1], max(time, 0.3))[0]
        part = rng.random() if chance(rng, settings.neuropil_follows) else 0.0
        parts.append((image, strength * ((1 - part) * course + part * common)))
    return parts


def _processes(
    rng: np.random.Generator,
    settings: BackgroundSettings,
    shape: tuple[int, int],
    calcium: NDArray[np.float32],
) -> list[Part]:
    """Dendrites and axons: each fires with one of the field's cells, at another time or at the same."""
    if not chance(rng, settings.process_probability) or not len(calcium):
        return []
    parts: list[Part] = []
    for _ in range(rng.integers(settings.processes[0], settings.processes[1] + 1)):
        course = calcium[rng.integers(len(calcium))]
        if chance(rng, 0.7):
            course = np.roll(course, rng.integers(len(course)))
        parts.append((draw_process(rng, shape), log_uniform(rng, settings.process_brightness) * course))
    return parts


def _gain(rng: np.random.Generator, settings: BackgroundSettings, n_frames: int) -> NDArray[np.float32]:
    """Bleaching and flicker."""
    gain = np.ones(n_frames)
    if chance(rng, settings.bleaching_probability):
        time = rng.uniform(0.2, 1.0) * n_frames
        gain -= uniform(rng, settings.bleaching) * (1 - np.exp(-np.arange(n_frames) / time))
    if chance(rng, settings.flicker_probability):
        gain *= np.maximum(1 + log_uniform(rng, settings.flicker) * rng.standard_normal(n_frames), 0.5)
    return gain.astype(np.float32)
