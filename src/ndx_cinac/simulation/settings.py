"""The ranges that a simulated field is drawn from, part by part, each with its unit."""

from __future__ import annotations

from dataclasses import dataclass

Range = tuple[float, float]
"""Lowest and highest value; one is drawn per field, evenly, or evenly on a logarithmic scale where said."""


@dataclass(frozen=True)
class MovieSettings:
    """Size and sampling of the movie."""

    shape: tuple[int, int] = (56, 56)
    """Rows and columns, pixels."""
    n_frames: tuple[int, int] = (300, 1200)
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
    border_fraction: float = 0.1
    """Cells that may be cut by the border."""
    donut_fraction: float = 0.35
    """Cells with a dark nucleus (only above 7 pixels)."""
    bell_fraction: float = 0.2
    """Cells that are brightest in the middle, as out of focus."""
    irregular_fraction: float = 0.4
    """Cells whose outline is no ellipse."""
    textured_fraction: float = 0.5
    """Cells of uneven brightness."""
    brightness_spread: Range = (0.1, 0.6)
    """Standard deviation of the log height of transients among the cells of a field."""
    resting: Range = (0.0, 1.5)
    """Fluorescence at rest over the height of a typical transient of the same cell."""
    blur: Range = (0.0, 0.0)
    """Standard deviation of the blur of each cell, in diameters: out of focus, or scattered light."""
    crossed: Range = (0.0, 0.15)
    """Fraction of the overlapping cells that never fire and lie under a brighter neighbour that does."""
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
    burst_interval: Range = (0.05, 0.8)
    """Seconds between events of a burst."""
    network_probability: float = 0.5
    """Fields with synchronous events."""
    network_rate: Range = (0.02, 0.3)
    """Synchronous events per second (Hz), logarithmic."""
    network_participation: Range = (0.2, 0.9)
    """Fraction of the cells that take part in one."""
    network_jitter: float = 0.15
    """Standard deviation, in seconds, of a cell's lag in a synchronous event."""
    plateau_fraction: float = 0.05
    """Cells with plateaus among their transients."""
    plateau_duration: Range = (0.5, 8.0)
    """Seconds that a plateau lasts, logarithmic."""
    subthreshold_probability: float = 0.5
    """Fields whose cells also show a bustle of rises too small to be called transients."""
    saturation_fraction: float = 0.1
    """Cells whose indicator saturates."""
    negative_below: float = 0.13
    """Rises below this part of the cell's tallest transients are not called transients."""
    ignored_below: float = 0.25
    """Rises between that and this part are neither: training and scoring leave their frames out."""


@dataclass(frozen=True)
class BackgroundSettings:
    """What glows beside the cells; heights are relative to a typical transient."""

    level: Range = (0.2, 4.0)
    """Resting brightness of the background."""
    texture: Range = (0.0, 0.3)
    """Relative unevenness of that brightness, fine and coarse."""
    vessel_probability: float = 0.3
    """Fields with dark vessels, which shade what lies beneath."""
    vessels: tuple[int, int] = (1, 2)
    """Fewest and most of them."""
    vignette_probability: float = 0.15
    """Fields that grow darker away from a centre of illumination."""
    vignette: Range = (0.1, 0.4)
    """Part of the brightness that is lost where it is darkest."""
    neuropil_probability: float = 0.75
    """Fields whose neuropil changes in time."""
    neuropil: Range = (0.02, 0.6)
    """Standard deviation of its changes, logarithmic."""
    neuropil_time: Range = (0.1, 4.0)
    """Time constant of its changes, seconds, logarithmic."""
    neuropil_width: Range = (6.0, 25.0)
    """Standard deviation of its patches, pixels."""
    neuropil_follows: float = 0.5
    """Probability that it follows the cells' common activity."""
    process_probability: float = 0.4
    """Fields with processes (dendrites, axons) that cross the somata."""
    processes: tuple[int, int] = (1, 5)
    """Fewest and most of them."""
    process_brightness: Range = (0.05, 0.6)
    """Height of their transients, logarithmic."""
    out_of_focus_probability: float = 0.3
    """Fields with cells above or below the plane: wide blurs with transients of their own."""
    out_of_focus: tuple[int, int] = (1, 6)
    """Fewest and most of them for each 56 x 56 pixels."""
    out_of_focus_brightness: Range = (0.03, 0.3)
    """Height of their transients, logarithmic."""
    drift_probability: float = 0.3
    """Fields whose cells' brightness drifts slowly, each for itself."""
    bleaching_probability: float = 0.3
    """Fields that bleach."""
    bleaching: Range = (0.05, 0.4)
    """Part of the brightness that is lost in the end."""
    flicker_probability: float = 0.2
    """Fields whose brightness changes from frame to frame."""
    flicker: Range = (0.005, 0.05)
    """Relative standard deviation of that change, logarithmic."""


@dataclass(frozen=True)
class CameraSettings:
    """Motion that correction has left over, noise and the detector."""

    motion_probability: float = 0.35
    """Fields that move."""
    motion: Range = (0.1, 1.5)
    """Standard deviation of the displacement, pixels, logarithmic."""
    focus_probability: float = 0.15
    """Fields that leave the plane of focus: brightness of the cells changes together, unequally."""
    focus: Range = (0.01, 0.12)
    """Typical relative loss of brightness in such a movement."""
    bidirectional_probability: float = 0.1
    """Fields whose every other line is off, as scanned in both directions."""
    bidirectional: Range = (0.2, 2.0)
    """By how much, pixels."""
    snr: Range = (2.5, 60.0)
    """Height of a typical transient over the noise, after a matched filter over the soma, logarithmic."""
    clean_probability: float = 0.12
    """Fields that are almost free of noise: `snr` 60 to 1,000."""
    shot_noise: Range = (0.0, 1.0)
    """Part of the noise variance that is proportional to brightness (photon noise)."""
    smoothed_probability: float = 0.25
    """Fields whose noise is correlated between neighbouring pixels, as after resampling."""
    averaged_probability: float = 0.08
    """Fields whose frames were smoothed in time."""
    counts: Range = (1.5, 80.0)
    """Detector counts per standard deviation of a pixel's noise, logarithmic."""
    offset: Range = (0.0, 400.0)
    """Detector counts in the dark."""
    stretched_probability: float = 0.15
    """Fields stored with each frame stretched to 0-255 for itself."""
    saturated_probability: float = 0.05
    """Fields whose brightest pixels saturate the detector."""
    dead_line_probability: float = 0.04
    """Fields with dead lines: rows or columns that show one count all the time."""
    dead_lines: tuple[int, int] = (1, 3)
    """Fewest and most of them."""
    missing_probability: float = 0.08
    """Fields with missing frames: black, the one before again, or left out (time then jumps)."""
    missing: Range = (0.002, 0.03)
    """Part of the frames that are missing, logarithmic."""
    longest_gap: int = 8
    """Most frames that are missing in a row."""


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


@dataclass(frozen=True)
class OnePhotonSettings:
    """What is different in fields as a one-photon miniscope sees them.

    In such a field these take the place of the settings of the same name in the other sections. It always has
    neuropil that changes, cells out of focus and a vignette, and no bidirectional scan.
    """

    probability: float = 0.25
    """Fields of this kind."""
    frame_rate: Range = (5.0, 30.0)
    """Frames per second (Hz), logarithmic."""
    diameter: Range = (5.0, 15.0)
    """Typical diameter of a soma in the field, pixels, logarithmic."""
    blur: Range = (0.08, 0.25)
    """Standard deviation of the blur of each cell, in diameters."""
    level: Range = (4.0, 40.0)
    """Resting brightness of the background: a typical transient is 2.5 to 25 % of it."""
    texture: Range = (0.0, 0.12)
    """Relative unevenness of that brightness, fine and coarse."""
    neuropil: Range = (0.2, 2.0)
    """Standard deviation of the neuropil's changes, logarithmic."""
    neuropil_width: Range = (8.0, 40.0)
    """Standard deviation of the neuropil's patches, pixels."""
    out_of_focus: tuple[int, int] = (3, 12)
    """Fewest and most cells above or below the plane for each 56 x 56 pixels."""
    out_of_focus_brightness: Range = (0.1, 0.8)
    """Height of their transients, logarithmic."""
    vessel_probability: float = 0.6
    """Fields with dark vessels."""
    vessels: tuple[int, int] = (1, 4)
    """Fewest and most of them."""
    vignette: Range = (0.1, 0.7)
    """Part of the brightness that is lost where it is darkest."""
    bleaching_probability: float = 0.6
    """Fields that bleach."""
    motion_probability: float = 0.6
    """Fields that move."""
    shot_noise: Range = (0.6, 1.0)
    """Part of the noise variance that is proportional to brightness."""


@dataclass(frozen=True)
class SessionSettings:
    """What an NWB file says of the recording; nothing is drawn from it."""

    indicator: str = "GCaMP6s"
    """Name of the indicator."""
    location: str = "VISp"
    """Where in the brain: an acronym of the Allen Mouse Brain Atlas."""
    age: str = "P60D"
    """Age of the mouse, ISO 8601."""
