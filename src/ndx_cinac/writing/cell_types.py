"""Predicted cell types as objects of the extension, into an NWBFile and out of it again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from pynwb import NWBFile

from ..neurodata import CellTypeMeaning, CellTypePredictions
from ..reading.opening import check_path
from ..results import CellTypeResult
from .objects import Place, cinac_module, classifier_rows, provenance
from .output import CLASSIFIERS, DEFAULT_CELL_TYPES_NAME, MODULE, cell_type_names
from .stored import classifiers_of, kept_parameters, opened, source_of, stored_object


def add_cell_types(result: CellTypeResult, place: Place) -> CellTypePredictions:
    """Put predicted cell types into the module `cinac`, which is made where it is absent.

    They are a table of their own: what a file says of its cells, as annotations or in columns of its ROI
    table, stays as it is.
    """
    module = cinac_module(place.nwbfile)
    rows = np.asarray(classifier_rows(module, result.classifiers), dtype=np.int64)
    predictions: CellTypePredictions = CellTypePredictions.from_arrays(
        rois=place.segmentation,
        classifiers=module.data_interfaces[CLASSIFIERS],
        cell_types=result.cell_types,
        columns={
            "roi": result.roi_rows,
            "cell_type": result.labels,
            "probability": result.probabilities,
            "confidence": result.confidence,
            "classifier": rows[result.classifier_index],
        },
        meanings=result.meanings,
        name=place.name,
        description="Predicted cell type of each region of interest, with the probability of every type",
    )
    module.add(predictions)
    module.add(provenance(result, cell_type_names(place.name)[1], place.folder))
    return predictions


def read_cell_type_predictions(
    source: str | Path | NWBFile, name: str = DEFAULT_CELL_TYPES_NAME
) -> CellTypeResult:
    """Read predicted cell types back as the result that they were written from.

    Parameters
    ----------
    source : str, Path or NWBFile
        The file, or an open NWBFile.
    name : str
        Name of the predictions.

    Returns
    -------
    CellTypeResult
        All values in memory; `output` is the file. What the file does not hold is left at its default.

    Raises
    ------
    ReadingError
        If there are no predictions of that name; the message lists those that there are.
    """
    if isinstance(source, NWBFile):
        return _read(source, name, Path(source.container_source) if source.container_source else None)
    path = check_path(source)
    with opened(path) as (nwbfile, _):
        return _read(nwbfile, name, path)


def _read(nwbfile: NWBFile, name: str, path: Path | None) -> CellTypeResult:
    """Read predictions from an open file."""
    table = stored_object(nwbfile, name, "cell_type", path)
    rows = np.asarray(table["roi"].data[:], dtype=np.int64)
    types = tuple(str(each) for each in table.cell_types[:])
    stored = nwbfile.processing[MODULE].data_interfaces.get(cell_type_names(name)[1])
    parameters, extra = kept_parameters(stored)
    classifiers, index = classifiers_of(table["classifier"])
    return CellTypeResult(
        probabilities=np.asarray(table["probability"].data[:], np.float32).reshape(len(rows), len(types)),
        cell_types=types,
        codes=np.array([types.index(str(each)) for each in table["cell_type"].data[:]], dtype=np.int64),
        confidence=np.asarray(table["confidence"].data[:], dtype=np.float32),
        roi_rows=rows,
        roi_ids=np.asarray(table["roi"].table.id[:], dtype=np.int64)[rows],
        classifiers=classifiers,
        classifier_index=index,
        meanings=_meanings(table),
        definition=str(extra.get("definition", "")),
        skipped={int(row): why for row, why in extra.get("skipped", {}).items()},
        parameters=parameters,
        device="" if stored is None else str(stored.device),
        source=source_of(stored, path),
        notes=tuple(extra.get("notes", ())),
        output=path,
        seconds=float("nan") if extra.get("seconds") is None else float(extra["seconds"]),
    )


def _meanings(table: Any) -> dict[str, CellTypeMeaning]:
    """Return what the file says that the types mean."""
    stored = table["cell_type"].get_meanings()
    if stored is None:
        return {}
    return {
        str(row.value): CellTypeMeaning(
            meaning=str(row.meaning),
            synonyms=tuple(filter(None, str(getattr(row, "synonyms", "")).split("; "))),
            ontology_id=str(getattr(row, "cell_ontology_id", "")),
        )
        for row in stored.to_dataframe().itertuples()
    }
