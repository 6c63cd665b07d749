"""DeepCINAC's .cinac files of annotated segments: read and written, without DeepCINAC."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from ..errors import OutputError, ReadingError
from ..hdf5_files import FilePart
from ..hdf5_heaps import heap_fault
from ..hdf5_probe import crash_fault
from .parts import array_of, contours_of, movie_of, number_of, text_of
from .segments import CinacFullData, CinacSegment, SegmentKey

FULL_DATA = "full_data"
SEGMENT_ATTRIBUTES = ("pixels_around", "buffer", "cell_type")
SEGMENT_DATASETS = (
    "ci_movie",
    "raster_dur",
    "cells_contour",
    "raw_traces",
    "smooth_traces",
    "doubtful_frames",
    "invalid_cells",
)
FULL_ATTRIBUTES = ("n_frames", "n_cells", "ci_movie_file_name")
FULL_DATASETS = ("cells_contour", "raw_traces", "smooth_traces", "invalid_cells", "ci_movie")


class CinacFile:
    """A .cinac file, open for reading; a context manager.

    Parameters
    ----------
    path : str or Path
        The file.

    Attributes
    ----------
    path : Path
        The file.
    segments : tuple of SegmentKey
        Its segments, in the order of cell, first and last frame.
    unknown : tuple of str
        Objects and attributes that no .cinac file is known to have; they are not read.

    Raises
    ------
    ReadingError
        If it is no HDF5 file, or holds nothing that a .cinac file does.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        try:
            fault = heap_fault(self.path) or crash_fault(self.path)
            if fault:
                what = f"The .cinac file is damaged: {fault}"
                raise ReadingError(what, where=str(self.path), fix="Copy it again from where it was made")
            self._file = h5py.File(self.path, "r")
        except OSError as error:
            missing = isinstance(error, FileNotFoundError)
            what = f"The .cinac file {'does not exist' if missing else f'cannot be opened: {error}'}"
            raise ReadingError(what, where=str(self.path)) from error
        try:
            self._root = FilePart(self._file, str(self.path), ReadingError)
            self.segments = tuple(sorted(key for key in map(_segment_key, self._names()) if key is not None))
            if not self.segments and FULL_DATA not in self._root:
                what = "The file holds neither segments nor a whole movie"
                raise ReadingError(what, where=str(self.path), fix="Give a .cinac file of DeepCINAC")
            self.unknown = tuple(self._find_unknown())
        except (OSError, RuntimeError, ValueError, KeyError) as error:  # of HDF5, where the file is damaged
            self._file.close()
            what = f"The .cinac file is damaged: {error}"
            raise ReadingError(what, where=str(self.path)) from error
        except ReadingError:
            self._file.close()
            raise

    @property
    def name(self) -> str:
        """The file's name without its extension."""
        return self.path.name.removesuffix(".cinac")

    def read_segment(self, segment: tuple[int, int, int]) -> CinacSegment:
        """Read one of `segments` into memory.

        Raises
        ------
        ReadingError
            If there is no such segment, or one of its arrays is missing or of the wrong length.
        """
        key = SegmentKey(*(int(number) for number in segment))
        if key not in self.segments:
            what = f"There is no segment {key.name}; there are {[k.name for k in self.segments]}"
            raise ReadingError(what, where=str(self.path))
        group = self._root.part(key.name)
        for required in SEGMENT_DATASETS[:3]:
            if required not in group:
                what = f"The segment has no '{required}'"
                raise ReadingError(what, where=f"{self.path}, /{key.name}")
        return CinacSegment(
            key=key,
            movie=group.array("ci_movie"),
            active=group.array("raster_dur"),
            contours=contours_of(group),
            raw_trace=array_of(group, "raw_traces"),
            smooth_trace=array_of(group, "smooth_traces"),
            doubtful=array_of(group, "doubtful_frames"),
            invalid_cells=array_of(group, "invalid_cells"),
            cell_type=text_of(group, "cell_type"),
            pixels_around=number_of(group, "pixels_around"),
            buffer=number_of(group, "buffer"),
        )

    @property
    def full_data(self) -> CinacFullData | None:
        """What the file says of the whole movie, None if nothing; the movie itself stays in the file."""
        if FULL_DATA not in self._root:
            return None
        group = self._root.part(FULL_DATA)
        counts = {name: number_of(group, name) for name in ("n_frames", "n_cells")}
        return CinacFullData(
            contours=contours_of(group),
            raw_traces=array_of(group, "raw_traces"),
            smooth_traces=array_of(group, "smooth_traces"),
            invalid_cells=array_of(group, "invalid_cells"),
            movie_file_name=text_of(group, "ci_movie_file_name"),
            movie=movie_of(group),
            **{name: None if count is None else int(count) for name, count in counts.items()},
        )

    @property
    def cell_types(self) -> dict[int, str]:
        """Type of each cell that has one: what its first segment with a type says."""
        found: dict[int, str] = {}
        for key in self.segments:
            cell_type = text_of(self._root.part(key.name), "cell_type")
            if cell_type is not None:
                found.setdefault(key.cell, cell_type)
        return found

    @property
    def n_cells(self) -> int | None:
        """Number of cells in the whole movie, where the file says so."""
        full = self.full_data
        return None if full is None else len(full.contours) or full.n_cells

    @property
    def n_annotated_frames(self) -> int:
        """Number of frames in all segments together."""
        return sum(key.n_frames for key in self.segments)

    @property
    def n_active_frames(self) -> int:
        """Number of frames in which the segments' cells are active."""
        groups = (self._root.part(key.name) for key in self.segments)
        active = (group.array("raster_dur") for group in groups if "raster_dur" in group)
        return sum(int(np.count_nonzero(values)) for values in active)

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def __enter__(self) -> CinacFile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _names(self) -> list[str]:
        """Names of the file's groups; those that are no UTF-8 come from h5py as bytes."""
        return [name.decode("utf-8", "replace") if isinstance(name, bytes) else name for name in self._file]

    def _find_unknown(self) -> Iterable[str]:
        names = {key.name for key in self.segments}
        yield from (f"@{name}" for name in self._file.attrs)
        for name in self._names():
            if name not in names and name != FULL_DATA:
                yield name
                continue
            group = self._root.part(name).group
            full = name == FULL_DATA
            attributes, datasets = (
                (FULL_ATTRIBUTES, FULL_DATASETS) if full else (SEGMENT_ATTRIBUTES, SEGMENT_DATASETS)
            )
            yield from (f"{name}/@{attribute}" for attribute in group.attrs if attribute not in attributes)
            yield from (f"{name}/{dataset}" for dataset in group if dataset not in datasets)


def write_cinac(
    path: str | Path,
    segments: Iterable[CinacSegment],
    full_data: CinacFullData | None = None,
    *,
    overwrite: bool = False,
) -> Path:
    """Write a .cinac file that this module and DeepCINAC can read.

    Parameters
    ----------
    path : str or Path
        The file.
    segments : iterable of CinacSegment
        Taken one at a time.
    full_data : CinacFullData, optional
        What is known of the whole movie.
    overwrite : bool, default: False
        Replace a file that exists.

    Raises
    ------
    OutputError
        If the file exists, a segment occurs twice, or a contour's corners are no whole pixels; nothing is
        left behind then.
    """
    goal = Path(path)
    if goal.exists() and not overwrite:
        what = "The file exists already"
        raise OutputError(what, where=str(goal), fix="Choose another name, or overwrite it")
    partial = goal.with_name(f".{goal.name}.partial")
    try:
        with h5py.File(partial, "w") as file:
            for segment in segments:
                if segment.key.name in file:
                    what = f"Two segments are called {segment.key.name}"
                    raise OutputError(what, where=str(goal))
                _write_segment(file.create_group(segment.key.name), segment)
            if full_data is not None:
                _write_full_data(file.create_group(FULL_DATA), full_data)
        partial.replace(goal)
    finally:
        partial.unlink(missing_ok=True)
    return goal


def _write_segment(group: h5py.Group, segment: CinacSegment) -> None:
    _write_attributes(group, {name: getattr(segment, name) for name in SEGMENT_ATTRIBUTES})
    _write_contours(group, segment.contours)
    arrays = {
        "ci_movie": segment.movie,
        "raster_dur": segment.active,
        "raw_traces": segment.raw_trace,
        "smooth_traces": segment.smooth_trace,
        "doubtful_frames": segment.doubtful,
        "invalid_cells": segment.invalid_cells,
    }
    _write_arrays(group, arrays)


def _write_full_data(group: h5py.Group, full: CinacFullData) -> None:
    counts = {"n_frames": full.n_frames, "n_cells": full.n_cells}
    _write_attributes(group, counts | {"ci_movie_file_name": full.movie_file_name})
    _write_contours(group, full.contours)
    names = ("raw_traces", "smooth_traces", "invalid_cells")
    _write_arrays(group, {name: getattr(full, name) for name in names} | {"ci_movie": full.movie})


def _write_attributes(group: h5py.Group, values: dict[str, Any]) -> None:
    for name, value in values.items():
        if value is not None:
            group.attrs[name] = value


def _write_arrays(group: h5py.Group, arrays: dict[str, Any]) -> None:
    for name, values in arrays.items():
        if values is not None:
            group.create_dataset(name, data=values)


def _write_contours(group: h5py.Group, contours: tuple[NDArray[np.integer], ...]) -> None:
    ragged = h5py.vlen_dtype(np.dtype("int32"))
    dataset = group.create_dataset("cells_contour", shape=(len(contours), 2), dtype=ragged)
    for row, contour in enumerate(contours):
        corners = np.asarray(contour).astype(np.int32)
        if not np.array_equal(corners, contour):
            what = f"Contour {row} has corners between pixels, which a .cinac file cannot hold"
            raise OutputError(what, where=group.name, fix="Round them")
        for axis in range(2):
            dataset[row, axis] = corners[axis]


def _segment_key(name: str) -> SegmentKey | None:
    """Take a group's name apart: ``cell_CELL_FIRST_LAST``; None for any other name."""
    found = re.fullmatch(r"cell_([0-9]{1,9})_([0-9]{1,9})_([0-9]{1,9})", name)
    return None if found is None else SegmentKey(*(int(number) for number in found.groups()))
