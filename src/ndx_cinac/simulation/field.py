"""Simulated fields of view: cells, background and camera put together into a movie with its truth."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from ..errors import ConfigError
from ..progress import Progress, silent
from ..rois import Rois
from .background import Background, draw_background
from .camera import Camera, blur_frames, draw_camera
from .cells import FieldCells, simulate_cells
from .config import SimulationConfig
from .defects import Defects, draw_defects
from .draws import chance, log_uniform, uniform
from .labels import conventions
from .masks import Kind, draw_rois
from .populations import CellType, type_of
from .truth import Opinions, opinions_of, truth_of

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
        Frames of rises that are neither large enough to be called transients nor small enough to be none, of
        those that no frame shows, and of those of a process in an ROI without a cell.
    fluorescence : ndarray of float32, shape (n_frames, n_rois)
        The cell's own brightness at its brightest pixel, in detector counts: no noise, background or motion.
        A doublet's is the sum of both.
    spikes : ndarray of float32, shape (n_frames, n_rois)
        Size of the event that starts in each frame; a typical one is 1.
    snr : ndarray of float32, shape (n_rois,)
        Height of a typical transient of the cell over the noise, after a matched filter; 0 without a cell.
    kinds : tuple of str
        What lies beneath each ROI: "cell", "doublet" (two cells), "process", "vessel" or "neuropil".
    cell_types : tuple of str
        Type of what lies beneath each ROI: "interneuron", "pyramidal" or "noise" (no cell); empty where the
        config gives cells no types, and for doublets of two types.
    one_photon : bool
        Whether it is seen as by a one-photon miniscope.
    unseen : ndarray of bool, shape (n_frames,)
        Frames that are black or show the one before again.
    frame_rate : float
        Frames per second (Hz).
    pixel_size : float
        Micrometres per pixel.
    config : SimulationConfig
        What it was drawn from.
    seed : int or None
        What makes it again, together with the config; None where a generator was given.
    opinions : Opinions or None
        What all annotators say that the config allows for, where that was asked for; `active` and `ignored`
        are what one of them says.
    """

    movie: NDArray[np.uint16]
    rois: Rois
    active: NDArray[np.bool_]
    ignored: NDArray[np.bool_]
    fluorescence: NDArray[np.float32]
    spikes: NDArray[np.float32]
    snr: NDArray[np.float32]
    kinds: tuple[Kind, ...]
    cell_types: tuple[CellType, ...]
    one_photon: bool
    unseen: NDArray[np.bool_]
    frame_rate: float
    pixel_size: float
    config: SimulationConfig
    seed: int | None
    opinions: Opinions | None = None


def simulate_field(
    config: SimulationConfig,
    rng: int | np.random.Generator,
    *,
    opinions: bool = False,
    progress: Progress = silent,
) -> SimulatedField:
    """Simulate one field of view.

    Parameters
    ----------
    config : SimulationConfig
        The ranges that everything is drawn from.
    rng : int or numpy.random.Generator
        A seed, which makes the field exactly repeatable, or the source of all chance.
    opinions : bool
        Whether all annotators are asked that the config allows for; nothing else depends on it.
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
    one_photon = chance(rng, config.one_photon.probability)
    used = config.as_one_photon() if one_photon else config
    frame_rate = log_uniform(rng, used.movie.frame_rate)
    defects = draw_defects(rng, used.camera, used.movie.shape, round(log_uniform(rng, used.movie.n_frames)))
    diameter = log_uniform(rng, used.cells.diameter)
    cells = simulate_cells(rng, used, diameter, frame_rate, defects.kept)
    background = draw_background(
        rng,
        used.background,
        used.movie.shape,
        cells.activity,
        cells.others,
        frame_rate=frame_rate,
        diameter=diameter,
    )
    camera = _camera(rng, used, cells, background)
    listed = _listed(rng, used, len(cells.footprints))
    rois = draw_rois(rng, used.masks, cells.footprints, listed, background, diameter)
    truth = truth_of(rois, cells, background, defects)
    asked = conventions(used.activity) if opinions else []
    movie = _record(rng, cells, background, camera, defects, progress)
    return SimulatedField(
        movie=movie,
        rois=Rois.from_pixels(
            [roi.mask.pixels for roi in rois], used.movie.shape, weights=[roi.mask.weights for roi in rois]
        ),
        active=np.ascontiguousarray(truth.active.T),
        ignored=np.ascontiguousarray(truth.ignored.T),
        fluorescence=np.ascontiguousarray(truth.fluorescence.T) * np.float32(camera.counts),
        spikes=np.ascontiguousarray(truth.spikes.T),
        snr=(truth.signal / camera.noise).astype(np.float32),
        kinds=tuple(roi.kind for roi in rois),
        cell_types=tuple(type_of(roi.cells, cells.traits) for roi in rois),
        one_photon=one_photon,
        unseen=defects.unseen,
        frame_rate=frame_rate,
        pixel_size=uniform(rng, used.cells.soma_size) / diameter,
        config=config,
        seed=seed,
        opinions=opinions_of(rois, cells, background, defects, asked) if opinions else None,
    )


def _camera(
    rng: np.random.Generator, config: SimulationConfig, cells: FieldCells, background: Background
) -> Camera:
    """Draw a camera that suits the brightness of the scene."""
    strength = np.sqrt(np.asarray(cells.matrix.power(2).sum(axis=1)).ravel())
    resting = float(background.resting.max())
    return draw_camera(
        rng,
        config.camera,
        n_frames=cells.course.shape[1],
        signal=float(np.median(cells.height * strength)),
        resting=resting,
        brightest=resting + float((cells.matrix.T @ cells.course.max(axis=1)).max()),
    )


def _listed(rng: np.random.Generator, config: SimulationConfig, number: int) -> NDArray[np.int64]:
    """Choose the cells that are among the ROIs; all, were they fewer than two."""
    listed = np.flatnonzero(rng.random(number) >= uniform(rng, config.cells.unlisted))
    return listed if len(listed) >= 2 else np.arange(number)


def _record(
    rng: np.random.Generator,
    cells: FieldCells,
    background: Background,
    camera: Camera,
    defects: Defects,
    progress: Progress,
) -> NDArray[np.uint16]:
    """Put cells and background together and record them, block by block."""
    n_frames = cells.course.shape[1]
    shape = background.resting.shape
    still = background.resting.ravel() + cells.matrix.T @ np.maximum(cells.course, 0).mean(axis=1)
    mean = float((still * background.light.ravel()).mean())
    images = background.images.reshape(len(background.images), shape[0] * shape[1])
    movie = np.empty((n_frames, *shape), np.uint16)
    for start in range(0, n_frames, FRAMES_PER_BLOCK):
        part = slice(start, min(start + FRAMES_PER_BLOCK, n_frames))
        scene = (cells.matrix.T @ cells.course[:, part]).T + background.resting.ravel()
        scene = (scene + background.courses[:, part].T @ images) * background.gain[part, None]
        scene = np.maximum(scene * background.light.ravel(), 0.01).astype(np.float32).reshape(-1, *shape)
        blur_frames(scene, cells.defocus[part])
        movie[part] = camera.record(rng, scene, start, mean)
        progress("simulating", part.stop, n_frames)
    if camera.averaging:
        smoothed = gaussian_filter1d(movie.astype(np.float32), camera.averaging, axis=0)
        movie = np.rint(smoothed).astype(np.uint16)
    defects.apply(rng, movie, 0.0 if camera.stretched else camera.offset, camera.dark_noise)
    return movie
