"""Simulated fields of view: cells, background and camera put together into a movie with its truth."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.ndimage import gaussian_filter1d

from ..errors import ConfigError
from ..progress import Progress, silent
from ..rois import Rois
from .activity import Activity, simulate_activity
from .background import Background, draw_background
from .camera import Camera, draw_camera
from .config import SimulationConfig
from .draws import chance, log_uniform, uniform, wander
from .footprints import Footprint, Mask, draw_cells, draw_mask, draw_non_cells
from .settings import CameraSettings

FRAMES_PER_BLOCK = 200


@dataclass(frozen=True)
class SimulatedField:
    """A simulated movie, its ROIs and what truly happened in it.

    Attributes
    ----------
    movie : ndarray of uint16, shape (n_frames, first, second)
        The recording.
    rois : Rois
        Masks as someone might have drawn them; some may have no cell beneath.
    active : ndarray of bool, shape (n_frames, n_rois)
        True from the onset to the peak of a transient.
    ignored : ndarray of bool, shape (n_frames, n_rois)
        Frames of rises that are neither large enough to be called transients nor small enough to be none.
    fluorescence : ndarray of float32, shape (n_frames, n_rois)
        The cell's own brightness at its brightest pixel, in detector counts: no noise, background or motion.
    spikes : ndarray of float32, shape (n_frames, n_rois)
        Size of the event that starts in each frame; a typical one is 1.
    snr : ndarray of float32, shape (n_rois,)
        Height of a typical transient of the cell over the noise, after a matched filter; 0 without a cell.
    frame_rate : float
        Frames per second (Hz).
    pixel_size : float
        Micrometres per pixel.
    config : SimulationConfig
        What it was drawn from.
    seed : int or None
        What makes it again, together with the config; None where a generator was given.
    """

    movie: NDArray[np.uint16]
    rois: Rois
    active: NDArray[np.bool_]
    ignored: NDArray[np.bool_]
    fluorescence: NDArray[np.float32]
    spikes: NDArray[np.float32]
    snr: NDArray[np.float32]
    frame_rate: float
    pixel_size: float
    config: SimulationConfig
    seed: int | None


@dataclass(frozen=True)
class _Cells:
    """The cells of a field: footprints as a sparse matrix (n_cells, n_pixels), and their courses in time."""

    footprints: list[Footprint]
    matrix: sparse.csr_matrix
    activity: Activity
    height: NDArray[np.float64]
    resting: NDArray[np.float64]
    course: NDArray[np.float32]


def simulate_field(
    config: SimulationConfig, rng: int | np.random.Generator, *, progress: Progress = silent
) -> SimulatedField:
    """Simulate one field of view.

    Parameters
    ----------
    config : SimulationConfig
        The ranges that everything is drawn from.
    rng : int or numpy.random.Generator
        A seed, which makes the field exactly repeatable, or the source of all chance.
    progress : Progress
        Called as frames are made.

    Raises
    ------
    ConfigError
        If the seed is negative, or no cell has room in the field.
    """
    seed = rng if isinstance(rng, int) else None
    if seed is not None and seed < 0:
        what = f"A simulation cannot start from the seed {seed}"
        raise ConfigError(what, fix="Give a whole number of at least 0")
    rng = np.random.default_rng(rng)
    frame_rate = log_uniform(rng, config.movie.frame_rate)
    n_frames = round(log_uniform(rng, config.movie.n_frames))
    diameter = log_uniform(rng, config.cells.diameter)
    cells = _simulate_cells(rng, config, diameter, n_frames, frame_rate)
    background = draw_background(
        rng, config.background, config.movie.shape, cells.activity.calcium, frame_rate
    )
    strength = np.sqrt(np.asarray(cells.matrix.power(2).sum(axis=1)).ravel())
    brightest = float(background.resting.max() + (cells.matrix.T @ cells.course.max(axis=1)).max())
    signal = float(np.median(cells.height * strength))
    camera = draw_camera(rng, config.camera, n_frames=n_frames, signal=signal, brightest=brightest)
    listed, masks = _draw_masks(rng, config, cells.footprints, diameter)
    movie = _record(rng, cells, background, camera, progress)
    return SimulatedField(
        movie=movie,
        rois=Rois.from_pixels(
            [mask.pixels for mask in masks], config.movie.shape, weights=[mask.weights for mask in masks]
        ),
        active=_by_roi(cells.activity.active, listed, len(masks)),
        ignored=_by_roi(cells.activity.ignored, listed, len(masks)),
        fluorescence=_by_roi(cells.course * np.float32(camera.counts), listed, len(masks)),
        spikes=_by_roi(cells.activity.spikes, listed, len(masks)),
        snr=_by_roi((cells.height * strength / camera.noise)[:, None], listed, len(masks))[0].astype(
            np.float32
        ),
        frame_rate=frame_rate,
        pixel_size=uniform(rng, config.cells.soma_size) / diameter,
        config=config,
        seed=seed,
    )


def _simulate_cells(
    rng: np.random.Generator, config: SimulationConfig, diameter: float, n_frames: int, frame_rate: float
) -> _Cells:
    """Place the cells and let them fire."""
    shape = config.movie.shape
    footprints = draw_cells(rng, config.cells, shape, diameter, config.masks.smallest)
    number = len(footprints)
    if not number:
        what = f"No cell of about {diameter:.0f} pixels has room in a field of {shape[0]} x {shape[1]} pixels"
        raise ConfigError(
            what, fix="Choose a larger field, smaller cells, or fewer pixels as an ROI's smallest"
        )
    activity = simulate_activity(rng, config.activity, number, n_frames, frame_rate)
    height = np.exp(rng.normal(0, uniform(rng, config.cells.brightness_spread), number))
    resting = uniform(rng, config.cells.resting) * height * np.exp(rng.normal(0, 0.5, number))
    course = resting[:, None] + height[:, None] * activity.calcium
    if chance(rng, config.background.drift_probability):
        drift = wander(rng, number, n_frames, rng.uniform(40, 120))
        course = course + rng.uniform(0.03, 0.25) * height[:, None] * drift
    if chance(rng, config.camera.focus_probability):
        course = course * _focus(rng, config.camera, number, n_frames)
    rows = [sparse.csr_matrix(footprint.image(shape).reshape(1, -1)) for footprint in footprints]
    matrix = sparse.vstack(rows, format="csr")
    return _Cells(footprints, matrix, activity, height, resting, course.astype(np.float32))


def _focus(
    rng: np.random.Generator, settings: CameraSettings, number: int, n_frames: int
) -> NDArray[np.float64]:
    """Brightness of each cell (number, n_frames) as the focus wanders through its depth."""
    depth = rng.normal(0, 1, (number, 1))
    focus = wander(rng, 1, n_frames, rng.uniform(0.5, 30))
    loss = uniform(rng, settings.focus) * 0.5 * (depth - focus) ** 2
    return np.asarray(np.exp(-np.minimum(loss, 3.0)))


def _draw_masks(
    rng: np.random.Generator, config: SimulationConfig, footprints: list[Footprint], diameter: float
) -> tuple[NDArray[np.int64], list[Mask]]:
    """Choose the cells that are listed (all, were they fewer than two) and draw the ROIs, theirs first."""
    settings = config.masks
    listed = np.flatnonzero(rng.random(len(footprints)) >= uniform(rng, config.cells.unlisted))
    if len(listed) < 2:
        listed = np.arange(len(footprints))
    exact, soft = chance(rng, settings.exact_probability), chance(rng, settings.soft_probability)
    masks = [draw_mask(rng, footprints[cell], settings, exact=exact, soft=soft) for cell in listed]
    masks += draw_non_cells(rng, settings, footprints, config.movie.shape, diameter)
    return listed, masks


def _record(
    rng: np.random.Generator, cells: _Cells, background: Background, camera: Camera, progress: Progress
) -> NDArray[np.uint16]:
    """Put cells and background together and record them, block by block."""
    n_frames = cells.course.shape[1]
    shape = background.resting.shape
    mean = float(background.resting.mean() + (cells.matrix.T @ cells.course.mean(axis=1)).mean())
    images = background.images.reshape(len(background.images), shape[0] * shape[1])
    movie = np.empty((n_frames, *shape), np.uint16)
    for start in range(0, n_frames, FRAMES_PER_BLOCK):
        part = slice(start, min(start + FRAMES_PER_BLOCK, n_frames))
        scene = (cells.matrix.T @ cells.course[:, part]).T + background.resting.ravel()
        scene = (scene + background.courses[:, part].T @ images) * background.gain[part, None]
        scene = np.maximum(scene, 0.01).astype(np.float32).reshape(-1, *shape)
        movie[part] = camera.record(rng, scene, start, mean)
        progress("simulating", part.stop, n_frames)
    if camera.averaging:
        movie = np.rint(gaussian_filter1d(movie.astype(np.float32), camera.averaging, axis=0)).astype(
            np.uint16
        )
    return movie


def _by_roi(values: NDArray[Any], listed: NDArray[np.int64], n_rois: int) -> NDArray[Any]:
    """Rows of the listed cells as columns, time first, followed by zeros for ROIs without a cell."""
    result = np.zeros((values.shape[1], n_rois), values.dtype)
    result[:, : len(listed)] = values[listed].T
    return result
