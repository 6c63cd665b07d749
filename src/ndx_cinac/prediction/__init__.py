"""From a recording to predictions: options, engines, and what they are expected to take."""

from .activity import predict_activity, predict_recording
from .both import BothOptions, predict_activity_and_cell_types
from .by_cell_type import ActivityByCellType, read_activity_by_cell_type
from .cell_types import predict_cell_types
from .expectation import Expectation, estimate
from .options import CellTypeOptions, PredictionOptions

__all__ = [
    "ActivityByCellType",
    "BothOptions",
    "CellTypeOptions",
    "Expectation",
    "PredictionOptions",
    "estimate",
    "predict_activity",
    "predict_activity_and_cell_types",
    "predict_cell_types",
    "predict_recording",
    "read_activity_by_cell_type",
]
