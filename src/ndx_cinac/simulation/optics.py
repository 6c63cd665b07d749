"""The ranges that background, camera and kind of microscope are drawn from, each with its unit."""

from __future__ import annotations

from dataclasses import dataclass

from .settings import Range


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
    vessel_width: Range = (0.8, 3.0)
    """Standard deviation of a vessel's profile, pixels."""
    vessel_darkness: Range = (0.15, 0.7)
    """Part of the light that a vessel keeps back."""
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
    neuropil_patches: tuple[int, int] = (1, 5)
    """Fewest and most patches for each 80 x 80 pixels."""
    neuropil_follows: float = 0.5
    """Probability that it follows the cells' common activity."""
    process_probability: float = 0.4
    """Fields with processes (dendrites, axons) that cross the somata."""
    processes: tuple[int, int] = (1, 5)
    """Fewest and most of them."""
    process_width: Range = (0.5, 1.2)
    """Standard deviation of their profile, pixels."""
    process_brightness: Range = (0.05, 0.6)
    """Height of their transients, logarithmic."""
    out_of_focus_probability: float = 0.3
    """Fields with cells above or below the plane: wide blurs with transients of their own."""
    out_of_focus: tuple[int, int] = (1, 6)
    """Fewest and most of them for each 56 x 56 pixels."""
    out_of_focus_width: Range = (0.6, 1.5)
    """Standard deviation of their blur, in diameters."""
    out_of_focus_brightness: Range = (0.03, 0.3)
    """Height of their transients, logarithmic."""
    drift_probability: float = 0.3
    """Fields whose cells' brightness drifts slowly, each for itself."""
    drift: Range = (0.03, 0.25)
    """Standard deviation of the drift, in typical transients."""
    drift_time: Range = (40.0, 120.0)
    """Time constant of the drift, frames."""
    bleaching_probability: float = 0.3
    """Fields that bleach."""
    bleaching: Range = (0.05, 0.4)
    """Part of the brightness that may be lost in the end."""
    bleaching_time: Range = (0.2, 1.0)
    """Time constant of the loss, as a part of the movie."""
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
    motion_time: Range = (1.0, 10.0)
    """Time constant of a drift; half of the fields jitter from frame to frame instead. Frames."""
    focus_probability: float = 0.15
    """Fields that leave the plane of focus: cells change in brightness together, unequally, and blur."""
    focus: Range = (0.01, 0.12)
    """Typical relative loss of brightness in such a movement."""
    focus_time: Range = (0.5, 30.0)
    """Time constant of such movements, frames."""
    defocus: Range = (0.2, 1.0)
    """Blur of the frame when the focus is one standard deviation off, pixels."""
    bidirectional_probability: float = 0.1
    """Fields whose every other line is off, as scanned in both directions."""
    bidirectional: Range = (0.1, 1.5)
    """By how much, pixels."""
    snr: Range = (2.5, 60.0)
    """Height of a typical transient over the noise, after a matched filter over the soma, logarithmic."""
    clean_probability: float = 0.12
    """Fields that are almost free of noise."""
    clean_snr: Range = (60.0, 1000.0)
    """Their `snr`, logarithmic."""
    shot_noise: Range = (0.0, 1.0)
    """Part of the noise variance that is proportional to brightness (photon noise)."""
    smoothed_probability: float = 0.25
    """Fields whose noise is correlated between neighbouring pixels, as after resampling."""
    smoothing: Range = (0.4, 0.8)
    """Standard deviation of the Gaussian that correlates it, pixels."""
    averaged_probability: float = 0.08
    """Fields whose frames were smoothed in time."""
    averaging: Range = (0.4, 1.0)
    """Standard deviation of the Gaussian that smoothed them, frames."""
    counts: Range = (1.5, 80.0)
    """Detector counts per standard deviation of a pixel's noise, logarithmic."""
    offset: Range = (0.0, 400.0)
    """Detector counts in the dark."""
    stretched_probability: float = 0.15
    """Fields stored with each frame stretched to 0-255 for itself."""
    saturated_probability: float = 0.05
    """Fields whose brightest pixels saturate the detector."""
    saturation: Range = (0.3, 0.9)
    """Where it saturates, between the background at rest (0) and the brightest pixel (1)."""
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
