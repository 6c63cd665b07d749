"""The ROIs that someone would have drawn in a simulated field: faulty, over one cell, two or none."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from .background import Background
from .draws import chance, uniform
from .footprints import Footprint
from .settings import MaskSettings

Kind = Literal["cell", "doublet", "process", "vessel", "neuropil"]
"""What lies beneath an ROI."""

EDGE = 0.3
"""Part of the brightest pixel at which an exact mask ends."""


@dataclass(frozen=True)
class Mask:
    """One ROI: pixels (n, 2) as row and column, and their weights (n,)."""

    pixels: NDArray[np.int64]
    weights: NDArray[np.float32]


@dataclass(frozen=True)
class DrawnRoi:
    """A mask and what lies beneath it.

    Attributes
    ----------
    mask : Mask
        Where.
    kind : str
        What.
    cells : tuple of int
        The cells that it is drawn around: one, two for a doublet, none for the others.
    process : int or None
        Which of the background's processes it is drawn on.
    """

    mask: Mask
    kind: Kind
    cells: tuple[int, ...] = ()
    process: int | None = None


def draw_rois(
    rng: np.random.Generator,
    settings: MaskSettings,
    footprints: list[Footprint],
    listed: NDArray[np.int64],
    background: Background,
    diameter: float,
) -> list[DrawnRoi]:
    """Draw the ROIs of the listed cells, in their order, then those without a cell."""
    exact, soft = chance(rng, settings.exact_probability), chance(rng, settings.soft_probability)
    partners = _partners(rng, settings, footprints, listed, diameter)
    rois = []
    for cell in listed:
        if cell in partners.values():
            continue
        cells = (int(cell), partners[cell]) if cell in partners else (int(cell),)
        masks = [draw_mask(rng, footprints[one], settings, exact=exact, soft=soft) for one in cells]
        rois.append(DrawnRoi(_union(masks), "doublet" if len(cells) == 2 else "cell", cells))
    return rois + _draw_non_cells(rng, settings, footprints, background, diameter, len(listed))


def _partners(
    rng: np.random.Generator,
    settings: MaskSettings,
    footprints: list[Footprint],
    listed: NDArray[np.int64],
    diameter: float,
) -> dict[int, int]:
    """Choose cells that share an ROI with another one, listed or not, that adjoins them."""
    part = uniform(rng, settings.doublet)
    centres = np.array([footprint.centre for footprint in footprints])
    partners: dict[int, int] = {}
    taken: set[int] = set()
    for cell in map(int, listed):
        if not chance(rng, part) or cell in taken:
            continue
        distances = np.hypot(*(centres - centres[cell]).T)
        distances[[cell, *taken]] = np.inf
        nearest = int(np.argmin(distances))
        if distances[nearest] <= 1.3 * diameter:
            partners[cell] = nearest
            taken |= {cell, nearest}
    return partners


def _union(masks: list[Mask]) -> Mask:
    """Return one mask of the pixels of all, with the greater weight where they overlap."""
    if len(masks) == 1:
        return masks[0]
    pixels, place = np.unique(np.concatenate([mask.pixels for mask in masks]), axis=0, return_inverse=True)
    weights = np.zeros(len(pixels), np.float32)
    np.maximum.at(weights, place.ravel(), np.concatenate([mask.weights for mask in masks]))
    return Mask(pixels, weights)


def draw_mask(
    rng: np.random.Generator, footprint: Footprint, settings: MaskSettings, *, exact: bool, soft: bool
) -> Mask:
    """Draw the mask that someone would have made of a footprint, faults included unless it is to be exact."""
    profile = footprint.profile
    true = profile > EDGE
    inside = true if exact else _faulty(rng, profile, settings)
    if inside.sum() < settings.smallest:
        inside = true
    pixels = np.argwhere(inside)
    weights = np.maximum(profile[inside], 0.05) if soft else np.ones(len(pixels))
    return Mask(pixels + np.array(footprint.corner), weights.astype(np.float32))


def _faulty(
    rng: np.random.Generator, profile: NDArray[np.float32], settings: MaskSettings
) -> NDArray[np.bool_]:
    """Draw a mask that may be too small, too large, off by a pixel or ragged; its largest connected part."""
    mask = profile > uniform(rng, settings.level)
    if not chance(rng, settings.hollow_fraction):
        mask = ndimage.binary_fill_holes(mask)
    kind = rng.random()
    if kind < settings.eroded_fraction:
        mask = ndimage.binary_erosion(mask)
    elif kind < settings.eroded_fraction + settings.dilated_fraction:
        mask = ndimage.binary_dilation(mask)
    if chance(rng, settings.shifted_fraction):
        mask = ndimage.shift(mask.astype(np.uint8), rng.integers(-1, 2, 2), order=0).astype(bool)
    if chance(rng, settings.ragged_fraction):
        border = mask & ~ndimage.binary_erosion(mask)
        mask = mask & ~(border & (rng.random(mask.shape) < 0.3))
    labels, parts = ndimage.label(mask)
    if parts > 1:
        mask = labels == 1 + np.argmax(np.bincount(labels.ravel())[1:])
    return np.asarray(mask, dtype=bool)


def _draw_non_cells(
    rng: np.random.Generator,
    settings: MaskSettings,
    cells: list[Footprint],
    background: Background,
    diameter: float,
    n_others: int,
) -> list[DrawnRoi]:
    """Draw ROIs where no cell is: at most a tenth of such a mask lies over somata."""
    number = rng.binomial(max(n_others, 1), uniform(rng, settings.non_cell))
    shape = background.resting.shape
    covered = np.zeros(shape, bool)
    for cell in cells:
        covered |= cell.image((shape[0], shape[1])) > 0.2
    rois: list[DrawnRoi] = []
    for _ in range(8 * number):
        if len(rois) == number:
            break
        kind, process, allowed = _beneath(rng, background)
        places = np.argwhere(allowed & ~covered)
        if not len(places):
            continue
        centre = places[rng.integers(len(places))]
        rows, columns = np.ogrid[: shape[0], : shape[1]]
        reach = diameter * (rng.uniform(0.35, 0.5) if kind == "neuropil" else rng.uniform(0.5, 1.0))
        inside = allowed & (np.hypot(rows - centre[0], columns - centre[1]) <= reach)
        if inside.sum() >= settings.smallest and covered[inside].mean() <= 0.1:
            pixels = np.argwhere(inside)
            mask = Mask(pixels, np.ones(len(pixels), np.float32))
            rois.append(DrawnRoi(mask, kind, process=process))
    return rois


def _beneath(rng: np.random.Generator, background: Background) -> tuple[Kind, int | None, NDArray[np.bool_]]:
    """Choose what an ROI without a cell lies on, and where that is."""
    kinds: list[Kind] = ["neuropil"]
    kinds += ["process"] if background.processes else []
    kinds += ["vessel"] if background.vessels else []
    kind = kinds[rng.integers(len(kinds))]
    if kind == "process":
        process = int(rng.integers(len(background.processes)))
        return kind, process, background.processes[process].image > EDGE
    if kind == "vessel":
        return kind, None, background.vessels[rng.integers(len(background.vessels))] > EDGE
    return kind, None, np.ones(background.resting.shape, bool)
