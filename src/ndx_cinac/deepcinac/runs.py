"""One recording with its classifiers and cells: planned and checked first, then predicted into one array."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..classifiers import Classifier
from ..errors import ClassifierError, PredictionError
from ..progress import Progress
from ..recording import CinacRecording
from .engine import RunOptions, classifier_for, predict_activity_rows, predict_cell_type_rows
from .windows import window_starts

logger = logging.getLogger(__name__)

ModelFilesDict = Mapping[tuple[str, str, str], ArrayLike | None]

DEFAULT_CLASSIFIER = "activity-sim"


@dataclass(frozen=True)
class Assignment:
    """The cells that one classifier predicts.

    Attributes
    ----------
    classifier : Classifier
        The classifier.
    cells : ndarray of int, shape (n,)
        Numbers of the cells in the results.
    rows : ndarray of int, shape (n,)
        Their rows in the recording: other than `cells` where cells were removed from it.
    """

    classifier: Classifier
    cells: NDArray[np.int64]
    rows: NDArray[np.int64]


@dataclass(frozen=True)
class Outcome:
    """What came of one recording.

    Attributes
    ----------
    predictions : ndarray of float
        Activity, shape (n_cells, n_frames); or cell types, shape (n_cells, n_types), (n_cells,) from a binary
        classifier. Cells that were not predicted are 0.
    run : PlannedRun
        What was asked for.
    seconds : float
        How long it took.
    """

    predictions: NDArray[np.float64]
    run: PlannedRun
    seconds: float

    @property
    def arrays(self) -> dict[str, NDArray[Any]]:
        """What .npz and .mat files hold."""
        return {"predictions": self.predictions, "cells": self.run.cells}


@dataclass(frozen=True)
class PlannedRun:
    """One recording, and which classifier predicts which of its cells.

    Attributes
    ----------
    recording : CinacRecording
        Movie and ROIs.
    identifier : str
        Identifiers of the classifiers, joined by "_".
    assignments : tuple of Assignment
        In the order in which they were given; a later one has a cell that two are given.
    n_cells : int
        Number of cells in the results.
    options : RunOptions
        How legacy classifiers are used.
    """

    recording: CinacRecording
    identifier: str
    assignments: tuple[Assignment, ...]
    n_cells: int
    options: RunOptions

    @property
    def key(self) -> tuple[str, str]:
        """The recording's and the classifiers' identifiers."""
        return self.recording.identifier, self.identifier

    @property
    def file_name(self) -> str:
        """Name of the result's files, without extension."""
        kind = "cell_type_predictions" if self.options.cell_types else "predictions"
        return f"{self.recording.identifier}_{kind}_{self.identifier}"

    @property
    def cells(self) -> NDArray[np.int64]:
        """Numbers of the cells that are predicted, each once, in the order in which they were given."""
        listed = [int(cell) for assignment in self.assignments for cell in assignment.cells]
        return np.array(list(dict.fromkeys(listed)), dtype=np.int64)

    def predict(self, progress: Progress) -> Outcome:
        """Predict all cells."""
        started = time.perf_counter()
        predictions = self._empty()
        for assignment in self.assignments:
            if len(assignment.cells) == 0:
                continue
            predict = predict_cell_type_rows if self.options.cell_types else predict_activity_rows
            found = predict(self.recording, assignment.classifier, assignment.rows, self.options, progress)
            predictions[assignment.cells] = found
        return Outcome(predictions, self, time.perf_counter() - started)

    def _empty(self) -> NDArray[np.float64]:
        """Make the array of results, all 0."""
        if not self.options.cell_types:
            return np.zeros((self.n_cells, self.recording.get_n_frames()))
        widths = {len(assignment.classifier.card.classes) for assignment in self.assignments}
        width = widths.pop() if widths else 1
        return np.zeros(self.n_cells) if width == 1 else np.zeros((self.n_cells, width))


def plan_run(
    recording: CinacRecording,
    model_files_dict: ModelFilesDict | None,
    removed_cells_mapping: ArrayLike | None,
    options: RunOptions,
) -> PlannedRun:
    """Load the classifiers and find the cells of a recording; everything that can be wrong is found here.

    Raises
    ------
    ClassifierError
        If a classifier cannot be loaded, or is not for what is asked.
    PredictionError
        If the recording has no movie or ROIs, or a cell is not there.
    """
    recording.require_movie()
    n_rows = len(recording.require_rois())
    mapping = np.arange(n_rows) if removed_cells_mapping is None else np.asarray(removed_cells_mapping)
    if mapping.ndim != 1 or (mapping >= n_rows).any():
        what = f"removed_cells_mapping leads to cell {mapping.max()}, but the recording has {n_rows} ROIs"
        raise PredictionError(what, where=f"recording '{recording.identifier}'")
    if model_files_dict is None:
        model_files_dict = {(DEFAULT_CLASSIFIER, "", DEFAULT_CLASSIFIER): None}
    assignments = []
    for (model, weights, name), cells in model_files_dict.items():
        classifier = classifier_for(model, weights, options, name)
        assignments.append(_assign(recording, classifier, cells, mapping))
    _check_together(assignments, recording.get_n_frames(), options)
    identifier = "_".join(key[2] for key in model_files_dict)
    return PlannedRun(recording, identifier, tuple(assignments), max(n_rows, len(mapping)), options)


def _check_together(assignments: list[Assignment], n_frames: int, options: RunOptions) -> None:
    """Refuse windows that do not fit the movie, and classifiers whose results do not fit together."""
    for assignment in assignments:
        inputs = assignment.classifier.card.inputs
        if inputs["kind"] == "legacy patches":
            window_starts(n_frames, int(inputs["window"]), options.overlap)
    widths = {len(assignment.classifier.card.classes) for assignment in assignments}
    if options.cell_types and len(widths) > 1:
        what = f"The classifiers predict different numbers of cell types: {sorted(widths)}"
        raise ClassifierError(what, fix="Predict with each in a run of its own")


def new_cell_indices(
    cells: ArrayLike, removed_cells_mapping: ArrayLike | None
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Rows in a recording from which cells were removed, and the numbers that these cells had before.

    Parameters
    ----------
    cells : array_like of int
        Numbers of cells before.
    removed_cells_mapping : array_like of int or None
        The new number of each cell, -1 for one that was removed. None: no cell was.

    Returns
    -------
    new, original : ndarray of int
        New and old number of each cell that is left.
    """
    original = np.array(cells)
    if removed_cells_mapping is None:
        return original.copy(), original
    new = np.asarray(removed_cells_mapping)[original]
    return new[new >= 0], original[new >= 0]


def _assign(
    recording: CinacRecording, classifier: Classifier, cells: ArrayLike | None, mapping: NDArray[Any]
) -> Assignment:
    """Find the rows of the cells that a classifier is given; None means all that can be predicted."""
    rois = recording.require_rois()
    where = f"recording '{recording.identifier}'"
    asked = np.arange(len(mapping)) if cells is None else np.asarray(cells).ravel()
    whole = len(asked) == 0 or np.issubdtype(asked.dtype, np.integer)
    if not whole or (asked < 0).any() or (asked >= len(mapping)).any():
        what = f"The cells to predict are {asked.tolist()}, but there are {len(mapping)} cells"
        raise PredictionError(what, where=where, fix="Cells are counted from 0")
    rows, numbers = new_cell_indices(asked.astype(np.int64), mapping)
    usable = np.isin(rows, rois.kept if cells is None else rois.usable)
    for row in rows[~usable] if cells is not None else ():
        reason = rois.skipped.get(int(row), "it cannot be used")
        logger.warning("ROI %d of %s is not predicted: %s", row, where, reason)
    if not usable.any():
        logger.warning("No cells of %s are predicted with '%s'", where, classifier.card.name)
    return Assignment(classifier, numbers[usable], rows[usable])
