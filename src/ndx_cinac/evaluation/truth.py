"""Known activity, read from the annotations in an NWB file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import AmbiguousSourceError, ReadingError
from ..recording import Times


@dataclass(frozen=True)
class ActivityTruth:
    """What annotators (or a simulation) say about the ROIs of one plane segmentation.

    Attributes
    ----------
    active, ignored, examined : ndarray of bool, shape (n_frames, n_rois)
        Active frames, doubtful ones, and those about which something is known. A column per row of the
        segmentation.
    annotators : tuple of str
        Who said so.
    """

    active: NDArray[np.bool_]
    ignored: NDArray[np.bool_]
    examined: NDArray[np.bool_]
    annotators: tuple[str, ...]


def truth_from_nwb(nwbfile: Any, times: Times, segmentation_id: str | None = None) -> ActivityTruth:
    """Read ActivityAnnotations and AnnotatedSegments.

    Parameters
    ----------
    nwbfile : pynwb.NWBFile
        The file.
    times : Times
        When each frame of the movie was taken: annotations are found on its frames.
    segmentation_id : str, optional
        Object id of the plane segmentation meant, where several are annotated.

    Raises
    ------
    ReadingError
        If nothing is annotated, no stretch was examined, or an annotation lies outside the movie.
    AmbiguousSourceError
        If several segmentations are annotated and none is chosen.
    """
    annotations = _tables(nwbfile, "ActivityAnnotations", segmentation_id)
    segments = _tables(nwbfile, "AnnotatedSegments", segmentation_id)
    if not segments:
        what = (
            "The file does not say which stretches of its ROIs were examined: it holds no AnnotatedSegments"
        )
        raise ReadingError(what, fix="Without them nothing is known about any frame")
    targets = {table["roi"].table.object_id: table["roi"].table for table in segments + annotations}
    if len(targets) > 1:
        names = ", ".join(f"'{table.name}' ({key})" for key, table in targets.items())
        what = f"Several plane segmentations are annotated: {names}"
        raise AmbiguousSourceError(what, fix="Give the object id of the one that is meant")
    shape = (times.n_frames, len(next(iter(targets.values()))))
    active, ignored, examined = np.zeros(shape, bool), np.zeros(shape, bool), np.zeros(shape, bool)
    annotators: set[str] = set()
    for table in segments:
        for roi, first, last, _ in _rows(table, times, annotators):
            examined[first : last + 1, roi] = True
    for table in annotations:
        for roi, first, last, state in _rows(table, times, annotators):
            (active if state == "active" else ignored)[first : last + 1, roi] = True
    return ActivityTruth(active, ignored & ~active, examined, tuple(sorted(annotators)))


def _tables(nwbfile: Any, kind: str, segmentation_id: str | None) -> list[Any]:
    """All tables of one type, of one segmentation where it is given."""
    found = [entry for entry in nwbfile.objects.values() if getattr(entry, "neurodata_type", "") == kind]
    if segmentation_id is None:
        return found
    return [table for table in found if table["roi"].table.object_id == segmentation_id]


def _rows(table: Any, times: Times, annotators: set[str]) -> list[tuple[int, int, int, str]]:
    """ROI row, first and last frame and state of each row; adds the annotators it finds."""
    rois = np.asarray(table["roi"].data[:], int) if len(table) else np.zeros(0, int)
    if "annotator" in table.colnames:
        annotators.update(str(name) for name in table["annotator"].data[:])
    states = [str(s) for s in table["state"].data[:]] if "state" in table.colnames else [""] * len(rois)
    if "first_frame" in table.colnames and "last_frame" in table.colnames:
        firsts, lasts = np.asarray(table["first_frame"].data[:]), np.asarray(table["last_frame"].data[:])
    else:
        firsts, lasts = _frames_of(table, times)
    if len(firsts) and (firsts.min() < 0 or lasts.max() >= times.n_frames):
        row = int(np.flatnonzero((firsts < 0) | (lasts >= times.n_frames))[0])
        what = (
            f"An annotation covers frames {firsts[row]} to {lasts[row]} of a movie of {times.n_frames} frames"
        )
        raise ReadingError(what, where=f"{table.name}, row {row}")
    return [(int(r), int(a), int(b), s) for r, a, b, s in zip(rois, firsts, lasts, states, strict=True)]


def _frames_of(table: Any, times: Times) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """First and last frame of periods in seconds: frames that start within a period, to half a frame."""
    if "timestamp" in table.colnames:
        starts = np.asarray(table["timestamp"].data[:], float)
        stops = starts + np.asarray(table["duration"].data[:], float)
    else:
        starts = np.asarray(table["start_time"].data[:], float)
        stops = np.asarray(table["stop_time"].data[:], float)
    middle = times.seconds() + times.frame_interval / 2
    return np.searchsorted(middle, starts), np.maximum(np.searchsorted(middle, stops), 1) - 1
