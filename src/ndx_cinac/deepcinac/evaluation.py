"""Predictions of the annotated segments in .cinac files, and how right predicted cell types are."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..cell_types import CellTypeConfig, read_cell_types
from ..cinac_files import CinacFile
from ..cinac_structures import create_cinac_recording_from_cinac_file_segment
from ..classifiers import Classifier
from ..errors import ConfigError, MissingExtraError, ReadingError
from ..evaluation import AnnotatedPredictions, CellTypeEvaluation, EvaluationOptions, evaluate_activity
from ..progress import silent
from ..recording import Times
from .engine import RunOptions, classifier_for, predict_activity_rows, predict_cell_type_rows
from .result_files import check_folder, check_formats, save_arrays

logger = logging.getLogger(__name__)

EVALUATED_WINDOWS = 4
"""Windows of each segment that are averaged when cell types are evaluated, as in DeepCINAC."""


def activity_predictions_from_cinac_files(
    cinac_dir_name: str | os.PathLike[str],
    results_path: str | os.PathLike[str],
    json_file_name: str | os.PathLike[str],
    weights_file_name: str | os.PathLike[str],
    classifier_id: str | None = None,
    output_file_formats: str | Sequence[str] = "npy",
) -> dict[str, NDArray[np.float64]]:
    """Predict the annotated segments of all .cinac files in a folder, and say how right that is.

    How well predictions agree with the annotations, outside of doubtful frames, is logged as Markdown: what
    `ndx_cinac.evaluation.evaluate_activity` finds at the classifier's threshold. That needs scikit-learn.

    Parameters
    ----------
    cinac_dir_name : str or path
        Folder with the .cinac files; those in its subfolders are left alone.
    results_path : str or path
        Folder for the results: ``NAME_predictions.npy`` or, with a `classifier_id`,
        ``NAME_predictions_ID.npy``.
    json_file_name, weights_file_name : str or path
        A classifier of DeepCINAC (.json and .h5); or a classifier of ndx-cinac and an empty weights file.
    classifier_id : str, optional
        Goes into the files' names.
    output_file_formats : str or sequence of str, default: "npy"
        "npy" holds the array alone, "npz" and "mat" hold it as `predictions`.

    Returns
    -------
    dict of str to ndarray, shape (n_cells, n_frames)
        By the file's name: activity from 0 to 1; 0 outside of segments. A file that does not say how many
        cells and frames its movie has cannot be predicted, which is logged.

    Raises
    ------
    ConfigError
        If a format is not one of these.
    OutputError, ReadingError, ClassifierError, PredictionError
        If a folder, a file, the classifier or a segment cannot be used.
    """
    formats = check_formats(output_file_formats)
    if "nwb" in formats:
        what = "Predictions of segments alone cannot be written as NWB: between them nothing is known"
        raise ConfigError(what, fix="Convert the .cinac file with convert_cinac and predict its movies")
    # .cinac files hold pixels as recorded, where the rounding of larger batches shows
    folder, options = check_folder(results_path), RunOptions(one_by_one=True)
    classifier = classifier_for(json_file_name, weights_file_name, options)
    found, known = {}, []
    for path in _cinac_files(cinac_dir_name):
        with CinacFile(path) as file:
            predictions = _predict_segments(file, classifier, options)
            if predictions is None:
                continue
            known.append(_beside_annotations(file, predictions, classifier))
        found[file.name] = predictions
        name = "_".join(filter(None, [file.name, "predictions", classifier_id]))
        for kind in formats:
            _save(folder / f"{name}.{kind}", predictions)
    _log_scores(known)
    return found


def evaluate_cell_type_predictions(
    cinac_dir_name: str | os.PathLike[str],
    cell_type_yaml_file: str | os.PathLike[str],
    results_path: str | os.PathLike[str] | None,
    json_file_name: str | os.PathLike[str],
    weights_file_name: str | os.PathLike[str],
    save_cell_type_distribution: bool,
    all_pixels: bool = False,
) -> CellTypeEvaluation:
    """Predict the cell types of all annotated segments in a folder of .cinac files, and compare.

    Parameters
    ----------
    cinac_dir_name : str or path
        Folder with the .cinac files; those in its subfolders are left alone.
    cell_type_yaml_file : str or path
        The classifier's cell types, see `read_cell_types`.
    results_path : str or path or None
        Folder for the figures; may be None without `save_cell_type_distribution`.
    json_file_name, weights_file_name : str or path
        The classifier (.json and .h5).
    save_cell_type_distribution : bool
        Whether to draw the distribution of the probabilities of each cell type.
    all_pixels : bool, default: False
        As in `CinacPredictor.predict`.

    Returns
    -------
    CellTypeEvaluation
        Predictions and metrics, which are logged, too.

    Raises
    ------
    ConfigError
        If there are fewer than two types, or not those of the classifier.
    OutputError, ReadingError, ClassifierError, PredictionError
        If a folder, a file, the classifier or a segment cannot be used.
    """
    config = read_cell_types(cell_type_yaml_file, using_multi_class=1)
    options = RunOptions(overlap=0, cell_types=True, n_windows=EVALUATED_WINDOWS, all_pixels=all_pixels)
    folder = check_folder(results_path) if save_cell_type_distribution and results_path is not None else None
    if save_cell_type_distribution and folder is None:
        what = "save_cell_type_distribution needs a results_path"
        raise ConfigError(what, fix="Give a folder")
    classifier = classifier_for(json_file_name, weights_file_name, options)
    if len(config.names) < 2 or len(classifier.card.classes) != config.n_outputs:
        n_outputs = len(classifier.card.classes)
        what = f"{len(config.names)} cell types are named; the classifier has {n_outputs} outputs"
        raise ConfigError(what, where=config.source, fix="Give the configuration that it was trained with")
    evaluation = _evaluate(_cinac_files(cinac_dir_name), config, classifier, options)
    logger.info("%s", evaluation.summary())
    if folder is not None:
        for path in evaluation.save_distributions(folder):
            logger.info("Wrote %s", path)
    return evaluation


def _evaluate(
    paths: list[Path], config: CellTypeConfig, classifier: Classifier, options: RunOptions
) -> CellTypeEvaluation:
    """Predict every segment whose cell type is known."""
    names, true, predictions, left_out = [], [], [], []
    for path in paths:
        with CinacFile(path) as file:
            for key in file.segments:
                name = f"{file.name}, {key.name}"
                recording = create_cinac_recording_from_cinac_file_segment(file.name, file, key)
                code = None if recording.cell_type is None else config.find(recording.cell_type)
                if code is None:
                    left_out.append(f"{name}: its cell type is {recording.cell_type or 'not known'}")
                    continue
                row = predict_cell_type_rows(recording, classifier, np.array([0]), options, silent)
                logger.info("%s [%s]: %s", name, recording.cell_type, row[0])
                names.append(name)
                true.append(code)
                predictions.append(row[0])
    shape = (len(true),) if config.n_outputs == 1 else (len(true), config.n_outputs)
    return CellTypeEvaluation(
        names=tuple(config.names[code] for code in range(len(config.names))),
        segments=tuple(names),
        true=np.array(true, dtype=np.int64),
        probabilities=np.array(predictions, dtype=np.float64).reshape(shape),
        left_out=tuple(left_out),
    )


def _predict_segments(
    file: CinacFile, classifier: Classifier, options: RunOptions
) -> NDArray[np.float64] | None:
    """Predict all segments of a file; None where it does not say how large its movie is."""
    full = file.full_data
    if full is None or full.n_frames is None or not file.n_cells:
        logger.warning("%s does not say how many cells and frames its movie has: not predicted", file.path)
        return None
    predictions = np.zeros((file.n_cells, full.n_frames))
    for key in file.segments:
        if key.cell >= file.n_cells or key.last_frame >= full.n_frames:
            what = f"The movie has {file.n_cells} cells and {full.n_frames} frames, not segment {key.name}"
            raise ReadingError(what, where=str(file.path))
        logger.info("Predicting %s, cell %d: %d - %d", file.name, *key)
        recording = create_cinac_recording_from_cinac_file_segment(file.name, file, key)
        row = predict_activity_rows(recording, classifier, np.array([0]), options, silent)
        predictions[key.cell, key.first_frame : key.last_frame + 1] = row[0]
    return predictions


def _beside_annotations(
    file: CinacFile, predictions: NDArray[np.float64], classifier: Classifier
) -> AnnotatedPredictions:
    """Put the predictions of the annotated cells beside what the segments say; a later segment counts."""
    n_frames = predictions.shape[1]
    rows = np.array(sorted({key.cell for key in file.segments}), np.int64)
    active, judged = np.zeros((n_frames, len(rows)), bool), np.zeros((n_frames, len(rows)), bool)
    for key in file.segments:
        segment = file.read_segment(key)
        part = slice(key.first_frame, key.last_frame + 1), int(np.searchsorted(rows, key.cell))
        active[part] = segment.active > 0
        judged[part] = True if segment.doubtful is None else segment.doubtful == 0
    return AnnotatedPredictions(
        name=file.name,
        roi_rows=rows,
        probabilities=predictions[rows].T.astype(np.float32),
        active=active,
        judged=judged,
        threshold=classifier.card.threshold,
        times=Times(n_frames),
        classifiers=(f"{classifier.card.name} {classifier.card.version}",),
    )


def _log_scores(known: list[AnnotatedPredictions]) -> None:
    """Log how well predictions agree with annotations; without scikit-learn, how to get that."""
    if not any(each.judged.any() for each in known):
        return
    try:
        report = evaluate_activity(known, EvaluationOptions(baselines=False, n_examples=0))
    except MissingExtraError as error:
        logger.warning("%s", error)
        return
    logger.info("%s", report.to_markdown())


def _save(path: Path, predictions: NDArray[np.float64]) -> None:
    if path.suffix == ".npy":
        np.save(path, predictions)
    else:
        save_arrays(path, {"predictions": predictions})


def _cinac_files(folder: str | os.PathLike[str]) -> list[Path]:
    """Return the .cinac files of a folder in the order of their names."""
    if not Path(folder).is_dir():
        what = "The folder with the .cinac files does not exist"
        raise ReadingError(what, where=str(folder))
    found = sorted(Path(folder).glob("*.cinac"))
    if not found:
        logger.warning("There are no .cinac files in %s", folder)
    return found
