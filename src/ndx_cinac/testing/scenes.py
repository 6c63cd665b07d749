"""A small simulated field of Gaussian cells whose activity is known: what the mock recordings show."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..movies import ArrayMovie
from ..recording import CinacRecording, Times
from ..rois import Rois

Floats = NDArray[np.float64]

BASELINE = 200.0
"""Brightness of the empty field."""

CELL = 300.0
"""Brightness that a resting cell adds at its centre."""

SIGMA = 2.0
"""Standard deviation of a cell, in pixels."""

MASK_LEVEL = 0.3
"""A pixel belongs to an ROI where the cell has this part of its peak brightness."""


@dataclass(frozen=True)
class MockRecording:
    """A recording, and what is known about it.

    Attributes
    ----------
    recording : CinacRecording
        Movie, ROIs and times, in memory.
    active : ndarray of bool, shape (n_frames, n_rois)
        True from the onset to the peak of each transient.
    traces : ndarray of float32, shape (n_frames, n_rois)
        Relative fluorescence of each cell: 0 at rest.
    """

    recording: CinacRecording
    active: NDArray[np.bool_]
    traces: NDArray[np.float32]

    @property
    def frames(self) -> NDArray[Any]:
        """The movie as an array of shape (n_frames, first, second)."""
        movie = self.recording.require_movie()
        return movie.read(0, movie.n_frames)


def mock_activity(
    n_frames: int, n_rois: int, rate: float, rng: np.random.Generator
) -> tuple[NDArray[np.bool_], NDArray[np.float32]]:
    """Transients at random times: active frames and fluorescence, both of shape (n_frames, n_rois)."""
    rise = max(2, round(0.3 * rate))
    decay = max(2.0, 0.8 * rate)
    active = np.zeros((n_frames, n_rois), np.bool_)
    traces = np.zeros((n_frames, n_rois), np.float32)
    fall = np.exp(-np.arange(n_frames) / decay)
    shape = np.concatenate([np.linspace(0, 1, rise, endpoint=False), fall])
    gap = round(rise + 3 * decay)
    for roi in range(n_rois):
        onset = int(rng.integers(2, max(3, gap)))
        while onset + rise < n_frames:
            active[onset : onset + rise, roi] = True
            part = shape[: n_frames - onset]
            traces[onset : onset + len(part), roi] += rng.uniform(1.0, 2.0) * part
            onset += gap + int(rng.integers(0, 2 * gap))
    return active, traces


def mock_centres(n_rois: int, shape: tuple[int, int], rng: np.random.Generator) -> NDArray[np.float64]:
    """Centres of cells on a jittered grid, shape (n_rois, 2)."""
    columns = max(1, int(np.ceil(np.sqrt(n_rois * shape[1] / shape[0]))))
    rows = max(1, int(np.ceil(n_rois / columns)))
    spacing = np.array([shape[0] / rows, shape[1] / columns])
    grid = np.stack(np.divmod(np.arange(n_rois), columns), axis=1)
    centres: Floats = (grid + 0.5) * spacing + rng.uniform(-0.15, 0.15, (n_rois, 2)) * spacing
    return centres


def mock_recording(
    n_rois: int = 3,
    n_frames: int = 200,
    shape: tuple[int, int] = (40, 48),
    seed: int = 0,
    *,
    rate: float = 10.0,
    noise: float = 10.0,
    motion: float = 0.3,
) -> MockRecording:
    """Make a recording of a few cells whose activity is known, in memory and within a fraction of a second.

    Parameters
    ----------
    n_rois, n_frames : int
        Number of cells and of frames.
    shape : tuple of int
        Lengths of the movie's first and second spatial axis, in pixels.
    seed : int
        The same seed gives the same recording.
    rate : float
        Frames per second.
    noise : float
        Standard deviation of the noise of a pixel (a resting cell adds 300 at its centre to a field of 200).
    motion : float
        Largest shift of the field, in pixels.
    """
    rng = np.random.default_rng(seed)
    active, traces = mock_activity(n_frames, n_rois, rate, rng)
    centres = mock_centres(n_rois, shape, rng)
    phase = np.arange(n_frames)[:, None] * np.array([0.11, 0.07]) + np.array([0.0, 1.0])
    shift = motion * np.sin(phase)
    first = _profile(shape[0], centres[:, 0], shift[:, 0])
    second = _profile(shape[1], centres[:, 1], shift[:, 1])
    brightness = CELL * (1 + traces)
    frames = BASELINE + np.einsum("tk,tki,tkj->tij", brightness, first, second, optimize=True)
    frames += rng.normal(0, noise, frames.shape)
    times = Times(n_frames=n_frames, rate=rate)
    recording = CinacRecording(
        identifier="mock", movie=_movie(frames), rois=_rois(centres, shape), times=times, pixel_size=2.0
    )
    return MockRecording(recording=recording, active=active, traces=traces)


def _profile(length: int, centres: Floats, shift: Floats) -> Floats:
    distance = np.arange(length) - centres[None, :, None] - shift[:, None, None]
    profile: Floats = np.exp(-(distance**2) / (2 * SIGMA**2))
    return profile


def _movie(frames: Floats) -> ArrayMovie:
    return ArrayMovie(np.clip(np.rint(frames), 0, 65535).astype(np.uint16))


def _rois(centres: Floats, shape: tuple[int, int]) -> Rois:
    grid = np.indices(shape)
    pixels, weights = [], []
    for centre in centres:
        squared = ((grid - centre[:, None, None]) ** 2).sum(axis=0)
        weight = np.exp(-squared / (2 * SIGMA**2))
        inside = weight >= MASK_LEVEL
        pixels.append(np.argwhere(inside))
        weights.append(weight[inside])
    return Rois.from_pixels(pixels, shape, weights=weights)
