"""Annotated recordings to train on: NWB files with annotations, and .cinac files."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..cinac_files import CinacFile, CinacSegment
from ..cinac_files.nwb_objects import contour_pixels
from ..errors import ReadingError
from ..evaluation import truth_from_nwb
from ..movies import ArrayMovie
from ..reading import ReadingOptions
from ..reading.file_contents import survey
from ..reading.opening import open_nwbfile
from ..reading.recordings import recording_from
from ..rois import Rois
from .labelled import LabelledMovie
from .settings import SourceSettings

NOT_LABELLED = "not annotated"
NAN = float("nan")


def recording_name(path: str | Path) -> str:
    """Name of a recording: its file's, without the ending."""
    return Path(path).name.removesuffix(".zarr").removesuffix(".nwb").removesuffix(".cinac")


def read_labelled(source: SourceSettings) -> list[tuple[LabelledMovie, NDArray[np.int64]]]:
    """Read the labelled movies of a file; their movies stay in the file, or in memory where they are patches.

    Parameters
    ----------
    source : SourceSettings
        An annotated NWB file, or a .cinac file.

    Returns
    -------
    list of (LabelledMovie, ndarray of int64)
        Each movie, and which cell of the recording each of its ROIs shows: one movie of all cells, or one per
        annotated patch. Close the movies.

    Raises
    ------
    ReadingError
        If the file cannot be read, or nothing is annotated in it.
    """
    if str(source.path).endswith(".cinac"):
        return read_cinac(source.path)
    labelled = read_nwb(source)
    return [(labelled, np.arange(len(labelled.rois)))]


def read_nwb(source: SourceSettings) -> LabelledMovie:
    """Read a movie, its ROIs and what is annotated of them, as a prediction and an evaluation would.

    Raises
    ------
    ReadingError
        If the file cannot be read, or no ROI that can be predicted was examined.
    """
    opened = open_nwbfile(source.path)
    try:
        options = ReadingOptions(source.movie or None, source.segmentation or None, source.axes)  # type: ignore[arg-type]
        recording = recording_from(opened, survey(opened.nwbfile), options)
        assert recording.times is not None
        assert recording.source is not None
        rois = recording.require_rois()
        truth = truth_from_nwb(opened.nwbfile, recording.times, recording.source.segmentation_id)
    except BaseException:
        if opened.close is not None:
            opened.close()
        raise
    judged = truth.examined & ~truth.ignored
    unlabelled = {row: NOT_LABELLED for row in rois.kept if not judged[:, row].any()}
    labelled = replace(rois, unselected={**rois.unselected, **unlabelled})
    if not len(labelled.kept):
        recording.close()
        what = "No ROI that can be predicted was examined in any frame"
        raise ReadingError(what, where=str(source.path), fix="Annotate it first, or leave the file out")
    size = recording.pixel_size
    return LabelledMovie(
        name=recording_name(source.path),
        movie=recording.require_movie(),
        rois=labelled,
        active=truth.active,
        judged=judged,
        frame_rate=recording.times.frame_rate,
        pixel_size=NAN if size is None else size,
        on_close=recording.close,
    )


def read_cinac(path: str | Path) -> list[tuple[LabelledMovie, NDArray[np.int64]]]:
    """Read the annotated segments of a .cinac file: its whole movie where it has one, else patch by patch.

    Raises
    ------
    ReadingError
        If the file cannot be read, or has no annotated segment.
    """
    file = CinacFile(path)
    if not file.segments:
        file.close()
        what = "The .cinac file has no annotated segment"
        raise ReadingError(what, where=str(path), fix="Annotate it first, or leave the file out")
    full = file.full_data
    if full is not None and full.movie is not None and full.contours:
        return [_whole(file, full)]
    with file:
        return [_patch(recording_name(path), file.read_segment(key)) for key in file.segments]


def _whole(file: CinacFile, full: Any) -> tuple[LabelledMovie, NDArray[np.int64]]:
    """Make one labelled movie of a whole movie and the segments of its cells."""
    movie = ArrayMovie(full.movie)  # frames stay in the file until they are read
    shape = (movie.n_frames, len(full.contours))
    active, judged = np.zeros(shape, bool), np.zeros(shape, bool)
    for key in file.segments:
        segment = file.read_segment(key)
        if key.cell >= shape[1] or key.last_frame >= shape[0]:
            what = f"Segment {key.name} lies outside of the movie of {shape[0]} frames and {shape[1]} cells"
            raise ReadingError(what, where=str(file.path))
        frames = slice(key.first_frame, key.last_frame + 1)
        active[frames, key.cell] = segment.active != 0
        judged[frames, key.cell] = _certain(segment)
    rois = _rois(full.contours, movie.shape[1:])
    invalid = np.zeros(shape[1]) if full.invalid_cells is None else full.invalid_cells
    skipped = {**rois.skipped, **dict.fromkeys(np.flatnonzero(invalid > 0).tolist(), "invalid")}
    unlabelled = dict.fromkeys(np.flatnonzero(~judged.any(axis=0)).tolist(), NOT_LABELLED)
    rois = replace(
        rois, skipped=skipped, unselected={r: w for r, w in unlabelled.items() if r not in skipped}
    )
    labelled = LabelledMovie(
        recording_name(file.path), movie, rois, active, judged, NAN, NAN, on_close=file.close
    )
    return labelled, np.arange(shape[1])


def _patch(name: str, segment: CinacSegment) -> tuple[LabelledMovie, NDArray[np.int64]]:
    """Make a labelled movie of one segment: its cell is learnt from, those that touch it lie beside it."""
    contours = segment.valid_contours
    rois = _rois(contours, segment.movie.shape[1:])
    others = {row: NOT_LABELLED for row in range(1, len(contours)) if row not in rois.skipped}
    shape = (segment.key.n_frames, len(contours))
    active, judged = np.zeros(shape, bool), np.zeros(shape, bool)
    active[:, 0], judged[:, 0] = segment.active != 0, _certain(segment)
    labelled = LabelledMovie(
        name, ArrayMovie(segment.movie), replace(rois, unselected=others), active, judged, NAN, NAN
    )
    cells = np.full(len(contours), -1)
    cells[0] = segment.key.cell
    return labelled, cells


def _certain(segment: CinacSegment) -> NDArray[np.bool_]:
    doubtful = segment.doubtful
    return np.ones(segment.key.n_frames, bool) if doubtful is None else np.asarray(doubtful == 0)


def _rois(contours: Any, shape: tuple[int, int]) -> Rois:
    """ROIs of what contours (x, y) enclose, on the axes of a movie of rows y and columns x."""
    found = [contour_pixels(np.asarray(contour).T, shape) for contour in contours]
    pixels = [np.array([(y, x) for x, y, _ in each], np.int64).reshape(-1, 2) for each in found]
    empty = {row: "outside of the frame" for row, each in enumerate(pixels) if not len(each)}
    return Rois.from_pixels(pixels, shape, skipped=empty)
