"""Predictions into NWB files, whole or not at all, and out of them again."""

from .cell_types import read_cell_type_predictions
from .output import OutputMode, OutputOptions, check_output
from .predictions import add_to_nwbfile, write_predictions
from .stored import read_predictions
from .thresholds import change_threshold

__all__ = [
    "OutputMode",
    "OutputOptions",
    "add_to_nwbfile",
    "change_threshold",
    "check_output",
    "read_cell_type_predictions",
    "read_predictions",
    "write_predictions",
]
