"""What was written, compared with what should have been: types, links and values."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from pynwb import NWBFile

from ..errors import OutputError
from ..results import ActivityResult, CellTypeResult, Result
from .cell_types import read_cell_type_predictions
from .output import MODULE, OutputOptions, cell_type_names, object_names
from .stored import opened, read_predictions

TRANSIENT_COLUMNS = {
    "roi": "roi_row",
    **{name: name for name in ("first_frame", "last_frame", "peak_probability", "mean_probability")},
}
"""Columns of a table of transients that are compared, and those of the result that they were written from."""


def check_written(path: Path, result: Result | Sequence[Result], options: OutputOptions) -> None:
    """Compare what a file holds with what it should hold.

    Parameters
    ----------
    path : Path
        The file.
    result : ActivityResult, CellTypeResult, or a sequence of them
        What was written.
    options : OutputOptions
        How it was written.

    Raises
    ------
    OutputError
        If a type, a link or a value differs.
    """
    results = [result] if isinstance(result, (ActivityResult, CellTypeResult)) else list(result)
    names = options.names([each.task for each in results])
    with opened(path) as (nwbfile, _):
        for each in results:
            name = names[each.task]
            _refuse_differences(path, _types_hold(nwbfile, name, each))
            _refuse_differences(
                path,
                _cell_types_hold(nwbfile, name, each, options)
                if isinstance(each, CellTypeResult)
                else _activity_holds(nwbfile, name, each, options),
            )


def _refuse_differences(path: Path, same: dict[str, bool]) -> None:
    """Raise where something that was written reads back differently."""
    wrong = [what for what, holds in same.items() if not holds]
    if wrong:
        what = f"What was written reads back differently: {', '.join(wrong)}"
        raise OutputError(what, where=str(path), fix="Nothing was changed; please report this as a bug")


def _types_hold(nwbfile: NWBFile, name: str, result: Result) -> dict[str, bool]:
    """Whether the objects came back as the extension's own types; without transients no table of them."""
    found = nwbfile.processing[MODULE].data_interfaces
    if isinstance(result, CellTypeResult):
        types = dict(zip(cell_type_names(name), ("CellTypePredictions", "PredictionProvenance"), strict=True))
        return {kind: type(found.get(key)).__name__ == kind for key, kind in types.items()}
    kinds = ("ActivityPredictions", "PredictedTransients", "PredictionProvenance")
    return {
        kind: type(found.get(key)).__name__ == kind
        if result.active.any() or kind != "PredictedTransients"
        else key not in found
        for key, kind in zip(object_names(name), kinds, strict=True)
    }


def _activity_holds(
    nwbfile: NWBFile, name: str, result: ActivityResult, options: OutputOptions
) -> dict[str, bool]:
    """Whether activity reads back as it was written."""
    stored = read_predictions(nwbfile, name)
    predictions = nwbfile.processing[MODULE][name]
    table = nwbfile.processing[MODULE].data_interfaces.get(object_names(name)[1])
    expected = result.transients
    same = _rois_hold(predictions.rois.table.object_id, stored, result, options)
    if options.mode != "standalone" and result.source and result.source.movie_id in nwbfile.objects:
        movie = predictions.movie
        same["movie"] = movie is not None and movie.object_id == result.source.movie_id
    return same | {
        "times": np.allclose(stored.times.seconds(), result.times.seconds(), rtol=0, atol=1e-9),
        "threshold": stored.threshold == result.threshold,
        "transients": expected.empty
        if table is None
        else all(
            np.array_equal(table[column].data[:], expected[key]) for column, key in TRANSIENT_COLUMNS.items()
        ),
    }


def _cell_types_hold(
    nwbfile: NWBFile, name: str, result: CellTypeResult, options: OutputOptions
) -> dict[str, bool]:
    """Whether cell types read back as they were written."""
    stored = read_cell_type_predictions(nwbfile, name)
    table = nwbfile.processing[MODULE][name]["roi"].table
    named = {key: value for key, value in result.meanings.items() if key in result.cell_types}
    return _rois_hold(table.object_id, stored, result, options) | {
        "cell types": stored.cell_types == result.cell_types,
        "labels": stored.labels == result.labels,
        "confidence": np.array_equal(stored.confidence, result.confidence),
        "meanings": all(
            (known := stored.meanings.get(key)) is not None
            and (known.meaning, tuple(known.synonyms), known.ontology_id)
            == (value.meaning, tuple(value.synonyms), value.ontology_id)
            for key, value in named.items()
        ),
    }


def _rois_hold(table_id: str, stored: Result, result: Result, options: OutputOptions) -> dict[str, bool]:
    """Whether probabilities, ROIs and their classifiers are the same, and the ROI table the one predicted."""
    same = {
        "probabilities": np.array_equal(stored.probabilities, result.probabilities, equal_nan=True),
        "ROI rows": np.array_equal(stored.roi_rows, result.roi_rows),
        "ROI ids": np.array_equal(stored.roi_ids, result.roi_ids),
        "classifiers": per_roi_hashes(stored) == per_roi_hashes(result),
    }
    if options.mode != "standalone" and result.source is not None:
        same["ROI table"] = table_id == result.source.segmentation_id
    return same


def per_roi_hashes(result: Result) -> list[str]:
    """Hash of the classifier of each predicted ROI."""
    return [result.classifiers[index].sha256 for index in result.classifier_index]
