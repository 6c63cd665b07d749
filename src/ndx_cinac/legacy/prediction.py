"""Prediction with legacy classifiers: activity frame by frame, and types of cells."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..classifiers import Classifier
from ..deepcinac.patches import FLIPS
from ..deepcinac.windows import active_windows, merge_windows, window_starts
from ..errors import ClassifierError, PredictionError
from ..journal import Journal
from ..prediction import PredictionOptions
from ..progress import Progress, silent
from ..recording import CinacRecording
from .run import BLOCK_BYTES, LegacyOptions, LegacyRun

ACTIVE_WINDOWS = "active-windows"
"""Name in a journal of the first frames of the windows that cell types are predicted from."""


def predict(
    recording: CinacRecording,
    classifier: Classifier,
    options: PredictionOptions,
    progress: Progress,
    journal: Journal | None = None,
) -> NDArray[np.float32]:
    """Predict the activity of a recording's ROIs with a legacy classifier: the engine of `predict_activity`.

    Windows overlap as the classifier's card says.

    Returns
    -------
    ndarray of float32, shape (n_frames, n_kept)
        For classifiers of several classes: 1 where the first class is the most probable, else 0.
    """
    used = LegacyOptions(
        overlap=float(classifier.card.inputs.get("overlap", LegacyOptions.overlap)),
        batch_size=options.batch_size,
        block_bytes=options.block_bytes or BLOCK_BYTES,
    )
    rows = recording.require_rois().kept
    probabilities = predict_activity(recording, classifier, rows, used, progress, journal=journal)
    return activity_of(probabilities).T.astype(np.float32)


def predict_activity(
    recording: CinacRecording,
    classifier: Classifier,
    rows: ArrayLike,
    options: LegacyOptions | None = None,
    progress: Progress = silent,
    *,
    journal: Journal | None = None,
) -> NDArray[np.float64]:
    """Predict the activity of some ROIs.

    Parameters
    ----------
    recording : CinacRecording
        Movie and ROIs; those that are not predicted still count as neighbours.
    classifier : Classifier
        A legacy classifier for activity.
    rows : array_like of int, shape (n_rows,)
        The ROIs to predict.
    options : LegacyOptions, optional
    progress : callable, optional
        Called as ``progress(stage, done, total)``, counting windows.
    journal : Journal, optional
        Keeps finished windows, and gives back those that an earlier run has finished.

    Returns
    -------
    ndarray of float64, shape (n_rows, n_frames, n_classes)
        Each class's probability from 0 to 1, the highest over all windows (and flips) that hold the frame.

    Raises
    ------
    ClassifierError
        If the classifier is for something else, or its network is refused.
    PredictionError
        If the movie is shorter than a window, or a row cannot be predicted.
    """
    options = options or LegacyOptions()
    _check(classifier, "activity", "frames")
    n_frames = recording.require_movie().n_frames
    starts = window_starts(n_frames, int(classifier.card.inputs["window"]), options.overlap)
    rows = np.atleast_1d(np.asarray(rows, dtype=np.int64))
    found = LegacyRun(recording, classifier, options).predict(rows, [starts] * len(rows), progress, journal)
    repeats = 1 + len(FLIPS) if options.augment else 1
    highest = options.overlap > 0 or options.augment
    merged = np.zeros((len(rows), n_frames, len(classifier.card.classes)))
    for index, windows in enumerate(found):
        by_frame = windows.reshape(*windows.shape[:2], -1)
        merged[index] = merge_windows(by_frame, np.repeat(starts, repeats), n_frames, keep_highest=highest)
    return merged


def activity_of(probabilities: NDArray[np.floating]) -> NDArray[np.float64]:
    """Make one value per frame of the classes of an activity classifier, as DeepCINAC did.

    Parameters
    ----------
    probabilities : ndarray, shape (..., n_classes)
        Of one class: active. Of two or three: active, fake transient, other.

    Returns
    -------
    ndarray of float64, shape (...)
        The probability itself of one class; of three, 1 where "active" is highest, else 0; of two, 1 where it
        is also 0.5 or more.

    Raises
    ------
    ClassifierError
        If there are more classes.
    """
    n_classes = probabilities.shape[-1]
    if n_classes == 1:
        return probabilities[..., 0].astype(np.float64)
    if n_classes > 3:
        what = (
            f"The classifier gives {n_classes} values for each frame; an activity classifier gives 1, 2 or 3"
        )
        raise ClassifierError(
            what, fix="Train it with the merge of Bin et al., without which one class has no meaning"
        )
    active = np.equal(probabilities[..., 0], probabilities.max(axis=-1))
    if n_classes == 2:
        active &= probabilities[..., 0] >= 0.5
    return np.asarray(active, dtype=np.float64)


def predict_cell_types(
    recording: CinacRecording,
    classifier: Classifier,
    rows: ArrayLike,
    n_windows: int = 2,
    options: LegacyOptions | None = None,
    progress: Progress = silent,
    *,
    journal: Journal | None = None,
) -> list[NDArray[np.float32]]:
    """Predict the types of some ROIs from the windows in which each is most active.

    Parameters
    ----------
    recording, rows, options, progress
        As in `predict_activity`.
    classifier : Classifier
        A legacy classifier for cell types.
    n_windows : int
        Windows to predict for each ROI, at most.
    journal : Journal, optional
        Keeps which windows are the most active, and those that are finished, for a run that goes on.

    Returns
    -------
    list of ndarray of float32, shape (n_predictions, n_classes)
        One array for each ROI; one prediction for each window, the most active first, followed by those of
        its flips.

    Raises
    ------
    ClassifierError, PredictionError
        As `predict_activity`, and if `n_windows` is below 1.
    """
    options = options or LegacyOptions()
    _check(classifier, "cell_type", "windows")
    if n_windows < 1:
        what = f"A cell type cannot be predicted from {n_windows} windows"
        raise PredictionError(what, fix="Use at least one")
    rows = np.atleast_1d(np.asarray(rows, dtype=np.int64))
    window = int(classifier.card.inputs["window"])
    window_starts(recording.require_movie().n_frames, window, options.overlap)  # before frames are read
    kept = None if journal is None else journal.load(ACTIVE_WINDOWS)
    if kept is not None:
        starts = np.split(kept["starts"], np.cumsum(kept["counts"])[:-1])
    else:
        traces = recording.get_smooth_traces(normalized=True)
        starts = [active_windows(traces[row], window, options.overlap, n_windows) for row in rows]
        if journal is not None and starts:
            counts = np.array([len(each) for each in starts])
            journal.keep(ACTIVE_WINDOWS, starts=np.concatenate(starts), counts=counts)
    return LegacyRun(recording, classifier, options).predict(rows, starts, progress, journal)


def _check(classifier: Classifier, task: str, outputs: str) -> None:
    """Refuse a classifier that does not predict what is asked for."""
    card = classifier.card
    where = str(classifier.folder)
    if card.inputs["kind"] != "legacy patches" or card.task != task:
        what = f"Classifier '{card.name}' is not a legacy classifier for {task.replace('_', ' ')}"
        raise ClassifierError(what, where=where)
    if card.inputs.get("outputs", outputs) != outputs:
        what = f"Classifier '{card.name}' decides on {card.inputs['outputs']}, where {outputs} are asked for"
        raise ClassifierError(what, where=where, fix="Train it with the merge of Bin et al.")
