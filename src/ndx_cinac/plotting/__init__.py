"""Figures of predictions."""

from .activity_by_type import plot_raster_by_type, plot_transients_by_type
from .cell_type_data import CellTypeFigureData, read_cell_type_data
from .cell_types import plot_cell_type_field, plot_cell_type_probabilities
from .field import plot_field
from .figures import plot_probabilities, plot_traces
from .files import plot_file

__all__ = [
    "CellTypeFigureData",
    "plot_cell_type_field",
    "plot_cell_type_probabilities",
    "plot_field",
    "plot_file",
    "plot_probabilities",
    "plot_raster_by_type",
    "plot_traces",
    "plot_transients_by_type",
    "read_cell_type_data",
]
