"""The ranges that cells, their activity and their ROIs are drawn from, each with its unit."""

from __future__ import annotations

from dataclasses import dataclass

Range = tuple[float, float]
"""Lowest and highest value; one is drawn per field, evenly, or evenly on a logarithmic scale where said."""


@dataclass(frozen=True)
class MovieSettings:
    """Size and sampling of the movie."""

    shape: tuple[int, int] = (56, 56)
    """Rows and columns, pixels."""
    n_frames: tuple[int, int] = (300, 2400)
    """Length, frames, logarithmic."""
    frame_rate: Range = (4.0, 60.0)
    """Frames per second (Hz), logarithmic."""


@dataclass(frozen=True)
class CellSettings:
    """Where the cells are and what they look like; a fraction is the probability for each cell."""

    diameter: Range = (6.0, 25.0)
    """Typical diameter of a soma in the field, pixels, logarithmic."""
    soma_size: Range = (9.0, 16.0)
    """The same in micrometres: both together give the pixel size."""
    diameter_spread: float = 0.18
    """Standard deviation of the log diameter within a field."""
    density: Range = (0.25, 1.6)
    """Sum of the somata's areas over the field's area, logarithmic."""
    number: tuple[int, int] = (4, 36)
    """Fewest and most cells, whatever the density says."""
    adjoining_fraction: float = 0.35
    """Cells that are put beside or upon an earlier one."""
    adjoining_distance: Range = (0.4, 1.0)
    """How far from it, in diameters."""
    border_fraction: float = 0.1
    """Cells that may be cut by the border."""
    donut_fraction: float = 0.35
    """Cells with a dark nucleus (only above 7 pixels)."""
    nucleus: Range = (0.4, 0.7)
    """Radius of the nucleus over that of the soma."""
    nucleus_darkness: Range = (0.3, 0.95)
    """Part of the brightness that it lacks."""
    bell_fraction: float = 0.2
    """Cells that are brightest in the middle, as out of focus."""
    roundness: Range = (0.6, 1.0)
    """Shortest over longest axis of a soma."""
    irregular_fraction: float = 0.4
    """Cells whose outline is no ellipse."""
    textured_fraction: float = 0.5
    """Cells of uneven brightness."""
    grain: Range = (0.1, 0.4)
    """Relative standard deviation of that unevenness."""
    edge: Range = (0.05, 0.35)
    """Softness of the outline, in radii."""
    brightness_spread: Range = (0.1, 0.6)
    """Standard deviation of the log height of transients among the cells of a field."""
    resting: Range = (0.0, 1.5)
    """Fluorescence at rest over the height of a typical transient of the same cell."""
    blur: Range = (0.0, 0.0)
    """Standard deviation of the blur of each cell, in diameters: out of focus, or scattered light."""
    crossed: Range = (0.0, 0.15)
    """Fraction of the overlapping cells that never fire and lie under a brighter neighbour that does."""
    crossed_by: Range = (1.5, 4.0)
    """Brightness of that neighbour over that of the silent cell."""
    unlisted: Range = (0.0, 0.25)
    """Fraction of the cells that are in the movie and not among the ROIs."""


@dataclass(frozen=True)
class ActivitySettings:
    """How the cells fire and what the indicator makes of it; a probability is that of a field."""

    rise: Range = (0.04, 0.5)
    """Onset to peak, seconds, logarithmic."""
    decay: Range = (0.15, 2.5)
    """Decay constant, seconds, logarithmic."""
    shortest_decay: float = 2.5
    """Decays are no shorter than this many frames: nobody records a faster indicator at that frame rate."""
    variability: Range = (1.0, 2.0)
    """Rise and decay vary from event to event by a factor of up to this."""
    cell_variability: float = 1.4
    """They differ between the cells of a field by a factor of up to this."""
    event_rate: Range = (0.003, 0.8)
    """Median of the cells' rates of events, per second (Hz), logarithmic."""
    rate_spread: Range = (0.3, 1.2)
    """Standard deviation of the log rate among the cells of a field."""
    event_spread: Range = (0.1, 0.7)
    """Standard deviation of the log height of one cell's transients."""
    heavy_tailed_fraction: float = 0.2
    """Cells whose transients' heights are spread exponentially: many small ones."""
    silent_fraction: Range = (0.0, 0.15)
    """Cells that never fire."""
    burst_probability: float = 0.5
    """Fields whose cells fire bursts: transients that ride on one another."""
    burst_fraction: float = 0.4
    """Events that start a burst."""
    burst_events: tuple[int, int] = (1, 5)
    """Fewest and most events that follow the first one of a burst."""
    burst_interval: Range = (0.05, 0.8)
    """Seconds between events of a burst."""
    network_probability: float = 0.5
    """Fields with synchronous events."""
    network_rate: Range = (0.02, 0.3)
    """Synchronous events per second (Hz), logarithmic."""
    network_participation: Range = (0.2, 0.9)
    """Fraction of the cells that take part in one."""
    network_cells: float = 0.7
    """Cells that ever take part."""
    network_jitter: float = 0.15
    """Standard deviation, in seconds, of a cell's lag in a synchronous event."""
    plateau_fraction: float = 0.05
    """Cells with plateaus among their transients."""
    plateau_part: float = 0.3
    """Transients of such a cell that are plateaus."""
    plateau_duration: Range = (0.5, 8.0)
    """Seconds that a plateau lasts, logarithmic."""
    subthreshold_probability: float = 0.5
    """Fields whose cells (seven of ten) also show a bustle of rises too small to be called transients."""
    subthreshold: Range = (0.01, 0.1)
    """Standard deviation of that bustle, logarithmic."""
    saturation_fraction: float = 0.1
    """Cells whose indicator saturates."""
    saturation: Range = (1.5, 4.0)
    """Brightness that such a cell never passes."""
    smallest_transient: Range = (0.12, 0.45)
    """Smallest rise that is called a transient, as a part of the cell's typical ones, logarithmic: annotators
    differ, and a field is labelled by one of them."""
    doubtful_from: float = 0.5
    """Rises from this part of that on are neither: training and scoring leave their frames out."""
    tallest_probability: float = 0.5
    """Fields whose annotator compares a rise with the height that the cell's tallest transients reach, riding
    on one another or not, and not with its typical rise."""


@dataclass(frozen=True)
class MaskSettings:
    """What is wrong with the ROIs; a fraction is the probability for each ROI."""

    exact_probability: float = 0.3
    """Fields whose masks are exact."""
    level: Range = (0.2, 0.55)
    """Part of the brightest pixel at which the mask ends."""
    hollow_fraction: float = 0.2
    """Donuts whose mask leaves the nucleus out."""
    eroded_fraction: float = 0.15
    """Masks that are one pixel too small all round."""
    dilated_fraction: float = 0.2
    """Masks that are one pixel too large all round."""
    shifted_fraction: float = 0.25
    """Masks that are off by a pixel."""
    ragged_fraction: float = 0.15
    """Masks with a ragged border."""
    soft_probability: float = 0.2
    """Fields whose masks have weights: the soma's brightness."""
    non_cell: Range = (0.0, 0.08)
    """ROIs without a cell beneath, as a fraction of the others: on vessels, neuropil or processes."""
    doublet: Range = (0.0, 0.06)
    """Fraction of the ROIs that hold two cells side by side, where there are such."""
    smallest: int = 12
    """Fewest pixels of an ROI."""
