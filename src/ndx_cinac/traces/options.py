"""Options of trace extraction: kept in a classifier's card, so that it is given what it was trained on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from ..errors import ConfigError


@dataclass(frozen=True)
class TraceOptions:
    """How traces are extracted.

    Those up to `sample_bytes` shape the numbers and belong to a classifier; the last two do not.

    Attributes
    ----------
    ridge : float
        Ridge of the demixing, relative to each footprint's own norm; above 0.
    background_spacing : float
        Distance of background bumps, in diameters of the median ROI; above 0.
    spacing_range : tuple of float
        Smallest and largest distance of background bumps, in pixels.
    refinements : int
        How often footprints are refined from the movie; 0 leaves the masks.
    widening : int
        How far, in pixels, a refined footprint may reach beyond its mask.
    baseline_frames : int
        Frames of the stretches that the baseline is taken from.
    sample_frames : int
        Frames, at most, for image statistics and footprints; all of them where a movie is kept whole.
    sample_bytes : int
        Memory for the sample, also for a movie that is short enough to be kept whole.
    block_bytes : int
        Memory for a block of frames in single precision.
    store_bytes : int
        Traces that take more memory are kept in a temporary file.
    """

    ridge: float = 0.01
    background_spacing: float = 1.6
    spacing_range: tuple[float, float] = (12.0, 40.0)
    refinements: int = 2
    widening: int = 2
    baseline_frames: int = 200
    sample_frames: int = 1000
    sample_bytes: int = 256 * 2**20
    block_bytes: int = 32 * 2**20
    store_bytes: int = 32 * 2**20

    def __post_init__(self) -> None:
        object.__setattr__(self, "spacing_range", tuple(float(v) for v in self.spacing_range))
        positive = ("ridge", "background_spacing", "baseline_frames", "sample_frames", "block_bytes")
        bad = [name for name in positive if not getattr(self, name) > 0]
        bad += [n for n in ("refinements", "widening", "sample_bytes", "store_bytes") if getattr(self, n) < 0]
        if len(self.spacing_range) != 2 or not 0 < self.spacing_range[0] <= self.spacing_range[1]:
            bad.append("spacing_range")
        if bad:
            what = (
                f"Trace options out of range: {', '.join(f'{name}={getattr(self, name)!r}' for name in bad)}"
            )
            raise ConfigError(what)

    def to_dict(self) -> dict[str, Any]:
        """Return the options as JSON types."""
        return {**asdict(self), "spacing_range": list(self.spacing_range)}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> TraceOptions:
        """Make options from a mapping; what it lacks has its default.

        Raises
        ------
        ConfigError
            If a name is unknown or a value out of range.
        """
        if not isinstance(values, Mapping):
            what = f"Trace options are a mapping, not {type(values).__name__}"
            raise ConfigError(what)
        known = {f.name for f in fields(cls)}
        unknown = sorted(str(name) for name in values if name not in known)
        if unknown:
            what = f"Unknown trace options: {', '.join(unknown)}"
            raise ConfigError(what, fix=f"Known are: {', '.join(f.name for f in fields(cls))}")
        return cls(**values)
