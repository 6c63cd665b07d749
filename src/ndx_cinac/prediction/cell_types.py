"""From a recording to the probability that each ROI is of each cell type; everything is checked first."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..cell_types import CellTypeConfig, cell_types_of, read_cell_types
from ..classifiers import Classifier, check_fit, load_classifier
from ..errors import ClassifierError, ConfigError, PredictionError
from ..journal import Journal
from ..progress import Progress, silent
from ..recording import CinacRecording
from ..results import CellTypeResult
from .options import CellTypeOptions, Predicted
from .resumption import Keeping, journal_of
from .session import check_goal, check_recording, describe, left_out, opened, unfinished

if TYPE_CHECKING:
    from pynwb import NWBFile

    from ..reading import ReadingOptions
    from ..reading.opening import OpenedFile
    from ..writing import OutputOptions

DEFAULT_CLASSIFIER = "cell-type-sim"

JOURNAL = "cell_types"
"""Name of what is kept of a prediction of cell types, in its output's temporary folder."""

_log = logging.getLogger(__name__)


def predict_cell_types(
    source: str | Path | NWBFile | OpenedFile | CinacRecording,
    classifier: str | Path | Classifier = DEFAULT_CLASSIFIER,
    output: str | Path | OutputOptions | None = None,
    *,
    reading: ReadingOptions | None = None,
    options: CellTypeOptions | None = None,
    progress: Progress | None = None,
) -> CellTypeResult:
    """Predict each ROI's cell type in a calcium-imaging recording, and write that to an NWB file if asked.

    Parameters
    ----------
    source : str, Path, NWBFile, OpenedFile or CinacRecording
        What to predict: an NWB file (HDF5, or a Zarr folder), an NWBFile object, an asset of a DANDI archive
        that `dandi.open_asset` gives, or a recording that was read or made already.
    classifier : str, Path or Classifier
        Name of a bundled classifier, folder or zip of a classifier, or a loaded one, such as
        `ndx_cinac.legacy.load_legacy` gives for files of DeepCINAC.
    output : str, Path or OutputOptions, optional
        Where to write: a path alone means a copy of the source with the predictions in it. Nothing is written
        by default.
    reading : ReadingOptions, optional
        Which movie, segmentation and rows, and how their axes lie; not with a CinacRecording.
    options : CellTypeOptions, optional
        Names of the types, segments, memory and speed.
    progress : callable, optional
        Called as ``progress(stage, done, total)``.

    Returns
    -------
    CellTypeResult
        Probabilities, ROI by ROI, with the predicted types, rows and origin.

    Raises
    ------
    ClassifierError
        If the classifier cannot be found, is damaged, or is of another kind.
    OutputError
        If the output must not or cannot be written; refused before any work where that can be known.
    ReadingError
        If the source cannot be read.
    PredictionError
        If no ROI can be predicted, or the movie is too short.
    ConfigError
        If options contradict each other, or the types that are named are not those of the classifier.
    MissingExtraError
        If a package that is needed is not installed.
    """
    loaded, chosen = load_classifier(classifier), options or CellTypeOptions()
    check_classifier(loaded, chosen)
    goal = check_goal(source, output, ("cell_type",))
    with unfinished(source, goal) as folder:
        keeping = None if folder is None else Keeping(folder, JOURNAL)
        with opened(source, reading) as recording:
            result = predict_types_with(recording, loaded, chosen, progress or silent, keeping)
        if goal is None:
            return result
        from ..writing import write_predictions

        origin = None if isinstance(source, CinacRecording) else source
        return replace(result, output=write_predictions(result, goal, origin, folder=folder))


Engine = Callable[[CinacRecording, Classifier, CellTypeOptions, Progress, Journal | None], Predicted]


def _from_cell_features(
    recording: CinacRecording,
    classifier: Classifier,
    options: CellTypeOptions,
    progress: Progress,
    journal: Journal | None,
) -> Predicted:
    from ..cell_types.engine import predict

    return predict(recording, classifier, options, progress, journal)


def _from_legacy_patches(
    recording: CinacRecording,
    classifier: Classifier,
    options: CellTypeOptions,
    progress: Progress,
    journal: Journal | None,
) -> Predicted:
    from ..legacy.prediction import predict_cell_types
    from ..legacy.run import BLOCK_BYTES, LegacyOptions
    from ..networks import device_description

    used = LegacyOptions(
        overlap=options.overlap,
        augment=options.augment,
        batch_size=options.batch_size,
        block_bytes=options.block_bytes or BLOCK_BYTES,
    )
    rows = recording.require_rois().kept
    found = predict_cell_types(
        recording, classifier, rows, options.n_segments, used, progress, journal=journal
    )
    values = [np.asarray(options.combination(segments, axis=0)) for segments in found]
    return Predicted(np.stack(values).astype(np.float32), device_description())


_ENGINES: Mapping[str, Engine] = {
    "cell features": _from_cell_features,
    "legacy patches": _from_legacy_patches,
}
"""What a card's ``inputs["kind"]`` asks for; engines import TensorFlow, so they are imported when used."""


def check_classifier(classifier: Classifier, options: CellTypeOptions) -> tuple[Engine, CellTypeConfig]:
    """Return the engine that gives a classifier what its card asks for, and what its types are called.

    Raises
    ------
    ClassifierError
        If the classifier predicts something else, or asks for unknown inputs.
    ConfigError
        If the types that are named are not those of the classifier, or it takes no threshold.
    """
    card = classifier.card
    if card.task != "cell_type":
        what = f"Classifier '{card.name}' predicts {card.task}, not cell types"
        raise ClassifierError(what, where=str(classifier.folder))
    kind = card.inputs["kind"]
    if kind not in _ENGINES:
        what = f"Classifier '{card.name}' asks for inputs of kind '{kind}'; known are {', '.join(_ENGINES)}"
        raise ClassifierError(what, where=str(classifier.folder), fix="Update ndx-cinac")
    if options.threshold is not None and len(card.classes) > 1:
        what = f"Classifier '{card.name}' has an output for each type, and the most probable type is taken"
        raise ConfigError(what, fix="Leave the threshold out: it is for classifiers with one output")
    return _ENGINES[kind], types_of(classifier, options)


def types_of(classifier: Classifier, options: CellTypeOptions) -> CellTypeConfig:
    """Return what a classifier's types are called: as the options say, else its card, else its classes.

    Raises
    ------
    ConfigError
        If the options name another number of types, or the card's types in another order.
    """
    card = classifier.card
    n_outputs = len(card.classes)
    using = 1 if n_outputs == 1 else 2
    own = cell_types_of(card.cell_types, f"card of '{card.name}'", using) if card.cell_types else None
    if options.cell_types is not None:
        given = read_cell_types(options.cell_types, using).fit(n_outputs, card.name)
        for code, name in enumerate(given.ordered if own is not None else ()):
            found = own.find(name) if own is not None else None
            if found not in (None, code):
                order = ", ".join(own.ordered) if own is not None else ""
                what = f"'{name}' stands in place {code + 1}, but the types of '{card.name}' are {order}"
                raise ConfigError(what, where=given.source, fix="Name the types in the classifier's order")
        return given
    if own is not None:
        return own
    names: list[Any] = list(card.classes)
    if n_outputs == 1:
        names = [f"not {names[0]}", {names[0]: {"predicted_cell_type": True}}]
    content = {"config": {"multi_class": n_outputs > 1}, "cell_type_categories": names}
    return cell_types_of(content, f"card of '{card.name}'", using)


def predict_types_with(
    recording: CinacRecording,
    classifier: Classifier,
    options: CellTypeOptions,
    progress: Progress,
    keeping: Keeping | None = None,
) -> CellTypeResult:
    """Check a recording, run the engine, and put what came of it together.

    Parameters and errors are those of `predict_cell_types`; finished work is kept where `keeping` says.
    """
    started = time.perf_counter()
    engine, types = check_classifier(classifier, options)
    times, rois, card = check_recording(recording), recording.require_rois(), classifier.card
    threshold = card.threshold if options.threshold is None else float(options.threshold)
    name = f"{card.name} {card.version} (sha256 {classifier.fingerprint})"
    _log.info("Predicting the types of %d ROIs with %s.", len(rois.kept), name)
    journal = journal_of(keeping, recording, classifier, options)
    predicted = engine(recording, classifier, options, progress, journal)
    found = _checked(predicted.probabilities, (len(rois.kept), len(card.classes)), card.name)
    seconds = time.perf_counter() - started
    _log.info("Predicted with %s on %s in %.1f s.", name, predicted.device, seconds)
    probabilities, codes = by_type(found, threshold)
    notes = [*recording.notes, *check_fit(card, recording), *predicted.notes]
    used = {**options.to_dict(), "threshold": threshold if len(card.classes) == 1 else None}
    return CellTypeResult(
        probabilities=probabilities,
        cell_types=types.ordered,
        codes=codes,
        confidence=probabilities[np.arange(len(codes)), codes],
        roi_rows=rois.kept,
        roi_ids=rois.ids[rois.kept],
        classifiers=(classifier.info,),
        classifier_index=np.zeros(len(codes), np.int64),
        meanings=types.meanings,
        definition=card.definition,
        skipped=left_out(recording),
        parameters={
            **describe(recording, times),
            "options": used,
            "inputs": dict(card.inputs),
            "cell_types": types.to_dict(),
            **predicted.parameters,
        },
        device=predicted.device,
        source=recording.source,
        notes=tuple(notes),
        seconds=seconds,
    )


def by_type(outputs: NDArray[Any], threshold: float) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Make a probability for each type, and the predicted type, of a classifier's outputs.

    Parameters
    ----------
    outputs : ndarray, shape (n_rois, n_outputs)
        One output is the probability of the second of two types.
    threshold : float
        Of one output: at or above it the second type is predicted.

    Returns
    -------
    probabilities : ndarray of float32, shape (n_rois, n_types)
    codes : ndarray of int64, shape (n_rois,)
    """
    values = np.asarray(outputs, dtype=np.float32)
    if values.shape[1] > 1:
        return values, values.argmax(axis=1).astype(np.int64)
    return np.concatenate([1 - values, values], axis=1), (values[:, 0] >= threshold).astype(np.int64)


def _checked(values: NDArray[Any], shape: tuple[int, int], classifier: str) -> NDArray[np.float32]:
    """Refuse what is no probability for each ROI and output."""
    values = np.asarray(values, dtype=np.float32)
    if values.shape != shape:
        what = f"Classifier '{classifier}' gave an array of shape {values.shape} in place of {shape}"
        raise PredictionError(what, fix="Let 'combine' give one value for each output of the classifier")
    if not ((values >= 0) & (values <= 1)).all():
        what = f"Classifier '{classifier}' gave values that are no probabilities from 0 to 1"
        raise PredictionError(what, fix="Use another way to combine segments, or another classifier")
    return values
