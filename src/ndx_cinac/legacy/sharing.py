"""Groups of ROIs for helpers: legacy classifiers look at each ROI's own patch, so groups are independent."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..classifiers import Classifier
from ..helpers import Helpers
from ..journal import Journal
from ..movie_places import place_of
from ..prediction.options import PredictionOptions
from ..progress import Progress, silent
from ..reading import RoiSelection, read_recording
from ..recording import CinacRecording, MaskOrder
from .prediction import predict

GROUP_ROIS = 8
"""ROIs that one helper is given: minutes of work on a processor."""


@dataclass(frozen=True)
class SharedRecording:
    """What any group of ROIs needs: where the recording lies, and how it is predicted.

    Attributes
    ----------
    path : Path
        The NWB file.
    movie, segmentation : str
        Paths of the objects in it.
    masks : {"matching", "exchanged"}
        How masks lie on the movie: decided once.
    classifier : Classifier
        A legacy one.
    options : PredictionOptions
        How.
    """

    path: Path
    movie: str
    segmentation: str
    masks: MaskOrder
    classifier: Classifier
    options: PredictionOptions


def shared_recording(
    recording: CinacRecording, classifier: Classifier, options: PredictionOptions
) -> SharedRecording | None:
    """Return what helpers need; None where they could not read the recording, or where there is one group."""
    source = recording.source
    if source is None or source.path is None or not source.movie_id:
        return None
    if place_of(recording.require_movie()) is None or len(recording.require_rois().kept) <= GROUP_ROIS:
        return None
    named = source.movie_path, source.segmentation_path
    return SharedRecording(source.path.resolve(), *named, recording.axes.masks, classifier, options)


def predict_rows(work: SharedRecording, rows: tuple[int, ...]) -> NDArray[np.float32]:
    """Predict some ROIs wherever this is called: shape (n_frames, n_rows)."""
    selection = RoiSelection(rows=rows)
    with read_recording(work.path, work.movie, work.segmentation, work.masks, rois=selection) as recording:
        return predict(recording, work.classifier, work.options, silent)


def predict_shared(
    work: SharedRecording,
    rows: NDArray[np.int64],
    helpers: Helpers,
    progress: Progress,
    journal: Journal | None,
) -> NDArray[np.float32]:
    """Predict ROIs with helpers: shape (n_frames, n_rows). Finished groups go to the journal."""
    groups = [tuple(int(row) for row in rows[at : at + GROUP_ROIS]) for at in range(0, len(rows), GROUP_ROIS)]
    kept = [None if journal is None else journal.load(f"rows-{group[0]}") for group in groups]
    found = helpers.map(
        predict_rows, work, [g for g, known in zip(groups, kept, strict=True) if known is None]
    )
    parts = []
    for number, (group, known) in enumerate(zip(groups, kept, strict=True), 1):
        parts.append(_next(found, group, journal) if known is None else known["values"])
        progress("predict", number, len(groups))
    return np.concatenate(parts, axis=1)


def _next(
    found: Iterator[NDArray[np.float32]], group: tuple[int, ...], journal: Journal | None
) -> NDArray[np.float32]:
    """Take the next group's probabilities, and keep them."""
    values = next(found)
    if journal is not None:
        journal.keep(f"rows-{group[0]}", values=values)
    return values
