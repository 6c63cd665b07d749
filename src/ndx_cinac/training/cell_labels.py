"""Recordings whose ROIs have a known cell type: by CellTypeAnnotations, a column, or a .cinac file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ..cinac_files import CinacFile
from ..cinac_files.nwb_objects import contour_pixels
from ..errors import ConfigError, ReadingError
from ..movies import ArrayMovie, Movie
from ..reading import ReadingOptions
from ..reading.file_contents import survey
from ..reading.opening import OpenedFile, open_nwbfile
from ..reading.recordings import recording_from
from ..recording import CinacRecording, Times
from ..rois import Rois

UNKNOWN = frozenset({"", "?", "unknown", "unclassified", "na", "n/a", "nan", "none"})
"""Labels that say that nothing is known, whatever their case."""
NOT_LABELLED = "its type is not known"


@dataclass(frozen=True)
class LabelledFile:
    """A file with ROIs of known type, and what it does not say itself."""

    path: str
    """An NWB file (HDF5 or Zarr) or a .cinac file."""
    label_column: str = ""
    """Column of the ROI table that holds the types; empty for CellTypeAnnotations."""
    frame_rate: float = 0.0
    """Frames per second of a .cinac file; 0 where not known."""
    pixel_size: float = 0.0
    """Micrometres per pixel, where the file does not say; 0 where not known."""

    @property
    def is_cinac(self) -> bool:
        """Whether it is a file of DeepCINAC."""
        return self.path.endswith(".cinac")

    @property
    def name(self) -> str:
        """Its name without the ending."""
        return Path(self.path).name.removesuffix(".zarr").removesuffix(".nwb").removesuffix(".cinac")


@dataclass(frozen=True)
class LabelledRecording:
    """A recording in which the ROIs to learn from are kept, all others unselected; close the recording.

    Attributes
    ----------
    recording : CinacRecording
        Movie, ROIs and times.
    labels : mapping of int to str
        What the file calls the type of each row that is kept.
    animal : str
        The subject's id; empty where the file has none.
    """

    recording: CinacRecording
    labels: Mapping[int, str]
    animal: str = ""


def open_labelled(file: LabelledFile) -> Iterator[LabelledRecording]:
    """Open the recordings of a file one by one: one, or one per segment of a .cinac file without movie.

    Raises
    ------
    ReadingError
        If the file cannot be read, or no ROI in it has a known type.
    ConfigError
        If a .cinac file comes without a frame rate, or with a column.
    """
    if not Path(file.path).exists():
        what = "There is nothing of this name to train on"
        raise ReadingError(what, where=file.path, fix="Give an NWB file with cell types, or a .cinac file")
    if not file.is_cinac:
        yield _open_nwb(file)
        return
    if file.label_column or not file.frame_rate > 0:
        what = (
            "A .cinac file has no columns to take labels from"
            if file.label_column
            else "A .cinac file does not hold the frame rate, without which rates and durations mean nothing"
        )
        fix = "Leave the column out" if file.label_column else "Give it (--frame-rate)"
        raise ConfigError(what, where=file.path, fix=fix)
    with CinacFile(file.path) as opened:
        types = {cell: name for cell, name in opened.cell_types.items() if known(name)}
        if not types:
            raise _nothing(file, "No cell of the .cinac file has a type")
        full = opened.full_data
        if full is not None and full.movie is not None and full.contours:
            labels = {cell: name for cell, name in types.items() if cell < len(full.contours)}
            yield _from_contours(file, ArrayMovie(full.movie), full.contours, labels)
            return
        for key in opened.segments:
            if key.cell in types:
                segment = opened.read_segment(key)
                movie = ArrayMovie(segment.movie)
                yield _from_contours(file, movie, segment.valid_contours, {0: types[key.cell]})


def known(label: str) -> bool:
    """Whether a label says anything."""
    return label.strip().casefold() not in UNKNOWN


def _open_nwb(file: LabelledFile) -> LabelledRecording:
    opened = open_nwbfile(file.path)
    try:
        return _from_nwb(file, opened)
    except BaseException:
        if opened.close is not None:
            opened.close()
        raise


def _from_nwb(file: LabelledFile, opened: OpenedFile) -> LabelledRecording:
    """Read a recording as a prediction would, and the types of its ROIs."""
    recording = recording_from(opened, survey(opened.nwbfile), ReadingOptions())
    assert recording.source is not None
    table = opened.nwbfile.objects[recording.source.segmentation_id]
    labels = _column(file, table) if file.label_column else _annotations(opened.nwbfile, table)
    recording.rois = _selected(file, recording.require_rois(), labels)
    if recording.pixel_size is None and file.pixel_size > 0:
        recording.pixel_size = file.pixel_size
    kept = {int(row): labels[int(row)] for row in recording.rois.kept}
    subject = getattr(opened.nwbfile.subject, "subject_id", None)
    return LabelledRecording(recording, kept, str(subject or ""))


def _column(file: LabelledFile, table: Any) -> dict[int, str]:
    """Labels of the rows of an ROI table, from one of its columns."""
    if file.label_column not in table.colnames:
        what = f"The ROI table '{table.name}' has no column '{file.label_column}'"
        raise ReadingError(what, where=file.path, fix=f"Its columns are: {', '.join(table.colnames)}")
    values = [_text(table[file.label_column][row]) for row in range(len(table))]
    return {row: value for row, value in enumerate(values) if known(value)}


def _annotations(nwbfile: Any, table: Any) -> dict[int, str]:
    """Labels from all CellTypeAnnotations of an ROI table; the last word on an ROI counts."""
    labels: dict[int, str] = {}
    for entry in nwbfile.objects.values():
        if getattr(entry, "neurodata_type", "") != "CellTypeAnnotations" or entry["roi"].table is not table:
            continue
        for row, name in zip(entry["roi"].data[:], entry["cell_type"].data[:], strict=True):
            labels[int(row)] = _text(name)
    return {row: name for row, name in labels.items() if known(name)}


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def _selected(file: LabelledFile, rois: Rois, labels: Mapping[int, str]) -> Rois:
    """Keep the labelled rows; the others are neighbours, no more."""
    others = {int(row): NOT_LABELLED for row in rois.usable if int(row) not in labels}
    chosen = replace(rois, unselected=others)
    if not len(chosen.kept):
        where = f"column '{file.label_column}'" if file.label_column else "CellTypeAnnotations"
        raise _nothing(file, f"No ROI that can be used has a known type in {where}")
    return chosen


def _nothing(file: LabelledFile, what: str) -> ReadingError:
    return ReadingError(what, where=file.path, fix="Annotate cell types first, or leave the file out")


def _from_contours(
    file: LabelledFile, movie: Movie, contours: Any, labels: Mapping[int, str]
) -> LabelledRecording:
    """Make a recording of a movie of rows y and columns x, and contours (x, y)."""
    shape = (movie.shape[1], movie.shape[2])
    pixels = [
        np.array([(y, x) for x, y, _ in contour_pixels(np.asarray(contour).T, shape)], np.int64)
        for contour in contours
    ]
    empty = {row: "outside of the frame" for row, found in enumerate(pixels) if not len(found)}
    rois = _selected(file, Rois.from_pixels(pixels, shape, skipped=empty), labels)
    recording = CinacRecording(
        file.name,
        movie,
        rois,
        Times(movie.n_frames, rate=file.frame_rate),
        pixel_size=file.pixel_size if file.pixel_size > 0 else None,
    )
    return LabelledRecording(recording, {int(row): labels[int(row)] for row in rois.kept})
