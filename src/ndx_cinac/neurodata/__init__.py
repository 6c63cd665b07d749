"""The types of the namespace ndx-cinac; importing this makes pynwb know them."""

from .activity import ActivityPredictions, SeriesArguments
from .annotations import (
    ActivityAnnotations,
    AnnotatedSegments,
    AnnotationColumns,
    CellTypeAnnotations,
    CellTypeColumns,
    SegmentColumns,
)
from .cell_types import CellTypeMeaning, CellTypePredictionColumns, CellTypePredictions
from .classifiers import ClassifierTable
from .constructors import TableArguments, TableNaming
from .provenance import PredictionProvenance, ProvenanceArguments
from .transients import PredictedTransients, TransientColumns

__all__ = [
    "ActivityAnnotations",
    "ActivityPredictions",
    "AnnotatedSegments",
    "AnnotationColumns",
    "CellTypeAnnotations",
    "CellTypeColumns",
    "CellTypeMeaning",
    "CellTypePredictionColumns",
    "CellTypePredictions",
    "ClassifierTable",
    "PredictedTransients",
    "PredictionProvenance",
    "ProvenanceArguments",
    "SegmentColumns",
    "SeriesArguments",
    "TableArguments",
    "TableNaming",
    "TransientColumns",
]
