"""Mock objects in one line each, for tests: recordings, NWB files and every type of the extension."""

from __future__ import annotations

from .files import MockLayout, mock_nwbfile_with_movie
from .scenes import MockRecording, mock_recording
from .types import (
    mock_ActivityAnnotations,
    mock_ActivityPredictions,
    mock_AnnotatedSegments,
    mock_CellTypeAnnotations,
    mock_CellTypePredictions,
    mock_ClassifierTable,
    mock_nwbfile_with_predictions,
    mock_PredictedTransients,
    mock_PredictionProvenance,
    mock_segmentation,
    rois_of,
)

__all__ = [
    "MockLayout",
    "MockRecording",
    "mock_ActivityAnnotations",
    "mock_ActivityPredictions",
    "mock_AnnotatedSegments",
    "mock_CellTypeAnnotations",
    "mock_CellTypePredictions",
    "mock_ClassifierTable",
    "mock_PredictedTransients",
    "mock_PredictionProvenance",
    "mock_nwbfile_with_movie",
    "mock_nwbfile_with_predictions",
    "mock_recording",
    "mock_segmentation",
    "rois_of",
]
