"""NWB extension and predictor for cell activity and cell types from calcium-imaging movies.

Importing this makes pynwb know the types of the namespace ndx-cinac. What predicts, reads and writes is
imported when it is first used: TensorFlow and other heavy packages are not needed to open a file.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .errors import (
    AmbiguousSourceError,
    CinacError,
    ClassifierError,
    ConfigError,
    InvalidTypeError,
    MissingExtraError,
    OutputError,
    PredictionError,
    ReadingError,
)
from .neurodata import (
    ActivityAnnotations,
    ActivityPredictions,
    AnnotatedSegments,
    CellTypeAnnotations,
    CellTypePredictions,
    ClassifierTable,
    PredictedTransients,
    PredictionProvenance,
)

if TYPE_CHECKING:
    from .classifiers import list_classifiers, load_classifier
    from .evaluation import evaluate_activity, evaluate_cell_types
    from .exporting import export_predictions
    from .prediction import (
        CellTypeOptions,
        PredictionOptions,
        predict_activity,
        predict_activity_and_cell_types,
        predict_cell_types,
    )
    from .reading import RoiSelection, read_recording
    from .recording import CinacRecording
    from .results import ActivityResult, CellTypeResult
    from .writing import OutputOptions, change_threshold, write_predictions
    from .writing.annotations import annotate_cell_types

    __version__: str

__all__ = [
    "ActivityAnnotations",
    "ActivityPredictions",
    "ActivityResult",
    "AmbiguousSourceError",
    "AnnotatedSegments",
    "CellTypeAnnotations",
    "CellTypeOptions",
    "CellTypePredictions",
    "CellTypeResult",
    "CinacError",
    "CinacRecording",
    "ClassifierError",
    "ClassifierTable",
    "ConfigError",
    "InvalidTypeError",
    "MissingExtraError",
    "OutputError",
    "OutputOptions",
    "PredictedTransients",
    "PredictionError",
    "PredictionOptions",
    "PredictionProvenance",
    "ReadingError",
    "RoiSelection",
    "__version__",
    "annotate_cell_types",
    "change_threshold",
    "evaluate_activity",
    "evaluate_cell_types",
    "export_predictions",
    "list_classifiers",
    "load_classifier",
    "predict_activity",
    "predict_activity_and_cell_types",
    "predict_cell_types",
    "read_recording",
    "write_predictions",
]

_LAZY = {
    "ActivityResult": "results",
    "CellTypeOptions": "prediction",
    "CellTypeResult": "results",
    "CinacRecording": "recording",
    "OutputOptions": "writing",
    "PredictionOptions": "prediction",
    "RoiSelection": "reading",
    "annotate_cell_types": "writing.annotations",
    "change_threshold": "writing",
    "evaluate_activity": "evaluation",
    "evaluate_cell_types": "evaluation",
    "export_predictions": "exporting",
    "list_classifiers": "classifiers",
    "load_classifier": "classifiers",
    "predict_activity": "prediction",
    "predict_activity_and_cell_types": "prediction",
    "predict_cell_types": "prediction",
    "read_recording": "reading",
    "write_predictions": "writing",
}
"""Public names that are imported when they are first used, and the module of each."""


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        value: Any = version("ndx-cinac")
    elif name in _LAZY:
        value = getattr(import_module(f".{_LAZY[name]}", __name__), name)
    else:
        message = f"module '{__name__}' has no attribute '{name}'"
        raise AttributeError(message)
    globals()[name] = value  # asked once
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
