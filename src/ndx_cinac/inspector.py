"""Checks for the NWB Inspector: faults that files can hold because a schema cannot forbid them.

Importing this module registers them; on the command line:
``nwbinspector FILE --modules ndx_cinac.inspector``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from nwbinspector import Importance, InspectorMessage, register_check

from .neurodata import ActivityPredictions, CellTypePredictions, ClassifierTable, PredictedTransients

_SHA256 = re.compile("[0-9a-f]{64}")
_BLOCK = 4_000_000
"""Values that are read at once."""


@register_check(importance=Importance.CRITICAL, neurodata_type=ActivityPredictions)  # type: ignore[untyped-decorator]
def check_predictions_match_rois(predictions: ActivityPredictions) -> InspectorMessage | None:
    """Each column of predictions has its ROI and its classifier, in rows that exist."""
    columns = predictions.data.shape[1] if len(predictions.data.shape) == 2 else 1
    for region in (predictions.rois, predictions.classifier):
        rows = np.asarray(region.data[:])
        if len(rows) != columns:
            message = f"'{region.name}' has {len(rows)} rows for {columns} columns of data."
            return InspectorMessage(message=message)
        if len(rows) and not 0 <= rows.min() <= rows.max() < len(region.table):
            message = (
                f"'{region.name}' points outside '{region.table.name}', which has {len(region.table)} rows."
            )
            return InspectorMessage(message=message)
    return None


@register_check(importance=Importance.CRITICAL, neurodata_type=CellTypePredictions)  # type: ignore[untyped-decorator]
def check_cell_types_match_rois(predictions: CellTypePredictions) -> InspectorMessage | None:
    """Each row of predicted cell types points to an ROI and a classifier that exist."""
    for name in ("roi", "classifier"):
        rows, table = np.asarray(predictions[name].data[:]), predictions[name].table
        if len(rows) and not 0 <= rows.min() <= rows.max() < len(table):
            message = f"Column '{name}' points outside '{table.name}', which has {len(table)} rows."
            return InspectorMessage(message=message)
    return None


@register_check(importance=Importance.CRITICAL, neurodata_type=ActivityPredictions)  # type: ignore[untyped-decorator]
def check_activity_probabilities(predictions: ActivityPredictions) -> InspectorMessage | None:
    """Probabilities of activity lie within 0 to 1."""
    frames = max(1, _BLOCK // max(1, int(np.prod(predictions.data.shape[1:]))))
    for start in range(0, predictions.data.shape[0], frames):
        block = np.asarray(predictions.data[start : start + frames])
        wrong = np.argwhere(_not_probability(block))
        if len(wrong):
            frame, *roi = (int(i) for i in wrong[0])
            message = f"Frame {start + frame}, column {roi}: {block[tuple(wrong[0])]:g} is no probability."
            return InspectorMessage(message=message)
    return None


@register_check(importance=Importance.CRITICAL, neurodata_type=CellTypePredictions)  # type: ignore[untyped-decorator]
def check_cell_type_probabilities(predictions: CellTypePredictions) -> InspectorMessage | None:
    """Probabilities of cell types and confidences lie within 0 to 1."""
    for name in ("probability", "confidence"):
        values = np.asarray(predictions[name].data[:])
        wrong = np.argwhere(_not_probability(values))
        if len(wrong):
            value = values[tuple(wrong[0])]
            return InspectorMessage(
                message=f"Column '{name}', row {wrong[0][0]}: {value:g} is no probability."
            )
    return None


@register_check(importance=Importance.BEST_PRACTICE_VIOLATION, neurodata_type=ClassifierTable)  # type: ignore[untyped-decorator]
def check_classifier_hash(classifiers: ClassifierTable) -> Iterator[InspectorMessage]:
    """Each classifier has the SHA-256 of its weights: a name alone does not say what predicted."""
    for row, sha256 in enumerate(classifiers["sha256"].data[:]):
        if not _SHA256.fullmatch(str(sha256)):
            name = classifiers["classifier_name"].data[row]
            yield InspectorMessage(message=f"Classifier '{name}' (row {row}) has no SHA-256 of its weights.")


@register_check(importance=Importance.CRITICAL, neurodata_type=PredictedTransients)  # type: ignore[untyped-decorator]
def check_transients_inside_series(transients: PredictedTransients) -> InspectorMessage | None:
    """Predicted transients lie inside the predictions that they were taken from."""
    predictions = predictions_of(transients)
    if predictions is None or len(transients) == 0:
        return None
    first = np.asarray(transients["first_frame"].data[:])
    last = np.asarray(transients["last_frame"].data[:])
    n_frames = predictions.data.shape[0]
    wrong = np.flatnonzero((first < 0) | (last >= n_frames) | (first > last))
    if len(wrong):
        row = int(wrong[0])
        period = f"Row {row}, frames {first[row]} to {last[row]}"
        return InspectorMessage(
            message=f"{period}: not inside the {n_frames} frames of '{predictions.name}'."
        )
    return None


def predictions_of(transients: PredictedTransients) -> ActivityPredictions | None:
    """Return the predictions that transients were taken from: by name, else the only ones beside them."""
    beside: dict[str, Any] = getattr(transients.parent, "data_interfaces", {})
    found = {name: each for name, each in beside.items() if isinstance(each, ActivityPredictions)}
    named = "ActivityPredictions"
    if transients.name != "PredictedTransients":
        named = transients.name.removesuffix("Transients")
    if named in found:
        return found[named]
    return next(iter(found.values())) if len(found) == 1 else None


def _not_probability(values: NDArray[Any]) -> NDArray[np.bool_]:
    wrong: NDArray[np.bool_] = ~((values >= 0) & (values <= 1))  # written so that NaN is wrong too
    return wrong
