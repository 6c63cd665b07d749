"""A classifier of cell types whose answers are known, results like its, and files with a user's own types."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
from pynwb import NWBHDF5IO

from ndx_cinac.cell_types import default_cell_types, read_cell_types
from ndx_cinac.prediction.options import Predicted
from ndx_cinac.recording import Source
from ndx_cinac.results import CellTypeResult, ClassifierInfo
from ndx_cinac.testing.mock import MockLayout, mock_CellTypeAnnotations, mock_nwbfile_with_movie, rois_of

KIND = "row numbers"
"""What the card of the tests' classifiers asks for."""

TYPES = ("interneuron", "pyramidal", "noise")


def predict_row_numbers(recording, classifier, options, progress, journal=None):
    """The engine of the tests' classifiers: their network is given the number of each row."""
    rows = recording.require_rois().kept
    progress("predicting cell types", len(rows), len(rows))
    network = classifier.network()
    return Predicted(
        np.asarray(network(rows.astype(np.float32)[:, None])), "CPU", {"kind": KIND}, ("A note.",)
    )


def save_cell_type_classifier(folder: Path, classes=TYPES, *, types=True, name="rows") -> Path:
    """Save a network that gives row r of an ROI table the type r modulo their number; one: odd rows."""
    from ndx_cinac.classifiers import ModelCard, save_classifier
    from ndx_cinac.networks import keras

    n = len(classes)
    rows = keras.Input((1,))
    if n == 1:
        values = keras.ops.sigmoid(2 * (rows % 2) - 1)
    else:
        values = keras.ops.softmax(-4 * keras.ops.abs(rows % n - np.arange(n, dtype=np.float32)))
    card = ModelCard(
        name=name,
        version="0.1",
        task="cell_type",
        description="A network for tests.",
        definition="the cell is of this type",
        inputs={"kind": KIND},
        classes=tuple(classes),
        cell_types=read_cell_types(default_cell_types()).to_dict() if types else {},
    )
    save_classifier(keras.Model(rows, values), card, folder)
    return folder


def write_annotated(path: Path, n_rois: int = 6, n_frames: int = 60) -> Path:
    """Write a file whose user has typed the cells: in a table of annotations and in a column of the ROIs."""
    nwbfile = mock_nwbfile_with_movie(n_rois, n_frames, layout=MockLayout(stored_traces=True))
    rois = rois_of(nwbfile)
    labels = ["pyr" if row % 2 else "int" for row in range(n_rois)]
    rois.add_column(name="my_cell_type", description="What I think.", data=labels)
    module = nwbfile.create_processing_module("cinac", "My own.")
    module.add(mock_CellTypeAnnotations(rois))
    with NWBHDF5IO(path, "w") as io:
        io.write(nwbfile)
    return path


def info(name: str) -> ClassifierInfo:
    """What a result says of a classifier of cell types."""
    return ClassifierInfo(
        name, "cell_type", "1", hashlib.sha256(name.encode()).hexdigest(), "For tests.", "{}"
    )


def cell_type_result(
    labels: dict[int, str], types=TYPES, *, classifier="first", confidence=0.8, table="table"
) -> CellTypeResult:
    """Make a result that says of each row which type it is."""
    rows = np.array(sorted(labels), dtype=np.int64)
    codes = np.array([types.index(labels[row]) for row in rows.tolist()], dtype=np.int64)
    values = np.full((len(rows), len(types)), (1 - confidence) / (len(types) - 1), np.float32)
    values[np.arange(len(rows)), codes] = confidence
    return CellTypeResult(
        probabilities=values,
        cell_types=tuple(types),
        codes=codes,
        confidence=values[np.arange(len(rows)), codes],
        roi_rows=rows,
        roi_ids=rows + 100,
        classifiers=(info(classifier),),
        classifier_index=np.zeros(len(rows), np.int64),
        source=Source(None, "file", "movie", "movie-id", "rois", table),
    )
