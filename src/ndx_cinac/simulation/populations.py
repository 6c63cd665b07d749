"""Populations of pyramidal cells and interneurons: in what they differ, drawn for each cell of a field.

Every range has its paper in docs/cell_types.md. Where papers give only the direction, the range is wide
and includes no difference at all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from .draws import chance, log_uniform, uniform, wander
from .settings import CellSettings, Range

if TYPE_CHECKING:
    from .activity import Dynamics

CellType = Literal["interneuron", "pyramidal", "noise", ""]
"""Type of what lies beneath an ROI, "noise" for no cell at all, empty where that is not decided."""


@dataclass(frozen=True)
class PopulationSettings:
    """In what interneurons differ from pyramidal cells; a ratio is that of interneurons to the others."""

    interneurons: Range = (0.0, 0.0)
    """Part of the cells that are interneurons; where the highest is 0, cells have no type."""
    size: Range = (1.0, 1.5)
    """Ratio of the diameters of the somata."""
    roundness: Range = (0.45, 0.95)
    """Shortest over longest axis of an interneuron's soma."""
    pyramidal_roundness: Range = (0.65, 1.0)
    """The same of a pyramidal cell's soma."""
    rate: Range = (5.0, 20.0)
    """Ratio of the median rates of events, logarithmic."""
    highest_rate: float = 4.0
    """Events per second (Hz) that no interneuron's median exceeds: spikes closer than that are one rise."""
    bursts: float = 0.15
    """Probability that an interneuron fires in bursts."""
    pyramidal_bursts: float = 0.6
    """Probability that a pyramidal cell fires in bursts."""
    height: Range = (0.25, 1.0)
    """Ratio of the heights of single transients, logarithmic."""
    rise: Range = (1.0, 1.8)
    """Ratio of the rise times, logarithmic."""
    decay: Range = (0.7, 1.8)
    """Ratio of the decay times, logarithmic."""
    resting: Range = (0.7, 2.5)
    """Ratio of the fluorescence at rest, logarithmic."""
    modulation: Range = (0.2, 0.95)
    """Part of an interneuron's rate that follows the animal's state, which all interneurons share."""
    modulation_time: Range = (0.7, 8.0)
    """Time, in seconds, over which that state changes (standard deviation of a Gaussian), logarithmic."""
    inverted: float = 0.16
    """Part of the interneurons that are silenced by what excites the others."""
    participation: Range = (1.0, 1.6)
    """Ratio of the part that takes part in a synchronous event."""


@dataclass(frozen=True)
class CellTraits:
    """What is special of one cell; ratios are to the cells of its field, and the defaults change nothing."""

    cell_type: CellType = ""
    size: float = 1.0
    roundness: Range | None = None
    rate: float = 1.0
    highest_rate: float = float("inf")
    bursts: bool | None = None
    height: float = 1.0
    rise: float = 1.0
    decay: float = 1.0
    resting: float = 1.0
    modulation: float = 0.0
    participation: float = 1.0

    def shaped(self, settings: CellSettings) -> CellSettings:
        """Return how the cell's soma is drawn."""
        return settings if self.roundness is None else replace(settings, roundness=self.roundness)


@dataclass(frozen=True)
class Population:
    """The cells of one field.

    Attributes
    ----------
    traits : tuple of CellTraits
        Of the cells, in their order; cells beyond are as the field's settings say.
    state : ndarray of float64, shape (n_frames,)
        The animal's state, from 0 to 1, that interneurons follow.
    frame_rate : float
        Frames per second (Hz).
    """

    traits: tuple[CellTraits, ...] = ()
    state: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))
    frame_rate: float = 1.0

    def of(self, cell: int) -> CellTraits:
        """Return what is special of a cell."""
        return self.traits[cell] if cell < len(self.traits) else CellTraits()

    def adjust(self, cell: int, dynamics: Dynamics) -> Dynamics:
        """Return the dynamics of a cell: those of its field, changed by what is special of it."""
        traits = self.of(cell)
        if not traits.cell_type:
            return dynamics
        ratio = traits.rate
        burst = dynamics.burst_interval if traits.bursts else None
        rate = min(dynamics.rate * ratio, max(dynamics.rate, traits.highest_rate / self.frame_rate))
        envelope = None
        if traits.modulation:
            state = self.state if traits.modulation > 0 else 1 - self.state
            envelope = 1 - abs(traits.modulation) * (1 - state)
            rate /= max(float(envelope.mean()), 0.05)
        return replace(
            dynamics,
            rate=rate,
            rate_spread=min(dynamics.rate_spread, 0.6) if ratio > 1 else dynamics.rate_spread,
            rise=dynamics.rise * traits.rise,
            decay=dynamics.decay * traits.decay,
            burst_interval=burst,
            network_participation=min(1.0, dynamics.network_participation * traits.participation),
            silent=0.0 if traits.cell_type == "interneuron" else dynamics.silent,
            envelope=envelope,
        )


def draw_traits(
    rng: np.random.Generator, settings: PopulationSettings, number: int
) -> tuple[CellTraits, ...]:
    """Draw the traits of `number` cells of a field; none, and no chance is used, where there are no types."""
    if not settings.interneurons[1] > 0:
        return ()
    part = uniform(rng, settings.interneurons)
    shared = CellTraits(
        cell_type="interneuron",
        size=uniform(rng, settings.size),
        roundness=settings.roundness,
        rate=log_uniform(rng, settings.rate),
        highest_rate=settings.highest_rate,
        height=log_uniform(rng, settings.height),
        rise=log_uniform(rng, settings.rise),
        decay=log_uniform(rng, settings.decay),
        resting=log_uniform(rng, settings.resting),
        participation=uniform(rng, settings.participation),
    )
    modulation = uniform(rng, settings.modulation)
    traits = []
    for _ in range(number):
        if chance(rng, part):
            sign = -1 if chance(rng, settings.inverted) else 1
            own = replace(shared, bursts=chance(rng, settings.bursts), modulation=sign * modulation)
        else:
            own = CellTraits(
                cell_type="pyramidal",
                roundness=settings.pyramidal_roundness,
                bursts=chance(rng, settings.pyramidal_bursts),
            )
        traits.append(own)
    return tuple(traits)


def draw_population(
    rng: np.random.Generator,
    settings: PopulationSettings,
    traits: Sequence[CellTraits],
    n_frames: int,
    frame_rate: float,
) -> Population:
    """Draw the state that the interneurons of a field follow over `n_frames` frames."""
    if not traits:
        return Population()
    course = wander(rng, 1, n_frames, log_uniform(rng, settings.modulation_time) * frame_rate)[0]
    return Population(tuple(traits), 1 / (1 + np.exp(-2.5 * course)), frame_rate)


def type_of(cells: Sequence[int], traits: Sequence[CellTraits]) -> CellType:
    """Return the type of an ROI that is drawn around some cells; empty where they differ or have none."""
    if not traits:
        return ""
    types: set[CellType] = {traits[cell].cell_type for cell in cells}
    if not types:
        return "noise"
    return types.pop() if len(types) == 1 else ""
