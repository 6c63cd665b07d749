"""What glows, darkens and drifts around simulated cells: neuropil, processes, vessels, bleaching."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, gaussian_filter1d

from .activity import Activity
from .draws import chance, log_uniform, uniform, wander
from .footprints import draw_line
from .optics import BackgroundSettings

Part = tuple[NDArray[np.floating], NDArray[np.floating]]
"""An image, and the course of its brightness."""

USUAL_AREA = 56 * 56
"""Pixels of the field that numbers of background cells are given for."""


@dataclass(frozen=True)
class Process:
    """A dendrite or axon: its image, at most 1 bright, and the transients that it shows.

    Attributes
    ----------
    image : ndarray of float32, shape (first, second)
        Where it lies.
    course : ndarray of float32, shape (n_frames,)
        Its brightness.
    rising : ndarray of bool, shape (n_frames,)
        Its rises: transients of a neuron, if not of a soma in the field.
    """

    image: NDArray[np.float32]
    course: NDArray[np.float32]
    rising: NDArray[np.bool_]


@dataclass(frozen=True)
class Background:
    """Everything but the cells, as images times their courses.

    Attributes
    ----------
    resting : ndarray of float32, shape (first, second)
        What glows all the time.
    light : ndarray of float32, shape (first, second)
        Part of the light of cells and background that is seen, at most 1: illumination, shade of vessels.
    images : ndarray of float32, shape (n, first, second)
        Where the background changes.
    courses : ndarray of float32, shape (n, n_frames)
        How it changes.
    gain : ndarray of float32, shape (n_frames,)
        Brightness of the whole frame: bleaching and flicker.
    processes : tuple of Process
        The dendrites and axons among the images.
    vessels : tuple of ndarray of float32, each of shape (first, second)
        The vessels, each at most 1 dark.
    """

    resting: NDArray[np.float32]
    light: NDArray[np.float32]
    images: NDArray[np.float32]
    courses: NDArray[np.float32]
    gain: NDArray[np.float32]
    processes: tuple[Process, ...]
    vessels: tuple[NDArray[np.float32], ...]


def draw_background(
    rng: np.random.Generator,
    settings: BackgroundSettings,
    shape: tuple[int, int],
    cells: Activity,
    others: Activity,
    *,
    frame_rate: float,
    diameter: float,
) -> Background:
    """Draw the background of a field.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of all chance.
    settings : BackgroundSettings
        The ranges.
    shape : tuple of int
        The field's, pixels.
    cells, others : Activity
        What the field's cells do, and what neurons outside of the plane do.
    frame_rate : float
        Frames per second (Hz).
    diameter : float
        Typical diameter of a soma, pixels.
    """
    processes = _processes(rng, settings, shape, cells, others)
    parts = _neuropil(rng, settings, shape, cells.calcium, frame_rate)
    parts += _out_of_focus(rng, settings, shape, others, diameter)
    parts += [(process.image, process.course) for process in processes]
    vessels = _vessels(rng, settings, shape)
    return Background(
        resting=_resting(rng, settings, shape),
        light=_light(rng, settings, shape, vessels),
        images=np.array([image for image, _ in parts], np.float32).reshape(len(parts), *shape),
        courses=np.array([course for _, course in parts], np.float32).reshape(
            len(parts), cells.calcium.shape[1]
        ),
        gain=_gain(rng, settings, cells.calcium.shape[1]),
        processes=tuple(processes),
        vessels=tuple(vessels),
    )


def _resting(
    rng: np.random.Generator, settings: BackgroundSettings, shape: tuple[int, int]
) -> NDArray[np.float32]:
    """Draw a level with fine and coarse unevenness."""
    image = np.ones(shape)
    for smoothness in (rng.uniform(1, 4), rng.uniform(8, 20)):
        pattern = gaussian_filter(rng.standard_normal(shape), smoothness, mode="wrap")
        image += uniform(rng, settings.texture) * pattern / max(float(pattern.std()), 1e-6)
    return (uniform(rng, settings.level) * np.clip(image, 0.1, None)).astype(np.float32)


def _vessels(
    rng: np.random.Generator, settings: BackgroundSettings, shape: tuple[int, int]
) -> list[NDArray[np.float32]]:
    """Draw vessels as wide lines, at most 1 dark."""
    if not chance(rng, settings.vessel_probability):
        return []
    number = rng.integers(settings.vessels[0], settings.vessels[1] + 1)
    return [draw_line(rng, shape, uniform(rng, settings.vessel_width)) for _ in range(number)]


def _light(
    rng: np.random.Generator,
    settings: BackgroundSettings,
    shape: tuple[int, int],
    vessels: list[NDArray[np.float32]],
) -> NDArray[np.float32]:
    """Draw what illumination leaves of the brightness, and what vessels let through."""
    light = np.ones(shape)
    if chance(rng, settings.vignette_probability):
        rows, columns = np.mgrid[: shape[0], : shape[1]]
        centre = rng.uniform(0, 1, 2) * shape
        distance = (rows - centre[0]) ** 2 + (columns - centre[1]) ** 2
        light -= uniform(rng, settings.vignette) * distance / distance.max()
    for vessel in vessels:
        light *= 1 - uniform(rng, settings.vessel_darkness) * vessel
    return light.astype(np.float32)


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
    common = gaussian_filter1d(calcium.mean(axis=0), rng.uniform(0.5, 5))
    common = (common - common.mean()) / (common.std() + 1e-3)
    strength, width = log_uniform(rng, settings.neuropil), uniform(rng, settings.neuropil_width)
    low, high = settings.neuropil_patches
    number = int(rng.integers(low, high + 1) * max(1, shape[0] * shape[1] / 80**2))
    parts: list[Part] = []
    for _ in range(number):
        image = _spot(rng.uniform((0, 0), shape), width, shape) + rng.uniform(0, 0.5)
        time = log_uniform(rng, settings.neuropil_time) * frame_rate
        course = wander(rng, 1, calcium.shape[1], max(time, 0.3))[0]
        part = rng.random() if chance(rng, settings.neuropil_follows) else 0.0
        parts.append((image, strength * ((1 - part) * course + part * common)))
    return parts


def _out_of_focus(
    rng: np.random.Generator,
    settings: BackgroundSettings,
    shape: tuple[int, int],
    others: Activity,
    diameter: float,
) -> list[Part]:
    """Cells above or below the plane, blurred to between one and three diameters."""
    if not chance(rng, settings.out_of_focus_probability):
        return []
    low, high = settings.out_of_focus
    number = round(rng.integers(low, high + 1) * max(1.0, shape[0] * shape[1] / USUAL_AREA))
    parts: list[Part] = []
    for _ in range(number):
        centre = rng.uniform((-diameter, -diameter), (shape[0] + diameter, shape[1] + diameter))
        height = log_uniform(rng, settings.out_of_focus_brightness)
        course = others.calcium[rng.integers(len(others.calcium))]
        width = diameter * uniform(rng, settings.out_of_focus_width)
        parts.append((_spot(centre, width, shape), height * course))
    return parts


def _spot(centre: NDArray[np.float64], width: float, shape: tuple[int, int]) -> NDArray[np.float64]:
    """Return a Gaussian of height 1 and standard deviation `width` pixels."""
    rows, columns = (
        np.exp(-0.5 * ((np.arange(n) - c) / width) ** 2) for n, c in zip(shape, centre, strict=True)
    )
    return np.outer(rows, columns)


def _processes(
    rng: np.random.Generator,
    settings: BackgroundSettings,
    shape: tuple[int, int],
    cells: Activity,
    others: Activity,
) -> list[Process]:
    """Dendrites and axons: most belong to neurons outside of the plane, some to one of the field's cells."""
    if not chance(rng, settings.process_probability):
        return []
    processes = []
    for _ in range(rng.integers(settings.processes[0], settings.processes[1] + 1)):
        owners = others if chance(rng, 0.7) else cells
        owner = rng.integers(len(owners.calcium))
        course = log_uniform(rng, settings.process_brightness) * owners.calcium[owner]
        rising = owners.active[owner] | owners.ignored[owner]
        processes.append(Process(draw_line(rng, shape, uniform(rng, settings.process_width)), course, rising))
    return processes


def _gain(rng: np.random.Generator, settings: BackgroundSettings, n_frames: int) -> NDArray[np.float32]:
    """Bleaching and flicker."""
    gain = np.ones(n_frames)
    if chance(rng, settings.bleaching_probability):
        time = uniform(rng, settings.bleaching_time) * n_frames
        gain -= uniform(rng, settings.bleaching) * (1 - np.exp(-np.arange(n_frames) / time))
    if chance(rng, settings.flicker_probability):
        gain *= np.maximum(1 + log_uniform(rng, settings.flicker) * rng.standard_normal(n_frames), 0.5)
    return gain.astype(np.float32)
