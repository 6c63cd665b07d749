"""What a .cinac file holds, as plain arrays: annotated segments of one cell each, and the whole movie."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import ReadingError


class SegmentKey(NamedTuple):
    """Which cell, and its first and last frame (both belong to the segment), counted in the whole movie."""

    cell: int
    first_frame: int
    last_frame: int

    @property
    def name(self) -> str:
        """The segment's group in the file."""
        return f"cell_{self.cell}_{self.first_frame}_{self.last_frame}"

    @property
    def n_frames(self) -> int:
        """Number of frames."""
        return self.last_frame - self.first_frame + 1


@dataclass(frozen=True)
class CinacSegment:
    """A stretch of frames in which one cell was examined, with the part of the movie around it.

    Attributes
    ----------
    key : SegmentKey
        Cell and frames.
    movie : ndarray, shape (n_frames, height, width)
        The part of the movie around the cell. DeepCINAC's annotation tool stores standard scores over the
        whole movie.
    active : ndarray of int, shape (n_frames,)
        1 where the cell was found active ("raster_dur" in the file).
    contours : tuple of ndarray of int, each of shape (2, n_points)
        Contours in this movie, x and y in pixels: the cell's own first, then those of cells that touch it.
    raw_trace, smooth_trace : ndarray or None, shape (n_frames,)
        Normalised fluorescence.
    doubtful : ndarray of int or None, shape (n_frames,)
        1 where the annotator could not tell.
    invalid_cells : ndarray of int or None, shape (n_contours,)
        1 for contours that are no cells and are to be left out.
    cell_type : str or None
        The cell's type, where known.
    pixels_around, buffer : float or None
        How the annotator saw the cell's surroundings; DeepCINAC does not use them any more.
    """

    key: SegmentKey
    movie: NDArray[Any]
    active: NDArray[np.integer]
    contours: tuple[NDArray[np.integer], ...]
    raw_trace: NDArray[np.floating] | None = None
    smooth_trace: NDArray[np.floating] | None = None
    doubtful: NDArray[np.integer] | None = None
    invalid_cells: NDArray[np.integer] | None = None
    cell_type: str | None = None
    pixels_around: float | None = None
    buffer: float | None = None

    def __post_init__(self) -> None:
        n_frames, n_contours = self.key.n_frames, len(self.contours)
        if n_contours < 1:
            what = "The segment has no contour; the first is the cell's own"
            raise ReadingError(what, where=self.key.name)
        expected = {
            "movie": (self.movie, n_frames),
            "active": (self.active, n_frames),
            "raw_trace": (self.raw_trace, n_frames),
            "smooth_trace": (self.smooth_trace, n_frames),
            "doubtful": (self.doubtful, n_frames),
            "invalid_cells": (self.invalid_cells, n_contours),
        }
        for name, (values, length) in expected.items():
            dimensions = 3 if name == "movie" else 1
            if values is not None and (values.ndim != dimensions or len(values) != length):
                what = f"'{name}' has shape {values.shape}, but the segment has {length} of them"
                raise ReadingError(what, where=self.key.name)

    @property
    def valid_contours(self) -> list[NDArray[np.integer]]:
        """The contours that are not marked as invalid, the cell's own first."""
        invalid = np.zeros(len(self.contours)) if self.invalid_cells is None else self.invalid_cells
        return [contour for contour, bad in zip(self.contours, invalid, strict=True) if not bad > 0]


@dataclass(frozen=True)
class CinacFullData:
    """What a file says of the whole movie.

    Attributes
    ----------
    contours : tuple of ndarray of int, each of shape (2, n_points)
        Contour of every cell in the whole frame, x and y in pixels.
    n_frames, n_cells : int or None
        Size of the recording.
    raw_traces, smooth_traces : ndarray or None, shape (n_cells, n_frames)
        Normalised fluorescence.
    invalid_cells : ndarray of int or None, shape (n_cells,)
        1 for contours that are no cells.
    movie_file_name : str or None
        The movie's file, where the file only names it.
    movie : ndarray or h5py.Dataset or None, shape (n_frames, height, width)
        The whole movie; one that was read stays in its file and can be used while that is open.
    """

    contours: tuple[NDArray[np.integer], ...] = ()
    n_frames: int | None = None
    n_cells: int | None = None
    raw_traces: NDArray[np.floating] | None = None
    smooth_traces: NDArray[np.floating] | None = None
    invalid_cells: NDArray[np.integer] | None = None
    movie_file_name: str | None = None
    movie: Any = None
