"""From a recording to the probability that each ROI is active in each frame; everything is checked first."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..classifiers import Classifier, check_fit, load_classifier
from ..errors import ClassifierError, ConfigError
from ..helpers import present_helpers
from ..journal import Journal
from ..progress import Progress, silent
from ..recording import CinacRecording
from ..results import ActivityResult
from .options import Predicted, PredictionOptions
from .resumption import Keeping, journal_of
from .session import check_goal, check_recording, describe, left_out, opened, unfinished

if TYPE_CHECKING:
    from pynwb import NWBFile

    from ..reading import ReadingOptions
    from ..reading.opening import OpenedFile
    from ..writing import OutputOptions

DEFAULT_CLASSIFIER = "activity-sim"

_log = logging.getLogger(__name__)


def predict_activity(
    source: str | Path | NWBFile | OpenedFile | CinacRecording,
    classifier: str | Path | Classifier = DEFAULT_CLASSIFIER,
    output: str | Path | OutputOptions | None = None,
    *,
    reading: ReadingOptions | None = None,
    options: PredictionOptions | None = None,
    progress: Progress | None = None,
) -> ActivityResult:
    """Predict when each ROI of a calcium-imaging recording is active, and write that to an NWB file if asked.

    Parameters
    ----------
    source : str, Path, NWBFile, OpenedFile or CinacRecording
        What to predict: an NWB file (HDF5, or a Zarr folder), an NWBFile object, an asset of a DANDI archive
        that `dandi.open_asset` gives, or a recording that was read or made already.
    classifier : str, Path or Classifier
        Name of a bundled classifier, folder or zip of a classifier, or a loaded one.
    output : str, Path or OutputOptions, optional
        Where to write: a path alone means a copy of the source with the predictions in it. Nothing is written
        by default.
    reading : ReadingOptions, optional
        Which movie, segmentation and rows, and how their axes lie; not with a CinacRecording.
    options : PredictionOptions, optional
        Threshold, memory and speed.
    progress : callable, optional
        Called as ``progress(stage, done, total)``.

    Returns
    -------
    ActivityResult
        Probabilities, frame by frame, with rows, times, transients and origin.

    Raises
    ------
    ClassifierError
        If the classifier cannot be found, is damaged, or is of another kind.
    OutputError
        If the output must not or cannot be written; refused before any work where that can be known.
    ReadingError
        If the source cannot be read.
    PredictionError
        If no ROI can be predicted.
    ConfigError
        If options contradict each other.
    MissingExtraError
        If a package that is needed is not installed.
    """
    loaded = load_classifier(classifier)
    chosen, listen = options or PredictionOptions(), progress or silent
    engine = engine_of(loaded, chosen)
    goal = check_goal(source, output, ("activity",))
    with unfinished(source, goal) as folder:
        keeping = None if folder is None else Keeping(folder)
        with opened(source, reading) as recording:
            result = predict_with(recording, loaded, engine, chosen, listen, keeping)
        if goal is None:
            return result
        from ..writing import write_predictions

        origin = None if isinstance(source, CinacRecording) else source
        return replace(result, output=write_predictions(result, goal, origin, folder=folder))


def predict_recording(
    recording: CinacRecording,
    classifier: str | Path | Classifier = DEFAULT_CLASSIFIER,
    options: PredictionOptions | None = None,
    progress: Progress | None = None,
) -> ActivityResult:
    """Predict a recording that is open; nothing is written and the recording stays open.

    Parameters and errors are those of `predict_activity`.
    """
    loaded = load_classifier(classifier)
    chosen = options or PredictionOptions()
    return predict_with(recording, loaded, engine_of(loaded, chosen), chosen, progress or silent)


Engine = Callable[[CinacRecording, Classifier, PredictionOptions, Progress, Journal | None], Predicted]


def _from_traces(
    recording: CinacRecording,
    classifier: Classifier,
    options: PredictionOptions,
    progress: Progress,
    journal: Journal | None,
) -> Predicted:
    from .traces import predict

    return predict(recording, classifier, options, progress, journal)


def _from_legacy_patches(
    recording: CinacRecording,
    classifier: Classifier,
    options: PredictionOptions,
    progress: Progress,
    journal: Journal | None,
) -> Predicted:
    from ..legacy.prediction import predict
    from ..legacy.sharing import predict_shared, shared_recording
    from ..networks import device_description

    helpers, device = present_helpers(), device_description()
    work = None if helpers is None else shared_recording(recording, classifier, options)
    if helpers is None or work is None:
        return Predicted(predict(recording, classifier, options, progress, journal), device)
    rows = recording.require_rois().kept
    return Predicted(predict_shared(work, rows, helpers, progress, journal), device)


_ENGINES: Mapping[str, Engine] = {"traces": _from_traces, "legacy patches": _from_legacy_patches}
"""What a card's ``inputs["kind"]`` asks for; engines import TensorFlow, so they are imported when used."""


def engine_of(classifier: Classifier, options: PredictionOptions | None = None) -> Engine:
    """Return the engine that gives a classifier what its card asks for; refuse what it cannot heed."""
    card = classifier.card
    if card.task != "activity":
        what = f"Classifier '{card.name}' predicts {card.task.replace('_', ' ')}, not activity"
        raise ClassifierError(what, where=str(classifier.folder))
    kind = card.inputs["kind"]
    if kind not in _ENGINES:
        what = f"Classifier '{card.name}' asks for inputs of kind '{kind}'; known are {', '.join(_ENGINES)}"
        raise ClassifierError(what, where=str(classifier.folder), fix="Update ndx-cinac")
    if options is not None and options.precision != "float32":
        if kind != "traces":
            what = (
                f"Classifier '{card.name}' is one of DeepCINAC's: it runs in float32, not {options.precision}"
            )
            raise ConfigError(what, fix="Leave the precision as it is")
        from ..precision import check_precision

        check_precision(options.precision)
    return _ENGINES[kind]


def predict_with(
    recording: CinacRecording,
    classifier: Classifier,
    engine: Engine,
    options: PredictionOptions,
    progress: Progress,
    keeping: Keeping | None = None,
) -> ActivityResult:
    """Check a recording, run the engine, and put what came of it together."""
    started = time.perf_counter()
    times = check_recording(recording)
    rois, card = recording.require_rois(), classifier.card
    threshold = card.threshold if options.threshold is None else float(options.threshold)
    notes = [*recording.notes, *check_fit(card, recording)]
    name = f"{card.name} {card.version} (sha256 {classifier.fingerprint})"
    _log.info("Predicting %d ROIs in %d frames with %s.", len(rois.kept), times.n_frames, name)
    journal = journal_of(keeping, recording, classifier, options)
    predicted = engine(recording, classifier, options, progress, journal)
    seconds = time.perf_counter() - started
    _log.info("Predicted with %s on %s in %.1f s.", name, predicted.device, seconds)
    return ActivityResult(
        probabilities=predicted.probabilities,
        roi_rows=rois.kept,
        roi_ids=rois.ids[rois.kept],
        times=times,
        threshold=threshold,
        classifiers=(classifier.info,),
        classifier_index=np.zeros(len(rois.kept), np.int64),
        definition=card.definition,
        skipped=left_out(recording),
        parameters={
            **describe(recording, times),
            "options": {**options.to_dict(), "threshold": threshold},
            "inputs": dict(card.inputs),
            **predicted.parameters,
        },
        device=predicted.device,
        source=recording.source,
        notes=(*notes, *predicted.notes),
        seconds=seconds,
    )
