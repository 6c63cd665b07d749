"""Movies in TIFF stacks: one or several files, page by page; any byte order, BigTIFF, ImageJ hyperstacks."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ReadingError
from ..extras import require
from ..movies import Movie, native_dtype

TIFF_SUFFIXES = (".tif", ".tiff", ".btf", ".tf8")


def is_tiff(path: str | Path) -> bool:
    """Whether a path's name is that of a TIFF file."""
    return str(path).lower().endswith(TIFF_SUFFIXES)


class TiffMovie(Movie):
    """One or several TIFF stacks, one after another in time.

    Pages are the frames; an image's rows run along the movie's first spatial axis. Only one file is open at a
    time, and only the pages asked for are decoded.

    Parameters
    ----------
    paths : sequence of Path
        The files, in order of time.
    starting_frames : sequence of int, optional
        Frame of the movie at which each file begins; files are put in that order.

    Raises
    ------
    ReadingError
        If a file is missing, is no TIFF stack of one plane and one channel, differs in shape or type from the
        others, or does not begin where the one before it ends.
    MissingExtraError
        If tifffile is not installed.
    """

    def __init__(self, paths: Sequence[Path], starting_frames: Sequence[int] | None = None) -> None:
        self._tifffile = require("tifffile", extra="predict", feature="A movie in TIFF files")
        self._lock = Lock()
        self._open_index: int | None = None
        self._file: Any = None
        self._stack: _Stack | None = None
        order = list(range(len(paths)))
        if starting_frames is not None:
            order.sort(key=lambda i: starting_frames[i])
        self.paths = [Path(paths[i]) for i in order]
        try:
            stacks = [self._described(index) for index in range(len(self.paths))]
        finally:
            self.close()
        counts, frame_shapes, dtypes = zip(*stacks, strict=True)
        for path, frame_shape, dtype in zip(self.paths, frame_shapes, dtypes, strict=True):
            if frame_shape != frame_shapes[0] or dtype != dtypes[0]:
                here, there = f"{frame_shape} {dtype}", f"{frame_shapes[0]} {dtypes[0]}"
                what = (
                    f"The movie's TIFF files differ: {here} in {path.name}, {there} in {self.paths[0].name}"
                )
                raise ReadingError(what, where=str(path))
        self._starts = np.concatenate([[0], np.cumsum(counts)]).astype(int)
        if starting_frames is not None:
            self._check_starts([int(starting_frames[i]) for i in order])
        self.shape = (int(self._starts[-1]), *frame_shapes[0])
        self.dtype = native_dtype(dtypes[0], str(self.paths[0]))

    def read(self, start: int, stop: int) -> NDArray[Any]:
        """Frames ``start`` to ``stop`` (exclusive)."""
        start, stop, _ = slice(start, stop).indices(self.n_frames)
        frames = np.empty((max(0, stop - start), *self.shape[1:]), self.dtype)
        with self._lock:
            for index in range(len(self.paths)):
                first, last = max(start, self._starts[index]), min(stop, self._starts[index + 1])
                if first < last:
                    stack = self._opened(index)
                    offset = self._starts[index]
                    try:
                        stack.read_into(frames[first - start : last - start], int(first - offset))
                    except Exception as error:  # of any decoder
                        what = (
                            f"Frames {first} to {last - 1} cannot be read from '{self.paths[index]}': {error}"
                        )
                        raise ReadingError(what, fix="Check that the file is whole") from error
        return frames

    def close(self) -> None:
        """Close the file that is open."""
        if self._file is not None:
            self._file.close()
        self._file, self._stack, self._open_index = None, None, None

    def _described(self, index: int) -> tuple[int, tuple[int, int], np.dtype]:
        """Return number of frames, their shape and their type in one file."""
        stack = self._opened(index)
        return stack.n_frames, stack.frame_shape, stack.dtype

    def _opened(self, index: int) -> _Stack:
        """Open one file, closing the one before."""
        if self._stack is None or self._open_index != index:
            self.close()
            path = self.paths[index]
            if not path.is_file():
                what = f"The movie's TIFF file '{path}' does not exist"
                raise ReadingError(what, fix="Put it there, or name the movie with movie= (--movie)")
            try:
                self._file = self._tifffile.TiffFile(path)
                self._stack = _Stack(self._file, path)
            except (self._tifffile.TiffFileError, OSError, ValueError, IndexError) as error:
                what = f"'{path}' cannot be read as a TIFF file: {error}"
                raise ReadingError(what) from error
            self._open_index = index
        return self._stack

    def _check_starts(self, starting: list[int]) -> None:
        """Raise where a file does not begin at the frame where the one before it ends."""
        for index in range(1, len(starting)):
            found = int(self._starts[index] - self._starts[index - 1])
            said = starting[index] - starting[index - 1]
            if found != said:
                path = self.paths[index - 1]
                what = f"starting_frame says that '{path.name}' holds {said} frames, the file holds {found}"
                raise ReadingError(what, where=str(path), fix="Correct starting_frame, or the files")


class _Stack:
    """The frames of one open TIFF file."""

    def __init__(self, file: Any, path: Path) -> None:
        self.path = path
        self._file = file
        series = file.series[0]
        sizes = {axis: size for axis, size in zip(series.axes, series.shape, strict=True) if size > 1}
        axes = f"axes {series.axes}, shape {series.shape}"
        if "S" in sizes or "C" in sizes:
            what = f"The TIFF stack has several channels or colours: {axes}"
            raise ReadingError(what, where=str(path), fix="Give a stack of one channel")
        if len([axis for axis in sizes if axis not in "XY"]) > 1:
            what = f"The TIFF stack has more than one axis beside the two of space: {axes}"
            raise ReadingError(what, where=str(path), fix="Give a stack of one plane")
        page = file.pages[0]
        self.frame_shape: tuple[int, int] = (int(page.imagelength), int(page.imagewidth))
        self.dtype = np.dtype(page.dtype).newbyteorder("=")
        frame_pixels = self.frame_shape[0] * self.frame_shape[1]
        pages = len(file.pages)
        in_series = int(np.prod(series.shape)) // frame_pixels
        # ImageJ writes large stacks as one page followed by raw frames: more frames than pages.
        self.n_frames = in_series if pages == 1 else pages
        self._offset = series.dataoffset if in_series == self.n_frames else None
        if self._offset is None and self.n_frames != pages:
            what = f"The TIFF file holds {pages} pages and says that it holds {in_series} frames"
            raise ReadingError(what, where=str(path))
        self._stored = self.dtype.newbyteorder(file.byteorder)

    def read_into(self, frames: NDArray[Any], start: int) -> None:
        """Fill `frames` with those that begin at index `start` of this file."""
        if self._offset is not None:
            handle = self._file.filehandle
            handle.seek(self._offset + start * frames[0].size * self._stored.itemsize)
            frames[...] = handle.read_array(self._stored, count=frames.size).reshape(frames.shape)
            return
        for index in range(len(frames)):
            image = np.squeeze(self._file.pages[start + index].asarray())
            if image.shape != self.frame_shape:
                what = f"Page {start + index} has shape {image.shape}, the first page {self.frame_shape}"
                raise ReadingError(what, where=str(self.path))
            frames[index] = image
