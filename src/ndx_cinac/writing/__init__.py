"""Predictions into NWB files, whole or not at all, and out of them again."""

from .cell_types import read_cell_type_predictions
from .output import OutputMode, OutputOptions, check_output
from .predictions import add_to_nwbfile, write_predictions
from .stored import read_predictions

__all__ = [
    "OutputMode",
    "OutputOptions",
    "add_to_nwbfile",
    "check_output",
    "read_cell_type_predictions",
    "read_predictions",
    "write_predictions",
]
