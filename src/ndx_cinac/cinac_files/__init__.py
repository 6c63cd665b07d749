"""DeepCINAC's .cinac files: read, written, and converted to NWB."""

from .conversion import ConversionOptions, cinac_to_nwb, convert_cinac
from .files import CinacFile, write_cinac
from .segments import CinacFullData, CinacSegment, SegmentKey

__all__ = [
    "CinacFile",
    "CinacFullData",
    "CinacSegment",
    "ConversionOptions",
    "SegmentKey",
    "cinac_to_nwb",
    "convert_cinac",
    "write_cinac",
]
