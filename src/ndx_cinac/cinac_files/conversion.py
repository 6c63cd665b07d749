"""A .cinac file as NWB: patches of the movie, ROIs, traces and annotations; any loss is named."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
from numpy.typing import NDArray
from pynwb import NWBHDF5IO, NWBFile
from pynwb.ophys import Fluorescence, ImageSegmentation, PlaneSegmentation, RoiResponseSeries

from ..errors import OutputError, ReadingError
from ..writing.output import MODULE, written_whole
from .files import CinacFile
from .nwb_objects import (
    Annotations,
    imaging_plane,
    movie_series,
    plane_segmentation,
    trace_series,
)
from .segments import CinacFullData, CinacSegment

logger = logging.getLogger(__name__)

UNKNOWN_START = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class ConversionOptions:
    """What a .cinac file does not say and NWB asks for.

    Attributes
    ----------
    frame_rate : float or None
        Frames per second. Where None, one frame counts as one second, and the file says so.
    session_start_time : datetime or None
        When the movie began, with a time zone. Where None, the start of 1970, and the file says so.
    annotator : str
        Who annotated: initials or a pseudonym.
    overwrite : bool
        Replace an output file that exists.
    """

    frame_rate: float | None = None
    session_start_time: datetime | None = None
    annotator: str = "unknown"
    overwrite: bool = False

    @property
    def rate(self) -> float:
        """Frames per second, 1 where that is not known."""
        return 1.0 if self.frame_rate is None else self.frame_rate


def convert_cinac(path: str | Path, output: str | Path, options: ConversionOptions | None = None) -> Path:
    """Convert a .cinac file to NWB.

    Parameters
    ----------
    path : str or Path
        The .cinac file.
    output : str or Path
        The NWB file to write.
    options : ConversionOptions, optional
        Frame rate and the like.

    Returns
    -------
    Path
        The file that was written. What could not be kept, or had to be assumed, is logged as warnings and
        stands in the file's ``notes``.

    Raises
    ------
    ReadingError
        If the .cinac file is damaged.
    OutputError
        If the output exists.
    """
    options = ConversionOptions() if options is None else options
    goal = Path(output).absolute()
    if goal.exists() and not options.overwrite:
        what = "The output exists already"
        raise OutputError(what, where=str(goal), fix="Choose another name, or overwrite it")
    with CinacFile(path) as file:
        nwbfile, notes = cinac_to_nwb(file, options)
        with written_whole(goal) as partial, NWBHDF5IO(partial, "w") as io:
            io.write(nwbfile)
    for note in notes:
        logger.warning("%s: %s", file.path.name, note)
    return goal


def cinac_to_nwb(file: CinacFile, options: ConversionOptions) -> tuple[NWBFile, list[str]]:
    """Make an NWBFile of an open .cinac file, which has to stay open until the NWBFile is written.

    Movies and masks have x as their first spatial axis, as NWB asks; in a .cinac file y comes first.

    Returns
    -------
    nwbfile : NWBFile
    notes : list of str
        What could not be kept, and what had to be assumed.
    """
    conversion = _Conversion(file, options)
    for key in file.segments:
        conversion.add_segment(file.read_segment(key))
    conversion.finish()
    return conversion.nwbfile, conversion.notes


class _Conversion:
    """The NWBFile that is being filled, and what there is to say about it."""

    def __init__(self, file: CinacFile, options: ConversionOptions) -> None:
        self.file, self.options = file, options
        self.full = file.full_data or CinacFullData()
        self.notes = _assumptions(file, self.full, options)
        self.nwbfile = NWBFile(
            session_description=f"Annotated calcium imaging, converted from {file.path.name}",
            identifier=str(uuid4()),
            session_start_time=options.session_start_time or UNKNOWN_START,
            session_id=file.name,
        )
        self.segmentations = ImageSegmentation(name="ImageSegmentation")
        self.series: list[RoiResponseSeries] = []
        self.ophys = self.nwbfile.create_processing_module("ophys", "Regions of interest and their traces")
        self.ophys.add(self.segmentations)
        self.cells = self._add_cells()
        self.annotations = Annotations(self.cells, options.rate, options.annotator)

    def _add_cells(self) -> PlaneSegmentation:
        """Make the table of all cells: those of the whole movie, else those that have a segment."""
        plane = imaging_plane(self.nwbfile, "ImagingPlane", "The whole field of view", self.options.rate)
        full, invalid = self.full, self.full.invalid_cells
        if full.contours:
            contours, ids, description = full.contours, None, "All cells of the whole movie."
            if invalid is not None and len(invalid) != len(contours):
                what = f"'invalid_cells' of {invalid.shape} does not fit {len(contours)} contours"
                raise ReadingError(what, where=f"{self.file.path}, /full_data")
        else:
            firsts = {key.cell: key for key in reversed(self.file.segments)}
            ids = sorted(firsts)
            contours = tuple(self.file.read_segment(firsts[cell]).contours[0] for cell in ids)
            description = "The annotated cells: ids are their numbers, masks as in their first patch."
            self.notes.append("There are no contours in the whole frame: cells lie as in their first patch")
            if invalid is not None:
                self.notes.append("full_data/invalid_cells speaks of cells without contours and was left out")
                invalid = None
        if not contours:
            what = "The file has neither segments nor contours of cells"
            raise ReadingError(what, where=str(self.file.path), fix="Add segments or contours")
        frame = None if full.movie is None else full.movie.shape[1:]
        cells = plane_segmentation("PlaneSegmentation", description, plane, contours, invalid, ids, frame)
        self.segmentations.add_plane_segmentation(cells)
        self._add_full_traces(cells)
        if full.movie is not None:
            description = "The whole movie, as stored in the .cinac file"
            self.nwbfile.add_acquisition(
                movie_series("TwoPhotonSeries", description, full.movie, plane, self.options.rate)
            )
        return cells

    def _add_full_traces(self, cells: PlaneSegmentation) -> None:
        for name in ("raw_traces", "smooth_traces"):
            values = getattr(self.full, name)
            if values is None:
                continue
            if values.ndim != 2 or len(values) != len(cells):
                what = f"'{name}' of {values.shape} does not fit {len(cells)} contours"
                raise ReadingError(what, where=f"{self.file.path}, /full_data")
            description = f"{name.replace('_', ' ').capitalize()} of the whole movie, normalised"
            self.series.append(
                trace_series(name, description, values.T, cells, list(range(len(cells))), self.options.rate)
            )

    def add_segment(self, segment: CinacSegment) -> None:
        """Add one segment: its patch of the movie, its contours and traces, and what was annotated."""
        name, rate = segment.key.name, self.options.rate
        row = self._row_of(segment)
        words = "around cell {}, frames {} to {}".format(*segment.key)
        plane = imaging_plane(self.nwbfile, f"ImagingPlane_{name}", f"The part of the field {words}", rate)
        start = segment.key.first_frame / rate
        movie = movie_series(name, f"Movie {words}", segment.movie, plane, rate, start)
        self.nwbfile.add_acquisition(movie)
        rois = plane_segmentation(
            f"PlaneSegmentation_{name}",
            f"The cell itself, then cells that touch it; {words}.",
            plane,
            segment.contours,
            segment.invalid_cells,
            frame=segment.movie.shape[1:],
        )
        self.segmentations.add_plane_segmentation(rois)
        for kind, values in (("raw_traces", segment.raw_trace), ("smooth_traces", segment.smooth_trace)):
            if values is not None:
                description = f"{kind.replace('_', ' ').capitalize()} {words}, normalised"
                self.series.append(
                    trace_series(f"{name}_{kind}", description, values[:, np.newaxis], rois, [0], rate, start)
                )
        self._check_values(segment)
        self.annotations.add(segment, row, movie)

    def _row_of(self, segment: CinacSegment) -> int:
        """Row of the segment's cell in the table of all cells."""
        ids: NDArray[Any] = np.asarray(self.cells.id[:])
        rows = np.flatnonzero(ids == segment.key.cell)
        if len(rows) == 0:
            what = f"The segment is of cell {segment.key.cell}, but the file has contours of {len(ids)} cells"
            raise ReadingError(what, where=f"{self.file.path}, /{segment.key.name}")
        return int(rows[0])

    def _check_values(self, segment: CinacSegment) -> None:
        """Note values that say more than yes and no: only that they are not 0 is kept."""
        for name, values in (("raster_dur", segment.active), ("doubtful_frames", segment.doubtful)):
            if values is not None and not np.isin(values, (0, 1)).all():
                self.notes.append(f"{segment.key.name}/{name} holds other values than 0 and 1; they became 1")

    def finish(self) -> None:
        """Add the tables that were filled on the way."""
        if self.series:
            traces = Fluorescence(name="Fluorescence")
            self.ophys.add(traces)
            traces.add_roi_response_series(self.series)
        description = "What annotators say of the regions of interest"
        module = self.nwbfile.create_processing_module(MODULE, description)
        module.add(self.annotations.tables())
        self.nwbfile.notes = "\n".join(self.notes)


def _assumptions(file: CinacFile, full: CinacFullData, options: ConversionOptions) -> list[str]:
    """Say what the file holds that NWB has no place for, and what it lacks."""
    notes = [f"'{name}' is not known in a .cinac file and was left out" for name in file.unknown]
    if options.frame_rate is None:
        notes.append("A .cinac file has no frame rate: one frame counts as one second")
    if options.session_start_time is None:
        notes.append("A .cinac file does not say when the movie was taken: its session starts in 1970")
    if full.movie_file_name is not None:
        notes.append(f"The whole movie is not in the file, which names it: {full.movie_file_name}")
    if full.n_frames is not None:
        notes.append(f"The whole movie has {full.n_frames} frames")
    if full.n_cells is not None and full.n_cells != len(full.contours):
        notes.append(f"The file speaks of {full.n_cells} cells and has contours of {len(full.contours)}")
    return notes
