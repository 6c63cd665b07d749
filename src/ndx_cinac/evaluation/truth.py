"""Known activity, read from the annotations in an NWB file."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import AmbiguousSourceError, ReadingError
from ..recording import Times
from ..writing.output import MODULE

ACTIVE, DOUBTFUL = 1, 2


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
    superseded : int
        Rows of ActivityAnnotations that do not count, or not wholly, because a later row says otherwise.
    """

    active: NDArray[np.bool_]
    ignored: NDArray[np.bool_]
    examined: NDArray[np.bool_]
    annotators: tuple[str, ...]
    superseded: int = 0


class _Row(NamedTuple):
    """A row of ActivityAnnotations or AnnotatedSegments; both frames belong to it."""

    roi: int
    first: int
    last: int
    state: str
    annotator: str

    @property
    def frames(self) -> slice:
        return slice(self.first, self.last + 1)


def truth_from_nwb(nwbfile: Any, times: Times, segmentation_id: str | None = None) -> ActivityTruth:
    """Read ActivityAnnotations and AnnotatedSegments.

    The latest word counts. Where periods of an ROI overlap, the later row decides. Where several annotators
    examined the same frames, those of the later row of AnnotatedSegments decide, and the other annotators'
    periods are left out there. Several tables follow one another in the order of their names.

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
    annotations = annotation_tables(nwbfile, "ActivityAnnotations", segmentation_id)
    segments = annotation_tables(nwbfile, "AnnotatedSegments", segmentation_id)
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
    examinations, periods = _by_roi(segments, times), _by_roi(annotations, times)
    active, ignored, examined = np.zeros(shape, bool), np.zeros(shape, bool), np.zeros(shape, bool)
    superseded = 0
    for roi in examinations.keys() | periods.keys():
        states, known, n_superseded = _judgement(examinations[roi], periods[roi], times.n_frames)
        active[:, roi], ignored[:, roi], examined[:, roi] = states == ACTIVE, states == DOUBTFUL, known
        superseded += n_superseded
    said = {row.annotator for rows in (examinations, periods) for each in rows.values() for row in each}
    return ActivityTruth(active, ignored, examined, tuple(sorted(said - {""})), superseded)


def annotation_tables(nwbfile: Any, kind: str, segmentation_id: str | None = None) -> list[Any]:
    """All tables of one type that have rows, those of one plane segmentation where it is given.

    By name, those of the module of predictions last: corrections by hand lie there, and the latest counts.
    """
    found = [entry for entry in nwbfile.objects.values() if getattr(entry, "neurodata_type", "") == kind]
    return sorted(
        (table for table in found if segmentation_id in (None, table["roi"].table.object_id) and len(table)),
        key=lambda table: (getattr(table.parent, "name", "") == MODULE, str(table.name)),
    )


def _judgement(
    examinations: Sequence[_Row], periods: Sequence[_Row], n_frames: int
) -> tuple[NDArray[np.int8], NDArray[np.bool_], int]:
    """State of each frame of one ROI, whether it was examined, and how many rows were superseded."""
    names = sorted({row.annotator for row in (*examinations, *periods)})
    codes = {name: code for code, name in enumerate(names)}
    examiner, several = np.full(n_frames, -1), np.zeros(n_frames, bool)
    for row in examinations:
        several[row.frames] |= ~np.isin(examiner[row.frames], (-1, codes[row.annotator]))
        examiner[row.frames] = codes[row.annotator]
    states, origin = np.zeros(n_frames, np.int8), np.full(n_frames, -1)
    superseded: set[int] = set()
    for index, row in enumerate(periods):
        state = ACTIVE if row.state == "active" else DOUBTFUL
        frames = np.arange(n_frames)[row.frames]
        counts = ~several[frames] | (examiner[frames] == codes[row.annotator])
        if not counts.all():
            superseded.add(index)
        frames = frames[counts]
        superseded.update(int(each) for each in origin[frames[~np.isin(states[frames], (0, state))]])
        states[frames], origin[frames] = state, index
    return states, examiner >= 0, len(superseded)


def _by_roi(tables: Iterable[Any], times: Times) -> defaultdict[int, list[_Row]]:
    """Rows of some tables by ROI, in their order."""
    found: defaultdict[int, list[_Row]] = defaultdict(list)
    for table in tables:
        for row in _rows(table, times):
            found[row.roi].append(row)
    return found


def _rows(table: Any, times: Times) -> list[_Row]:
    """Return the rows of a table, whose frames are checked."""
    rois = np.asarray(table["roi"].data[:], int) if len(table) else np.zeros(0, int)
    annotators, states = (
        [str(value) for value in table[name].data[:]] if name in table.colnames else [""] * len(rois)
        for name in ("annotator", "state")
    )
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
    numbers = zip(rois.tolist(), firsts.tolist(), lasts.tolist(), strict=True)
    return [_Row(*each, *texts) for each, *texts in zip(numbers, states, annotators, strict=True)]


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
