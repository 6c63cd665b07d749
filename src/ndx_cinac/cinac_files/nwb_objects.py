"""The NWB objects that a .cinac file becomes: planes, movies, ROI tables, traces and annotations."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from hdmf.backends.hdf5.h5_utils import H5DataIO
from hdmf.data_utils import DataChunkIterator
from numpy.typing import NDArray
from pynwb import NWBFile
from pynwb.base import TimeSeriesReference
from pynwb.ophys import ImagingPlane, OpticalChannel, PlaneSegmentation, RoiResponseSeries, TwoPhotonSeries

from ..deepcinac.polygons import draw_polygon
from ..neurodata import ActivityAnnotations, AnnotatedSegments, CellTypeAnnotations
from .segments import CinacSegment

BLOCK_FRAMES = 64


def imaging_plane(nwbfile: NWBFile, name: str, description: str, rate: float) -> ImagingPlane:
    """Add an imaging plane of which nothing but its place is known."""
    device = nwbfile.devices.get("Microscope") or nwbfile.create_device(
        name="Microscope", description="unknown"
    )
    channel = OpticalChannel(name="OpticalChannel", description="unknown", emission_lambda=float("nan"))
    return nwbfile.create_imaging_plane(
        name=name,
        optical_channel=channel,
        description=description,
        device=device,
        excitation_lambda=float("nan"),
        indicator="unknown",
        location="unknown",
        imaging_rate=rate,
    )


def movie_series(
    name: str, description: str, movie: Any, plane: ImagingPlane, rate: float, start: float = 0.0
) -> TwoPhotonSeries:
    """Make a movie (time, x, y) of frames (time, y, x), which are read block by block as it is written."""
    n_frames, height, width = movie.shape
    frames = DataChunkIterator(
        data=_turned(movie),
        maxshape=(n_frames, width, height),
        dtype=np.dtype(movie.dtype),
        buffer_size=BLOCK_FRAMES,
    )
    chunks = (min(n_frames, BLOCK_FRAMES), width, height)
    return TwoPhotonSeries(
        name=name,
        description=description,
        data=H5DataIO(frames, compression="gzip", shuffle=True, chunks=chunks),
        unit="n.a.",
        imaging_plane=plane,
        rate=rate,
        starting_time=start,
    )


def _turned(movie: Any) -> Iterator[NDArray[Any]]:
    for first in range(0, movie.shape[0], BLOCK_FRAMES):
        for frame in movie[first : first + BLOCK_FRAMES]:
            yield frame.T


def plane_segmentation(
    name: str,
    description: str,
    plane: ImagingPlane,
    contours: Sequence[NDArray[np.integer]],
    invalid: NDArray[np.integer] | None = None,
    ids: Sequence[int] | None = None,
    frame: tuple[int, int] | None = None,
) -> PlaneSegmentation:
    """Make a table of ROIs: what a contour encloses, and the contour itself, corner by corner.

    Contours may leave the frame (height, width), where that is known; masks do not.
    """
    table = PlaneSegmentation(name=name, description=description, imaging_plane=plane)
    table.add_column("contour_x", "x of the contour's corners, in pixels", index=True)
    table.add_column("contour_y", "y of the contour's corners, in pixels", index=True)
    if invalid is not None:
        table.add_column("invalid", "whether the contour was found to be no cell")
    for row, (x, y) in enumerate(contours):
        values = {} if invalid is None else {"invalid": bool(invalid[row] > 0)}
        table.add_row(
            id=row if ids is None else ids[row],
            pixel_mask=contour_pixels(np.stack([x, y], axis=1), frame),
            contour_x=[int(value) for value in x],
            contour_y=[int(value) for value in y],
            **values,
        )
    return table


def contour_pixels(
    contour: NDArray[np.integer], frame: tuple[int, int] | None
) -> list[tuple[int, int, float]]:
    """Pixels of the frame (height, width) inside and on a contour, as (x, y, 1)."""
    if len(contour) == 0:
        return []
    corner = contour.min(axis=0)
    width, height = contour.max(axis=0) - corner + 1
    inside = draw_polygon((contour - corner).astype(np.float64), int(height), int(width))
    pixels = np.argwhere(inside) + corner[::-1]
    kept = (pixels >= 0).all(axis=1) & (frame is None or (pixels < frame).all(axis=1))
    return [(int(x), int(y), 1.0) for y, x in pixels[kept]]


def trace_series(
    name: str,
    description: str,
    values: NDArray[np.floating],
    rois: PlaneSegmentation,
    rows: list[int],
    rate: float,
    start: float = 0.0,
) -> RoiResponseSeries:
    """Make a series of traces, shape (n_frames, n_rows)."""
    region = rois.create_roi_table_region(region=rows, description="the cells of the columns")
    return RoiResponseSeries(
        name=name,
        description=description,
        data=values,
        rois=region,
        unit="n.a.",
        rate=rate,
        starting_time=start,
    )


class Annotations:
    """The tables of what an annotator said, filled segment by segment.

    Parameters
    ----------
    cells : PlaneSegmentation
        The table that all rows point into.
    rate : float
        Frames per second.
    annotator : str
        Who annotated.
    """

    def __init__(self, cells: PlaneSegmentation, rate: float, annotator: str) -> None:
        self.rate, self.annotator = rate, annotator
        target = {"roi": cells}
        self.activity = ActivityAnnotations(
            name="ActivityAnnotations",
            description="Periods annotated as active or doubtful; frames are counted in the whole movie",
            target_tables=target,
        )
        self.activity.add_column("segment", "the annotated segment that the period lies in")
        self.segments = AnnotatedSegments(
            name="AnnotatedSegments",
            description="Stretches in which a cell was examined; frames are counted in the whole movie",
            target_tables=target,
        )
        for column, description in (
            ("segment", "name of the segment in the .cinac file"),
            ("cell_type", "the cell's type as the segment has it; empty where it has none"),
            ("pixels_around", "DeepCINAC's setting of that name; NaN where the segment has none"),
            ("buffer", "DeepCINAC's setting of that name; NaN where the segment has none"),
        ):
            self.segments.add_column(column, description)
        self.cell_types = CellTypeAnnotations(
            name="CellTypeAnnotations", description="Cell types as annotated", target_tables=target
        )
        self._segment_rows: list[dict[str, Any]] = []
        self._activity_rows: list[dict[str, Any]] = []
        self._cell_type_rows: dict[tuple[int, str], None] = {}  # in the order of the segments, each once

    def add(self, segment: CinacSegment, row: int, movie: TwoPhotonSeries) -> None:
        """Add what one segment says of the cell in row `row` of the table of cells."""
        key = segment.key
        common = {"roi": row, "annotator": self.annotator, "segment": key.name}
        self._segment_rows.append(
            {
                **self._frames(key.first_frame, key.last_frame, "start_time"),
                "stop_time": (key.last_frame + 1) / self.rate,
                **common,
                "cell_type": segment.cell_type or "",
                "pixels_around": _number(segment.pixels_around),
                "buffer": _number(segment.buffer),
                "timeseries": [TimeSeriesReference(0, key.n_frames, movie)],
            }
        )
        for state, values in (("active", segment.active), ("doubtful", segment.doubtful)):
            for first, last in _runs(values):
                frames = self._frames(key.first_frame + first, key.first_frame + last, "timestamp")
                duration = (last + 1 - first) / self.rate
                self._activity_rows.append({**frames, "duration": duration, "state": state, **common})
        if segment.cell_type is not None:
            self._cell_type_rows[row, segment.cell_type] = None

    def tables(self) -> list[Any]:
        """Fill the tables in the order of time, and return those that hold anything."""
        for entry in sorted(self._segment_rows, key=_by_frame):
            self.segments.add_row(**entry)
        for entry in sorted(self._activity_rows, key=_by_frame):
            self.activity.add_row(**entry)
        for row, cell_type in self._cell_type_rows:
            self.cell_types.add_row(roi=row, cell_type=cell_type, annotator=self.annotator)
        return [table for table in (self.activity, self.segments, self.cell_types) if len(table)]

    def _frames(self, first: int, last: int, start: str) -> dict[str, Any]:
        """Frames of a period, whose last one belongs to it, and the time `start` of its first."""
        return {"first_frame": first, "last_frame": last, start: first / self.rate}


def _by_frame(entry: dict[str, Any]) -> tuple[int, int]:
    return entry["first_frame"], entry["roi"]


def _runs(values: NDArray[np.integer] | None) -> list[tuple[int, int]]:
    """First and last index of each unbroken run of values that are not 0."""
    if values is None:
        return []
    change = np.diff(np.concatenate([[0], values != 0, [0]]).astype(np.int8))
    firsts, ends = np.flatnonzero(change == 1), np.flatnonzero(change == -1)
    return [(int(first), int(end) - 1) for first, end in zip(firsts, ends, strict=True)]


def _number(value: float | None) -> float:
    return float("nan") if value is None else float(value)
