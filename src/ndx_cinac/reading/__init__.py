"""From NWB files to recordings: which movie, which ROIs, on which axes, at what times."""

from .masks import RoiSelection
from .recordings import ReadingOptions, read_recording

__all__ = ["ReadingOptions", "RoiSelection", "read_recording"]
