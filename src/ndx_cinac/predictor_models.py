"""One cell at a time through a network of DeepCINAC's kind, for scripts that hold the network themselves."""

from __future__ import annotations

import logging
import time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .classifiers import Classifier
from .errors import ClassifierError
from .movie_patch_data import MoviePatchData, load_data_for_cell_type_prediction, load_data_for_prediction
from .patches import ACTIVITY_INPUTS, CELL_TYPE_INPUTS, FLIPS, InputName, PatchOptions, plan_patch
from .recording import CinacRecording
from .windows import merge_windows

logger = logging.getLogger(__name__)


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
        A network of DeepCINAC, as `ndx_cinac.legacy` loads it.
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
    network = _network(model)
    flips = FLIPS if use_data_augmentation else None
    length = network.inputs[0].shape[1]
    windows, starts = load_data_for_prediction(cinac_recording, cell, length, overlap_value, flips, n_frames)
    found = _predict(network, windows, ACTIVITY_INPUTS, buffer)
    found = found.reshape(*found.shape[:2], -1)
    highest = overlap_value > 0 or use_data_augmentation
    merged = merge_windows(found, np.asarray(starts), n_frames, keep_highest=highest)
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
    network = _network(model)
    if all_pixels and len(network.inputs) < len(CELL_TYPE_INPUTS):
        logger.debug("The network has no input of all pixels; all_pixels has no effect")
    flips = FLIPS if use_data_augmentation else None
    length, n_windows = network.inputs[0].shape[1], n_segments_to_use_for_prediction
    windows, _ = load_data_for_cell_type_prediction(
        cinac_recording, cell, length, overlap_value, flips, n_frames, n_windows
    )
    found = _predict(network, windows, CELL_TYPE_INPUTS, buffer)
    if verbose > 0:
        logger.info("Time to get predictions for cell %d: %.3f s", cell, time.perf_counter() - started)
    return found


def _network(model: Any) -> Any:
    return model.network() if isinstance(model, Classifier) else model


def _predict(
    network: Any, windows: list[MoviePatchData], names: tuple[InputName, ...], buffer: float | None
) -> NDArray[np.float32]:
    """Give a network the patches of one cell's windows."""
    if len(network.inputs) > len(names):
        what = f"The network has {len(network.inputs)} inputs; DeepCINAC's have at most {len(names)} for this"
        raise ClassifierError(what)
    _, length, height, width, _ = network.inputs[0].shape
    shown = names[: len(network.inputs)]
    recording, cell = windows[0].cinac_recording, windows[0].cell
    movie = recording.require_movie()
    options = PatchOptions(height, width, shown, rules="legacy", buffer=buffer)
    plan = plan_patch(recording.outlines, cell, (movie.shape[1], movie.shape[2]), options)
    given = np.zeros((len(shown), len(windows), length, height, width, 1), np.float32)
    for index, window in enumerate(windows):
        frames = movie.read(window.index_movie, window.index_movie + length)
        pixels = recording.normalization(plan.cut(frames))
        for which in range(len(shown)):
            given[which, index, ..., 0] = plan.fill(pixels, which, window.data_augmentation_fct)
    inputs = {tensor.name: patches for tensor, patches in zip(network.inputs, given, strict=True)}
    return np.asarray(network.predict(inputs, verbose=0))
