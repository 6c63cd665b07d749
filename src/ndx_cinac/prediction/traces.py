"""The engine for classifiers of traces: one pass over the movie, then the network on a few ROIs at a time."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..classifiers import Classifier, ModelCard
from ..errors import CinacError, ClassifierError, PredictionError
from ..helpers import present_helpers
from ..journal import Journal
from ..networks import CompiledNetwork, device_description
from ..progress import Progress
from ..recording import CinacRecording
from ..traces import CHANNELS, TraceOptions, Traces, extract_traces
from .options import Predicted, PredictionOptions

_log = logging.getLogger(__name__)

LISTED_FRAMES = 100
"""Missing frames are listed in the parameters up to this number, beyond it only counted."""


def predict(
    recording: CinacRecording,
    classifier: Classifier,
    options: PredictionOptions,
    progress: Progress,
    journal: Journal | None = None,
) -> Predicted:
    """Predict all ROIs that are to be predicted; finished work goes to the journal and comes from there.

    Memory is bounded: by the blocks of the movie and the trace store (`TraceOptions`), by the channels of the
    ROIs that are predicted together (`PredictionOptions.channel_bytes`), and by the probabilities themselves.

    Raises
    ------
    ClassifierError
        If the card asks for channels or options that `extract_traces` does not have, or does not fit its
        network.
    PredictionError
        If nothing can be predicted, or the network gives no number.
    """
    movie, rois = recording.require_movie(), recording.require_rois()
    trace_options = read_trace_options(classifier.card)
    if options.block_bytes is not None:
        trace_options = replace(trace_options, block_bytes=options.block_bytes)
    network = _compile(classifier, options)
    device = device_description()
    _log.info("The network runs on %s.", device)
    with extract_traces(movie, rois, trace_options, progress=progress, journal=journal) as traces:
        if not np.array_equal(traces.roi_rows, rois.kept):
            what = "The traces belong to other ROIs than those to predict"
            raise PredictionError(what)
        probabilities = _run((classifier, options), network, traces, progress, journal)
        missing = traces.missing_frames
        notes = traces.notes
    _check_numbers(probabilities, rois.kept)
    return Predicted(
        probabilities,
        device=device,
        parameters={
            "traces": trace_options.to_dict(),
            "network": {"block": network.block, "halo": network.halo, "batch_size": network.batch_size},
            "missing_frames": {
                "count": len(missing),
                "frames": missing.tolist() if len(missing) <= LISTED_FRAMES else [],
            },
        },
        notes=notes,
    )


def read_trace_options(card: ModelCard) -> TraceOptions:
    """How traces are extracted for a classifier.

    Raises
    ------
    ClassifierError
        If the card's inputs are not those that this version of ndx-cinac can give.
    """
    channels = card.inputs.get("channels")
    if channels != list(CHANNELS):
        what = (
            f"Classifier '{card.name}' reads the channels {channels}, this version of ndx-cinac gives "
            f"{list(CHANNELS)}"
        )
        raise ClassifierError(what, fix="Use the version that it was trained with, or train it again")
    values = card.inputs.get("options", {})
    try:
        return TraceOptions.from_dict(values)
    except (CinacError, TypeError, ValueError) as error:
        what = f"Classifier '{card.name}' asks for traces that cannot be extracted: {error}"
        raise ClassifierError(what) from error


def _compile(classifier: Classifier, options: PredictionOptions) -> CompiledNetwork:
    """Load and compile the network before any frame is read."""
    inputs = classifier.card.inputs
    numbers: dict[str, int] = {}
    for name in ("block", "halo"):
        value = inputs.get(name)
        if not isinstance(value, int) or isinstance(value, bool) or value < 0:
            what = f"The model card's inputs have {name} {value!r}, not a number of frames"
            raise ClassifierError(what, where=str(classifier.folder))
        numbers[name] = value
    block = numbers["block"] if options.block_frames is None else options.block_frames
    network = CompiledNetwork(
        classifier.network(), block, numbers["halo"], options.batch_size, precision=options.precision
    )
    if network.n_channels != len(CHANNELS):
        what = f"The network reads {network.n_channels} channels, its card names {len(CHANNELS)}"
        raise ClassifierError(what, where=str(classifier.folder))
    return network


def _run(
    work: tuple[Classifier, PredictionOptions],
    network: CompiledNetwork,
    traces: Traces,
    progress: Progress,
    journal: Journal | None,
) -> NDArray[np.float32]:
    """Run the network on a few ROIs at a time, here or where helpers are; shape (n_frames, n_rois)."""
    n_rois = len(traces.roi_rows)
    probabilities = np.empty((traces.n_frames, n_rois), np.float32)
    step = max(1, work[1].channel_bytes // max(1, traces.n_frames * len(CHANNELS) * 4))
    left = []
    for group in (slice(start, min(start + step, n_rois)) for start in range(0, n_rois, step)):
        kept = None if journal is None else journal.load(_piece(group))
        if kept is None:
            left.append(group)
        else:
            probabilities[:, group] = kept["values"].T
    done = n_rois - sum(group.stop - group.start for group in left)
    helpers = present_helpers()
    if helpers is None or len(left) < 2:
        found: Iterator[Any] = (network.predict(traces.channels(group)) for group in left)
    else:
        found = helpers.map(predict_part, work, (traces.part(group) for group in left))
    for group, values in zip(left, found, strict=True):
        probabilities[:, group] = values.T
        if journal is not None:
            journal.keep(_piece(group), values=values)
        done += group.stop - group.start
        progress("predicting activity", done, n_rois)
    return probabilities


def _piece(group: slice) -> str:
    """Name in a journal of some ROIs' probabilities."""
    return f"probabilities-{group.start}-{group.stop}"


def predict_part(work: tuple[Classifier, PredictionOptions], traces: Traces) -> NDArray[np.float32]:
    """Predict some ROIs wherever this is called: shape (n_rois, n_frames)."""
    return _compile(*work).predict(traces.channels())


def _check_numbers(probabilities: NDArray[np.float32], rows: NDArray[np.int64]) -> None:
    """Refuse what is no probability: a network that was not calibrated, or damaged traces."""
    good = (probabilities >= 0) & (probabilities <= 1)  # false for NaN
    if good.all():
        return
    frame, column = (int(v) for v in np.argwhere(~good)[0])
    value: Any = probabilities[frame, column]
    what = f"The network gave {value:g} for ROI row {rows[column]} in frame {frame}, which is no probability"
    raise PredictionError(what, fix="Its last step must be a sigmoid: see networks.with_probability")
