"""How `CinacPredictor` gets at classifiers and predicts some rows of a recording with one of them."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..classifiers import Classifier, load_classifier
from ..errors import ClassifierError
from ..legacy import load_legacy
from ..legacy.run import LegacyOptions
from ..progress import Progress
from ..recording import CinacRecording

logger = logging.getLogger(__name__)


FilePath = str | os.PathLike[str]


@dataclass(frozen=True)
class RunOptions:
    """How cells are predicted; the defaults are those of `CinacPredictor.predict`.

    Attributes
    ----------
    overlap : float
        Share of a window that the next one has too, from 0 to below 1.
    buffer : float or None
        Pixels by which outlines are widened, for activity.
    augment : bool
        Whether flipped patches are predicted too.
    cell_types : bool
        Whether cell types are predicted rather than activity.
    n_windows : int
        Windows that are predicted for a cell type, the most active ones.
    combine : callable
        What makes one prediction of theirs.
    all_pixels : bool
        What the caller believes of the classifier's inputs; those that it has are what counts.
    log_time : bool
        Whether the time is logged.
    one_by_one : bool
        As in `LegacyOptions`, for activity.
    """

    overlap: float = 0.5
    buffer: float | None = None
    augment: bool = False
    cell_types: bool = False
    n_windows: int = 2
    combine: Callable[..., Any] = np.mean
    all_pixels: bool = True
    log_time: bool = False
    one_by_one: bool = False

    def to_dict(self) -> dict[str, Any]:
        """Return the options as JSON types."""
        return {**asdict(self), "combine": getattr(self.combine, "__name__", repr(self.combine))}


def classifier_for(model: FilePath, weights: FilePath, options: RunOptions, name: str = "") -> Classifier:
    """Load a classifier for the task that is asked for.

    Parameters
    ----------
    model, weights : str or path
        DeepCINAC's .json and .h5; or the name or folder of a classifier of ndx-cinac, and nothing.
    options : RunOptions
        Which task.
    name : str, optional
        What a classifier of DeepCINAC is to be called in NWB files.

    Raises
    ------
    ClassifierError
        If it cannot be loaded, or predicts something else.
    """
    if os.fspath(weights):
        classifier: Classifier = load_legacy(Path(model), Path(weights), name=name or None)
    else:
        classifier = load_classifier(os.fspath(model))
    task = "cell_type" if options.cell_types else "activity"
    if classifier.card.task != task:
        found, asked = classifier.card.task.replace("_", " "), task.replace("_", " ")
        what = f"Classifier '{classifier.card.name}' predicts {found}, and {asked} is asked for"
        raise ClassifierError(
            what, where=os.fspath(model), fix="Set cell_type_classifier_mode as it is needed"
        )
    return classifier


def predict_activity_rows(
    recording: CinacRecording,
    classifier: Classifier,
    rows: NDArray[np.int64],
    options: RunOptions,
    progress: Progress,
) -> NDArray[np.float64]:
    """Predict the activity of some ROIs, shape (n_rows, n_frames)."""
    if classifier.card.inputs["kind"] != "legacy patches":
        return _from_traces(recording, classifier, rows, progress)
    from ..legacy.prediction import activity_of, predict_activity

    with _timed(len(rows), options):
        legacy = LegacyOptions(
            overlap=options.overlap,
            augment=options.augment,
            buffer=options.buffer,
            one_by_one=options.one_by_one,
        )
        return activity_of(predict_activity(recording, classifier, rows, legacy, progress))


def predict_cell_type_rows(
    recording: CinacRecording,
    classifier: Classifier,
    rows: NDArray[np.int64],
    options: RunOptions,
    progress: Progress,
) -> NDArray[np.float64]:
    """Predict the types of some ROIs, shape (n_rows, n_types), or (n_rows,) by a binary classifier."""
    from ..legacy.prediction import predict_cell_types

    if not options.all_pixels and "all" in classifier.card.inputs["inputs"]:
        logger.warning("Classifier '%s' needs all pixels and is given them", classifier.card.name)
    with _timed(len(rows), options):
        legacy = LegacyOptions(overlap=options.overlap, augment=options.augment)
        found = predict_cell_types(recording, classifier, rows, options.n_windows, legacy, progress)
    if len(classifier.card.classes) == 1:
        return np.array([options.combine(windows) for windows in found], dtype=np.float64)
    return np.array([options.combine(windows, axis=0) for windows in found], dtype=np.float64)


@contextmanager
def _timed(n_cells: int, options: RunOptions) -> Iterator[None]:
    """Log how long the block took, if that is wanted."""
    started = time.perf_counter()
    yield
    if options.log_time:
        seconds = time.perf_counter() - started
        logger.info("Time to get predictions for %d cells: %.3f s", n_cells, seconds)


def _from_traces(
    recording: CinacRecording, classifier: Classifier, rows: NDArray[np.int64], progress: Progress
) -> NDArray[np.float64]:
    """Predict with a classifier of ndx-cinac; the other ROIs still count as neighbours."""
    from ..prediction import predict_recording

    rois = recording.require_rois()
    others: Mapping[int, str] = {int(row): "it was not asked for" for row in np.setdiff1d(rois.usable, rows)}
    chosen = replace(recording, rois=replace(rois, unselected=others))
    result = predict_recording(chosen, classifier, progress=progress)
    columns = np.searchsorted(result.roi_rows, rows)
    return result.probabilities.T[columns].astype(np.float64)
