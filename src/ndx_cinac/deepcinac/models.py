"""One cell at a time through a network of DeepCINAC's kind, for scripts that hold the network themselves."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..classifiers import Classifier, ModelCard
from ..classifiers.cards import Task
from ..errors import ClassifierError
from ..legacy.run import LegacyOptions, LegacyRun
from ..progress import silent
from ..recording import CinacRecording
from .movie_patch_data import load_data_for_cell_type_prediction, load_data_for_prediction
from .patches import ACTIVITY_INPUTS, CELL_TYPE_INPUTS
from .windows import merge_windows

logger = logging.getLogger(__name__)


@dataclass
class _GivenNetwork(Classifier):
    """A network that a script holds; it has no files."""

    given: Any = None

    def network(self) -> Any:
        """Return the network."""
        return self.given


def predict_transient_from_model(  # noqa: PLR0913 - DeepCINAC's signature
    cinac_recording: CinacRecording,
    cell: int,
    model: Any,
    n_frames: int,
    overlap_value: float = 0.8,
    pixels_around: int = 0,  # noqa: ARG001 - in the documented interface
    use_data_augmentation: bool = False,
    buffer: float | None = None,
    time_verbose: bool = True,
) -> NDArray[np.float64]:
    """Predict the activity of one cell.

    Parameters
    ----------
    cinac_recording : CinacRecording
        Movie and ROIs.
    cell : int
        Row of the cell.
    model : keras.Model or Classifier
        A network of DeepCINAC, as `ndx_cinac.legacy.classifiers` loads it.
    n_frames : int
        Frames in the movie.
    overlap_value : float, default: 0.8
        Share of a window that the next one has too, from 0 to below 1. Where windows overlap, the highest
        value counts.
    pixels_around : int
        Has no effect, as in DeepCINAC.
    use_data_augmentation : bool, default: False
        Whether flipped patches are predicted too; the highest value counts.
    buffer : float, optional
        Pixels by which outlines are widened.
    time_verbose : bool, default: True
        Whether the time is logged.

    Returns
    -------
    ndarray of float, shape (n_frames, n_classes)
        From 0 to 1; shape (n_frames,) for one class without overlap and augmentation, as in DeepCINAC.
    """
    started = time.perf_counter()
    classifier = _classifier(model, "activity")
    window = int(classifier.card.inputs["window"])
    _, first = load_data_for_prediction(cinac_recording, cell, window, overlap_value, None, n_frames)
    options = LegacyOptions(overlap_value, use_data_augmentation, buffer)
    found = _predict(cinac_recording, cell, classifier, first, options)
    highest = overlap_value > 0 or use_data_augmentation
    starts = np.repeat(first, len(found) // len(first))
    merged = merge_windows(found.reshape(*found.shape[:2], -1), starts, n_frames, keep_highest=highest)
    if time_verbose:
        logger.info("Time to get predictions for cell %d: %.3f s", cell, time.perf_counter() - started)
    return merged if highest or merged.shape[1] > 1 else merged[:, 0]


def predict_cell_type_from_model(  # noqa: PLR0913 - DeepCINAC's signature
    cinac_recording: CinacRecording,
    cell: int,
    model: Any,
    n_frames: int,
    n_segments_to_use_for_prediction: int = 2,
    overlap_value: float = 0,
    pixels_around: int = 0,  # noqa: ARG001 - in the documented interface
    all_pixels: bool = False,
    use_data_augmentation: bool = False,
    buffer: float | None = None,
    verbose: int = 0,
) -> NDArray[np.float32]:
    """Predict the type of one cell from the windows in which it is most active.

    Parameters
    ----------
    cinac_recording, cell, model, n_frames, overlap_value, pixels_around, use_data_augmentation, buffer
        As in `predict_transient_from_model`.
    n_segments_to_use_for_prediction : int, default: 2
        How many windows are predicted.
    all_pixels : bool, default: False
        Whether the network has an input of all pixels. What it was built for counts.
    verbose : int, default: 0
        Above 0 the time is logged.

    Returns
    -------
    ndarray of float32, shape (n_windows, n_types)
        A prediction for each window, from 0 to 1; one column from a binary classifier.
    """
    started = time.perf_counter()
    classifier = _classifier(model, "cell_type")
    if all_pixels != ("all" in classifier.card.inputs["inputs"]):
        logger.debug("all_pixels is %s, the network decides otherwise", all_pixels)
    window, n_windows = int(classifier.card.inputs["window"]), n_segments_to_use_for_prediction
    _, first = load_data_for_cell_type_prediction(
        cinac_recording, cell, window, overlap_value, None, n_frames, n_windows
    )
    options = LegacyOptions(overlap_value, use_data_augmentation, buffer)
    found = _predict(cinac_recording, cell, classifier, first, options)
    if verbose > 0:
        logger.info("Time to get predictions for cell %d: %.3f s", cell, time.perf_counter() - started)
    return found


def _predict(
    recording: CinacRecording, cell: int, classifier: Classifier, first: list[int], options: LegacyOptions
) -> NDArray[np.float32]:
    """Predict the windows of one cell, each followed by its flips."""
    run = LegacyRun(recording, classifier, options)
    return run.predict(np.array([cell]), [np.array(first, dtype=np.int64)], silent)[0]


def _classifier(model: Any, task: Task) -> Classifier:
    """Return a classifier as it is, and a network with the card that its shape tells of."""
    if isinstance(model, Classifier):
        return model
    names = ACTIVITY_INPUTS if task == "activity" else CELL_TYPE_INPUTS
    if len(model.inputs) > len(names):
        what = f"The network has {len(model.inputs)} inputs; DeepCINAC's have at most {len(names)} for this"
        raise ClassifierError(what)
    _, window, height, width, _ = model.inputs[0].shape
    inputs = {"kind": "legacy patches", "window": window, "height": height, "width": width}
    inputs |= {"inputs": list(names[: len(model.inputs)]), "rules": "legacy"}
    card = ModelCard("network", "", task, "A network that was given as it is", "", inputs)
    return _GivenNetwork(card, Path(), given=model)
