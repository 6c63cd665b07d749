"""What simulated cells and processes look like."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from .draws import chance, log_uniform, uniform
from .populations import CellTraits
from .settings import CellSettings


@dataclass(frozen=True)
class Footprint:
    """Brightness of one object over a window of the field.

    Attributes
    ----------
    corner : tuple of int
        Row and column of the window's first pixel.
    profile : ndarray of float32, shape (rows, columns)
        Relative brightness, at most 1.
    """

    corner: tuple[int, int]
    profile: NDArray[np.float32]

    @property
    def centre(self) -> tuple[float, float]:
        """Centre of its brightness, row and column."""
        row, column = ndimage.center_of_mass(self.profile)
        return self.corner[0] + float(row), self.corner[1] + float(column)

    @property
    def brightest(self) -> tuple[int, int]:
        """Its brightest pixel, row and column."""
        row, column = np.unravel_index(np.argmax(self.profile), self.profile.shape)
        return self.corner[0] + int(row), self.corner[1] + int(column)

    def blurred(self, width: float) -> Footprint:
        """Return the footprint blurred by a Gaussian of `width` pixels (standard deviation)."""
        profile = ndimage.gaussian_filter(self.profile, width, mode="nearest")
        return Footprint(self.corner, profile / max(float(profile.max()), 1e-6))

    def image(self, shape: tuple[int, int]) -> NDArray[np.float32]:
        """Return the footprint in the whole field."""
        image = np.zeros(shape, np.float32)
        rows, columns = self.profile.shape
        image[self.corner[0] : self.corner[0] + rows, self.corner[1] : self.corner[1] + columns] = (
            self.profile
        )
        return image


def draw_cells(
    rng: np.random.Generator,
    settings: CellSettings,
    shape: tuple[int, int],
    diameter: float,
    smallest: int,
    traits: Sequence[CellTraits] = (),
) -> list[Footprint]:
    """Place cells of about one diameter in a field, each showing at least `smallest` pixels."""
    area = np.pi / 4 * diameter**2
    wanted = log_uniform(rng, settings.density) * shape[0] * shape[1] / area
    number = int(np.clip(wanted, *settings.number))
    blur = uniform(rng, settings.blur)
    cells: list[Footprint] = []
    centres: list[NDArray[np.float64]] = []
    for _ in range(10 * number):
        if len(cells) == number:
            break
        margin = min(2.0, min(shape) / 4)
        outside = margin if chance(rng, settings.border_fraction) else -margin
        centre = rng.uniform([-outside, -outside], [shape[0] + outside, shape[1] + outside])
        if centres and chance(rng, settings.adjoining_fraction):
            angle, distance = rng.uniform(0, 2 * np.pi), diameter * uniform(rng, settings.adjoining_distance)
            step = distance * np.array([np.sin(angle), np.cos(angle)])
            centre = np.clip(centres[rng.integers(len(centres))] + step, 1, np.array(shape) - 2)
        special = traits[len(cells)] if traits else CellTraits()
        size = max(5.0, special.size * diameter * np.exp(rng.normal(0, settings.diameter_spread)))
        footprint = draw_soma(rng, special.shaped(settings), centre, size, shape)
        if blur:
            footprint = footprint.blurred(blur * diameter)
        if (footprint.profile > 0.3).sum() >= smallest:
            cells.append(footprint)
            centres.append(centre)
    return cells


def draw_soma(
    rng: np.random.Generator,
    settings: CellSettings,
    centre: NDArray[np.float64],
    diameter: float,
    shape: tuple[int, int],
) -> Footprint:
    """Draw one soma: filled, a donut or a bell; round or irregular; even or textured."""
    reach = 0.9 * diameter + 3
    low = np.clip(np.floor(centre - reach), 0, np.array(shape) - 1).astype(int)
    high = np.clip(np.ceil(centre + reach) + 1, low + 1, shape).astype(int)
    rows, columns = np.mgrid[low[0] : high[0], low[1] : high[1]]
    radius = _elliptic_radius(rng, rows - centre[0], columns - centre[1], diameter, settings)
    profile = 1 / (1 + np.exp(np.clip((radius - 1) / (0.5 * uniform(rng, settings.edge)), -50, 50)))
    kind = rng.random()
    if kind < settings.donut_fraction and diameter > 7:
        nucleus = 1 / (1 + np.exp(np.clip((radius - uniform(rng, settings.nucleus)) / 0.08, -50, 50)))
        profile = profile * (1 - uniform(rng, settings.nucleus_darkness) * nucleus)
    elif settings.donut_fraction <= kind < settings.donut_fraction + settings.bell_fraction:
        profile = np.exp(-0.5 * (radius * rng.uniform(1.2, 1.7)) ** 2)
    if chance(rng, settings.textured_fraction):
        grain = ndimage.gaussian_filter(rng.standard_normal(profile.shape), rng.uniform(0.7, 1.5))
        profile = profile * np.clip(1 + uniform(rng, settings.grain) * grain / max(grain.std(), 1e-6), 0.1, 2)
    return Footprint((int(low[0]), int(low[1])), (profile / max(profile.max(), 1e-6)).astype(np.float32))


def _elliptic_radius(
    rng: np.random.Generator,
    rows: NDArray[np.float64],
    columns: NDArray[np.float64],
    diameter: float,
    settings: CellSettings,
) -> NDArray[np.float64]:
    """Distance from the centre in units of the outline's, shape as `rows`."""
    angle, roundness = rng.uniform(0, np.pi), uniform(rng, settings.roundness)
    along = (rows * np.cos(angle) + columns * np.sin(angle)) / (diameter / 2 / np.sqrt(roundness))
    across = (columns * np.cos(angle) - rows * np.sin(angle)) / (diameter / 2 * np.sqrt(roundness))
    radius = np.hypot(along, across)
    if chance(rng, settings.irregular_fraction):
        direction = np.arctan2(across, along)
        waves = [rng.normal(0, 0.1) * np.cos(n * direction + rng.uniform(0, 2 * np.pi)) for n in (2, 3, 4)]
        radius = radius * np.clip(1 + sum(waves), 0.4, 2)
    return cast(NDArray[np.float64], radius)


def draw_line(rng: np.random.Generator, shape: tuple[int, int], width: float) -> NDArray[np.float32]:
    """Draw a curved line of `width` pixels (standard deviation), at most 1 bright, shape as the field's."""
    position = rng.uniform((0, 0), shape)
    steps = int(2 * rng.uniform(0.5, 1.5) * max(shape))
    headings = rng.uniform(0, 2 * np.pi) + np.cumsum(rng.normal(0, 0.06, steps))
    path = position + 0.5 * np.cumsum(np.stack([np.sin(headings), np.cos(headings)], axis=1), axis=0)
    cells = np.round(path).astype(int)
    cells = cells[((cells >= 0) & (cells < shape)).all(axis=1)]
    image = np.zeros(shape)
    image[cells[:, 0], cells[:, 1]] = 1
    image = ndimage.gaussian_filter(image, width)
    return cast(NDArray[np.float32], (image / max(image.max(), 1e-6)).astype(np.float32))
