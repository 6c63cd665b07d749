"""The cells of a simulated field: where they are, when they fire, how bright they are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from ..errors import ConfigError
from .activity import WARM_UP, Activity, simulate_activity
from .config import SimulationConfig
from .draws import chance, uniform, wander
from .footprints import Footprint, draw_cells
from .optics import CameraSettings
from .populations import CellTraits, draw_population, draw_traits
from .settings import CellSettings

N_OTHERS = 8
"""Neurons outside of the plane, whose processes and blurs are seen."""


@dataclass(frozen=True)
class FieldCells:
    """The cells of a field.

    Attributes
    ----------
    footprints : list of Footprint
        What they look like.
    matrix : sparse matrix, shape (n_cells, n_pixels)
        The same.
    activity : Activity
        What they do.
    others : Activity
        What neurons outside of the plane do.
    height, resting : ndarray, shape (n_cells,)
        Brightness of a typical transient, and at rest.
    course : ndarray of float32, shape (n_cells, n_frames)
        Brightness.
    defocus : ndarray, shape (n_frames,)
        How far each frame is blurred, pixels.
    traits : tuple of CellTraits
        What type each cell has, and what comes of it; empty where cells have no type.
    """

    footprints: list[Footprint]
    matrix: sparse.csr_matrix
    activity: Activity
    others: Activity
    height: NDArray[np.float64]
    resting: NDArray[np.float64]
    course: NDArray[np.float32]
    defocus: NDArray[np.float64]
    traits: tuple[CellTraits, ...] = ()


def simulate_cells(
    rng: np.random.Generator,
    config: SimulationConfig,
    diameter: float,
    frame_rate: float,
    kept: NDArray[np.int64],
) -> FieldCells:
    """Place the cells and let them fire.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of all chance.
    config : SimulationConfig
        The ranges.
    diameter : float
        Typical diameter of a soma, pixels.
    frame_rate : float
        Frames per second (Hz).
    kept : ndarray of int64, shape (n_frames,)
        Which frames of the scene the movie has.

    Raises
    ------
    ConfigError
        If no cell has room in the field.
    """
    shape = config.movie.shape
    traits = draw_traits(rng, config.population, config.cells.number[1])
    footprints = draw_cells(rng, config.cells, shape, diameter, config.masks.smallest, traits)
    number = len(footprints)
    if not number:
        what = f"No cell of about {diameter:.0f} pixels has room in a field of {shape[0]} x {shape[1]} pixels"
        raise ConfigError(
            what, fix="Choose a larger field, smaller cells, or fewer pixels as an ROI's smallest"
        )
    n_frames = int(kept[-1]) + 1
    population = draw_population(rng, config.population, traits[:number], WARM_UP + n_frames + 1, frame_rate)
    everyone = simulate_activity(rng, config.activity, number + N_OTHERS, n_frames, frame_rate, population)
    everyone = everyone.of_frames(kept)
    activity, others = everyone.of_cells(slice(number)), everyone.of_cells(slice(number, None))
    rows = [sparse.csr_matrix(footprint.image(shape).reshape(1, -1)) for footprint in footprints]
    matrix = sparse.vstack(rows, format="csr")
    height = np.exp(rng.normal(0, uniform(rng, config.cells.brightness_spread), number))
    resting = uniform(rng, config.cells.resting) * height * np.exp(rng.normal(0, 0.5, number))
    height *= np.array([population.of(cell).height for cell in range(number)])
    resting *= np.array([population.of(cell).resting for cell in range(number)])
    _cross(rng, config.cells, matrix, activity, height, resting)
    course = resting[:, None] + height[:, None] * activity.calcium
    if chance(rng, config.background.drift_probability):
        drift = wander(rng, number, len(kept), uniform(rng, config.background.drift_time))
        course = course + uniform(rng, config.background.drift) * height[:, None] * drift
    defocus = np.zeros(len(kept))
    if chance(rng, config.camera.focus_probability):
        factor, defocus = _focus(rng, config.camera, number, len(kept))
        course = course * factor
    return FieldCells(
        footprints,
        matrix,
        activity,
        others,
        height,
        resting,
        course.astype(np.float32),
        defocus,
        population.traits,
    )


def _cross(
    rng: np.random.Generator,
    settings: CellSettings,
    matrix: sparse.csr_matrix,
    activity: Activity,
    height: NDArray[np.float64],
    resting: NDArray[np.float64],
) -> None:
    """Silence a part of the overlapping cells and let their neighbours outshine them."""
    part = uniform(rng, settings.crossed)
    if not part:
        return
    overlap = (matrix @ matrix.T).toarray()
    overlap /= np.diag(overlap)[:, None]
    np.fill_diagonal(overlap, 0)
    bright: set[int] = set()
    for cell in range(len(overlap)):
        neighbour = int(np.argmax(overlap[cell]))
        if cell in bright or overlap[cell, neighbour] < 0.05 or not chance(rng, part):
            continue
        if not activity.spikes[neighbour].any():
            continue
        bright.add(neighbour)
        activity.silence(cell)
        height[neighbour] = max(height[neighbour], height[cell] * uniform(rng, settings.crossed_by))
        resting[cell] = max(resting[cell], height[cell] * rng.uniform(0.3, 1.0))


def _focus(
    rng: np.random.Generator, settings: CameraSettings, number: int, n_frames: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Brightness of each cell (number, n_frames) and blur of each frame as the focus wanders."""
    depth = rng.normal(0, 1, (number, 1))
    focus = wander(rng, 1, n_frames, uniform(rng, settings.focus_time))
    loss = uniform(rng, settings.focus) * 0.5 * (depth - focus) ** 2
    return np.exp(-np.minimum(loss, 3.0)), uniform(rng, settings.defocus) * np.abs(focus[0])
