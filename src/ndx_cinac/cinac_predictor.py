"""DeepCINAC's documented interface for predictions, name for name, on the engine of ndx-cinac."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Sequence
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .cell_types import (
    fusion_cell_type_predictions,
    fusion_cell_type_predictions_by_type,
    read_cell_type_categories_yaml_file,
    select_activity_classifier_on_cell_type_outputs,
)
from .cinac_structures import (
    CinacDataMovie,
    CinacMovie,
    CinacRecording,
    CinacTiffMovie,
    create_cinac_recording_from_cinac_file_segment,
)
from .deepcinac.engine import RunOptions
from .deepcinac.evaluation import (
    activity_predictions_from_cinac_files,
    evaluate_cell_type_predictions,
)
from .deepcinac.models import predict_cell_type_from_model, predict_transient_from_model
from .deepcinac.movie_patch_data import (
    MoviePatchData,
    load_data_for_cell_type_prediction,
    load_data_for_prediction,
)
from .deepcinac.result_files import ResultFiles
from .deepcinac.runs import ModelFilesDict, Outcome, new_cell_indices, plan_run
from .errors import ConfigError
from .extras import require
from .progress import Progress, ProgressBars, silent

__all__ = [
    "TF_VERSION",
    "CinacDataMovie",
    "CinacMovie",
    "CinacPredictor",
    "CinacRecording",
    "CinacTiffMovie",
    "MoviePatchData",
    "activity_predictions_from_cinac_files",
    "create_cinac_recording_from_cinac_file_segment",
    "evaluate_cell_type_predictions",
    "fusion_cell_type_predictions",
    "fusion_cell_type_predictions_by_type",
    "load_data_for_cell_type_prediction",
    "load_data_for_prediction",
    "np",  # scripts with a star import have these two from DeepCINAC, whose own demonstrations rely on it
    "os",
    "predict_cell_type_from_model",
    "predict_transient_from_model",
    "read_cell_type_categories_yaml_file",
    "select_activity_classifier_on_cell_type_outputs",
]

logger = logging.getLogger(__name__)

OTHER_OPTIONS = ("use_data_augmentation", "cell_type_config_file")
"""What `CinacPredictor.predict` takes besides its documented parameters."""


TF_VERSION: str
"""Version of TensorFlow; found when it is asked for."""


def __getattr__(name: str) -> Any:
    if name != "TF_VERSION":
        message = f"module '{__name__}' has no attribute '{name}'"
        raise AttributeError(message)
    try:
        found = version("tensorflow")  # nobody has to wait for its import to know
    except PackageNotFoundError:
        found = require("tensorflow", extra="predict", feature="TF_VERSION").__version__
    globals()[name] = found
    return found


class CinacPredictor:
    """Predicts activity or cell types in one or more recordings, with one or more classifiers each.

    Parameters
    ----------
    verbose : int, default: 0
        Above 0 the time that each recording takes is logged.
    """

    def __init__(self, verbose: int = 0) -> None:
        self.recordings: list[tuple[CinacRecording, ModelFilesDict | None, ArrayLike | None]] = []
        self.verbose = verbose

    def add_recording(
        self,
        cinac_recording: CinacRecording,
        model_files_dict: ModelFilesDict | None = None,
        removed_cells_mapping: ArrayLike | None = None,
    ) -> None:
        """Add a recording that is to be predicted.

        Parameters
        ----------
        cinac_recording : CinacRecording
            Movie and ROIs.
        model_files_dict : dict, optional
            Keys are (model file, weights file, identifier): a classifier of DeepCINAC (.json and .h5), or one
            of ndx-cinac, by name or folder, with an empty weights file. Values are the cells that it
            predicts, None for all. Cells in none of them stay 0. By default the bundled activity classifier
            predicts all cells.
        removed_cells_mapping : array_like of int, optional
            For each original cell its row in the recording, -1 if it was removed. Cells are then given and
            returned by their original numbers.
        """
        self.recordings.append((cinac_recording, model_files_dict, removed_cells_mapping))

    @staticmethod
    def get_new_cell_indices_if_cells_removed(
        cell_indices_array: ArrayLike, removed_cells_mapping: ArrayLike | None
    ) -> tuple[NDArray[Any], NDArray[Any]]:
        """Find cells again after some were removed.

        Parameters
        ----------
        cell_indices_array : array_like of int
            Numbers of cells before.
        removed_cells_mapping : array_like of int or None
            The new number of each cell, -1 for one that was removed. None: no cell was.

        Returns
        -------
        new_cell_indices_array, original_cell_indices_mapping : ndarray of int
            New and old number of each cell that is left.
        """
        return new_cell_indices(cell_indices_array, removed_cells_mapping)

    def predict(  # noqa: PLR0913 - DeepCINAC's signature
        self,
        results_path: str | os.PathLike[str] | None,
        overlap_value: float = 0.5,
        output_file_formats: str | Sequence[str] = "npy",
        cell_type_classifier_mode: bool = False,
        n_segments_to_use_for_prediction: int = 2,
        cell_type_pred_fct: Callable[..., Any] = np.mean,
        create_dir_for_results: bool = True,
        cell_buffer: float | None = None,
        all_pixels: bool = True,
        time_verbose: bool = True,
        **kwargs: Any,
    ) -> dict[tuple[str, str], NDArray[np.float64]]:
        """Predict all recordings that were added.

        Parameters
        ----------
        results_path : str or path or None
            Folder for the results; None to write nothing.
        overlap_value : float, default: 0.5
            Share of a window that the next one has too, from 0 to below 1.
        output_file_formats : str or sequence of str, default: "npy"
            "npz" or "npy" (both come to .npz) and "mat" hold the arrays `predictions` and `cells`, the cells
            that were predicted. "nwb" holds the predictions of these cells only, as the types of ndx-cinac.
        cell_type_classifier_mode : bool, default: False
            Whether cell types are predicted rather than activity.
        n_segments_to_use_for_prediction : int, default: 2
            For cell types: how many windows, the most active ones, are predicted and averaged.
        cell_type_pred_fct : callable, default: numpy.mean
            For cell types: what averages the windows; called with ``axis=0`` for more than one type.
        create_dir_for_results : bool, default: True
            Whether the files go to a new folder in `results_path`, named by date and time.
        cell_buffer : float, optional
            Pixels by which outlines are widened. For activity only, as in DeepCINAC.
        all_pixels : bool, default: True
            For cell types: whether the classifier has an input of all pixels. What the classifier was built
            for counts; one that needs them is given them.
        time_verbose : bool, default: True
            Whether progress is shown and the time of each prediction logged.
        **kwargs
            ``use_data_augmentation`` (bool): activity is also predicted from flipped patches, and the highest
            value counts. ``cell_type_config_file`` (path): names of the cell types, for NWB files.

        Returns
        -------
        dict of (recording identifier, classifier identifiers) to ndarray
            Activity, shape (n_cells, n_frames); or cell types, shape (n_cells, n_types), (n_cells,) for a
            binary classifier. From 0 to 1; 0 also for cells that were not predicted.

        Raises
        ------
        ConfigError, OutputError, ClassifierError, PredictionError
            If something is wrong with options, files or recordings; found before any prediction where
            possible.
        """
        for name in kwargs:
            if name not in OTHER_OPTIONS:
                logger.warning("CinacPredictor.predict does not know the option '%s'; it has no effect", name)
        options = RunOptions(
            overlap=overlap_value,
            buffer=cell_buffer,
            augment=bool(kwargs.get("use_data_augmentation", False)),
            cell_types=cell_type_classifier_mode,
            n_windows=n_segments_to_use_for_prediction,
            combine=cell_type_pred_fct,
            all_pixels=all_pixels,
            log_time=time_verbose,
        )
        files = ResultFiles(results_path, output_file_formats, dated=create_dir_for_results)
        runs = [plan_run(*recording, options) for recording in self.recordings]
        _check_unique([run.key for run in runs])
        progress: Progress = ProgressBars() if time_verbose else silent
        found = {}
        for run in runs:
            outcome = run.predict(progress)
            if self.verbose > 0:
                logger.info("Time to predict %d cells: %.3f s", len(run.cells), outcome.seconds)
            write_nwb = partial(_write_nwb, outcome, kwargs.get("cell_type_config_file"))
            files.save(run.file_name, outcome.arrays, write_nwb)
            found[run.key] = outcome.predictions
        return found


def _write_nwb(outcome: Outcome, config_file: str | os.PathLike[str] | None, path: Path) -> None:
    from .deepcinac.nwb import write_activity, write_cell_types

    if len(outcome.run.cells) == 0:
        logger.warning("No cell was predicted: %s is not written", path)
        return
    if outcome.run.options.cell_types:
        write_cell_types(path, outcome, config_file)
    else:
        write_activity(path, outcome)


def _check_unique(keys: list[tuple[str, str]]) -> None:
    """Refuse two results of the same name before one replaces the other."""
    for key in keys:
        if keys.count(key) > 1:
            what = f"Two recordings are called '{key[0]}' and predicted with '{key[1]}'"
            raise ConfigError(what, fix="Give each recording an identifier of its own")
