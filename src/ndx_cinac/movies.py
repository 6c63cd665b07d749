"""Lazy movies: frames are read in blocks from HDF5, Zarr or arrays (TIFF: `tiff_movies`), never whole."""

from __future__ import annotations

import logging
import math
import shutil
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Iterator
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .chunk_reading import GzipChunks
from .errors import ReadingError
from .frame_files import FrameFile
from .hdf5_files import empty_claim

BLOCK_BYTES = 128 * 2**20
"""Most bytes of frames that are read together."""

COPY_BYTES = 512 * 2**20
"""Most bytes in memory while a movie of very long chunks is copied."""

MOST_FRAMES = 100_000_000
"""Frames beyond which a movie is no recording: 38 days at 30 Hz. What is kept per frame would fill memory."""

LARGEST_FRAME = 2**30
"""Bytes beyond which a frame, or a chunk, is not read."""

logger = logging.getLogger(__name__)


class Movie(ABC):
    """A movie of shape (n_frames, first, second), spatial axes as stored.

    Attributes
    ----------
    shape : tuple of int
        (n_frames, first, second).
    dtype : numpy.dtype
        Type of the stored pixels, in native byte order.
    chunk_frames : int
        Frames that are best read together: one chunk, one strip, one page.
    temporary_bytes : int
        Bytes of disk that reading the whole movie takes for a while; 0 for most.
    """

    shape: tuple[int, int, int]
    dtype: np.dtype
    chunk_frames: int = 1
    temporary_bytes: int = 0

    @property
    def n_frames(self) -> int:
        """Number of frames."""
        return self.shape[0]

    @property
    def frame_bytes(self) -> int:
        """Bytes of one frame in memory."""
        return self.shape[1] * self.shape[2] * self.dtype.itemsize

    @abstractmethod
    def read(self, start: int, stop: int) -> NDArray[Any]:
        """Frames ``start`` to ``stop`` (exclusive) as stored, in native byte order.

        The result has shape (stop - start, first, second). May be called from one other thread.
        """

    def expect_all(self) -> None:  # noqa: B027 - most movies are read as they lie
        """Be told that all frames are going to be read, in blocks."""

    def close(self) -> None:  # noqa: B027 - most movies hold nothing open
        """Release what the movie holds open."""


class ArrayMovie(Movie):
    """A movie that is in memory already, or anything that slices like an array (a memory map)."""

    def __init__(self, frames: NDArray[Any]) -> None:
        self.shape = movie_shape(frames.shape, where=None)
        self.dtype = native_dtype(frames.dtype, where=None)
        self._plane = _plane_index(frames.shape)
        self._frames = frames

    def read(self, start: int, stop: int) -> NDArray[Any]:
        """Frames ``start`` to ``stop`` (exclusive)."""
        return np.asarray(self._frames[(slice(start, stop), *self._plane)], dtype=self.dtype)


class StoredMovie(Movie):
    """A movie in an HDF5 or Zarr dataset of shape (n_frames, first, second) or (n_frames, first, second, 1).

    Some writers store chunks that hold many more frames than fit in memory together (all frames x 16 x 16
    pixels): each block of frames then decompresses the whole movie again. Such a movie is copied once to a
    temporary file without compression, as soon as reading it directly has cost as much.

    Parameters
    ----------
    dataset : h5py.Dataset or zarr.Array
        The stored frames; open as long as its file is.
    where : str
        The object's path, for messages.
    block_bytes : int
        Most bytes of frames that are read together.
    """

    READS_BEFORE_COPY = 3
    """A copy costs about as much as so many passes over all chunks."""

    def __init__(self, dataset: Any, where: str, *, block_bytes: int = BLOCK_BYTES) -> None:
        self.shape = movie_shape(dataset.shape, where)
        self.dtype = native_dtype(dataset.dtype, where)
        self._dataset = dataset
        self._plane = _plane_index(dataset.shape)
        self._where = where
        claim = empty_claim(dataset)
        if claim:
            what = f"The movie was never written, or for the least part: of shape {self.shape}, {claim}"
            raise ReadingError(what, where=where, fix="Copy the file again from where it was recorded")
        chunks = getattr(dataset, "chunks", None) or (1, *self.shape[1:])
        _check_sizes(self.shape, chunks, self.dtype.itemsize, where)
        self._chunks = tuple(min(chunk, length) for chunk, length in zip(chunks[:3], self.shape, strict=True))
        long = self._chunks[0] > max(1, block_bytes // self.frame_bytes)
        self.chunk_frames = 1 if long else self._chunks[0]
        self.temporary_bytes = self.n_frames * self.frame_bytes if long else 0
        self._direct_reads = 0
        self._may_copy = True
        self._lock = Lock()
        self._copy: FrameFile | None = None
        self._gzip = GzipChunks(dataset) if GzipChunks.can_read(dataset) else None

    @property
    def dataset(self) -> Any:
        """The stored frames."""
        return self._dataset

    @property
    def copied(self) -> bool:
        """Whether frames come from a temporary copy now."""
        return self._copy is not None

    def expect_all(self) -> None:
        """Copy a movie of very long chunks when it is read next, so that each chunk is read once."""
        self.READS_BEFORE_COPY = 0

    def read(self, start: int, stop: int) -> NDArray[Any]:
        """Frames ``start`` to ``stop`` (exclusive)."""
        if self.temporary_bytes:
            with self._lock:
                self._direct_reads += 1
                if self._copy is None and self._may_copy and self._direct_reads > self.READS_BEFORE_COPY:
                    self._make_copy()
        if self._copy is not None:
            return self._copy.read(start, stop)
        return self._read_stored(start, stop)

    def _read_stored(self, start: int, stop: int) -> NDArray[Any]:
        """Read frames from the dataset; of those that cannot be read, the first are named."""
        try:
            return self._box(slice(start, stop), *self._plane[:2])
        except (OSError, RuntimeError, ValueError) as error:  # a checksum, a filter, a part that is missing
            if not getattr(self._dataset, "id", True):
                what = "The movie's file is closed"
                fix = "Read the movie while the recording is open: inside its 'with' block"
                raise ReadingError(what, where=self._where, fix=fix) from error
            step = self._chunks[0]
            first = start // step * step
            if first + step >= stop:
                what = (
                    f"Frames {start} to {min(stop, self.n_frames) - 1} of the movie cannot be read: {error}"
                )
                fix = "Copy the file again from where it was recorded: these chunks are damaged"
                raise ReadingError(what, where=self._where, fix=fix) from error
        middle = first + max(1, (stop - first) // step // 2) * step
        parts = self._read_stored(start, middle), self._read_stored(middle, stop)
        return np.concatenate(parts)

    def _box(self, *box: slice) -> NDArray[Any]:
        """Read a box of frames, lines and columns, by threads where its chunks allow that."""
        found = None if self._gzip is None else self._gzip.read(*box)
        if found is None:
            found = self._dataset[(*box, *self._plane[2:])]
        return np.asarray(found, dtype=self.dtype).reshape(np.shape(found)[:3])

    def _make_copy(self) -> None:
        """Copy the movie to a temporary file, frame after frame, reading every chunk once."""
        folder = tempfile.gettempdir()
        free = shutil.disk_usage(folder).free
        if free < 1.1 * self.temporary_bytes:
            needed, have = self.temporary_bytes / 1e9, free / 1e9
            text = "No room for a temporary copy of the movie (%.1f GB, %s has %.1f GB): reading will be slow"
            logger.warning(text, needed, folder, have)
            self._may_copy = False
            return
        copy = FrameFile(self.shape, self.dtype)
        frames, lines, columns = self._chunks
        # Whole lines where they fit: a narrow tile is written line by line.
        tile = frames * lines * columns * self.dtype.itemsize
        columns = min(self.shape[2], max(1, COPY_BYTES // tile) * columns)
        for line in range(0, self.shape[1], lines):
            for column in range(0, self.shape[2], columns):
                for start in range(0, self.n_frames, frames):
                    part = (
                        slice(start, start + frames),
                        slice(line, line + lines),
                        slice(column, column + columns),
                    )
                    try:
                        tile = self._box(*part)
                    except (OSError, RuntimeError, ValueError) as error:
                        last = min(start + frames, self.n_frames) - 1
                        what = f"Frames {start} to {last} of the movie cannot be read: {error}"
                        fix = "Copy the file again from where it was recorded: these chunks are damaged"
                        raise ReadingError(what, where=self._where, fix=fix) from error
                    copy.write(tile, (start, line, column))
        self._copy = copy

    def close(self) -> None:
        """Release the temporary copy."""
        if self._copy is not None:
            self._copy.close()
            self._copy = None


def iterate_blocks(movie: Movie, block_frames: int) -> Iterator[tuple[int, int]]:
    """Ranges of about `block_frames` frames that cover the movie and begin where its chunks do.

    Yields
    ------
    start, stop : int
        The next frames to read together, stop exclusive.
    """
    chunks = max(1, round(block_frames / movie.chunk_frames))
    step = chunks * movie.chunk_frames
    for start in range(0, movie.n_frames, step):
        yield start, min(start + step, movie.n_frames)


def native_dtype(dtype: Any, where: str | None) -> np.dtype:
    """Return `dtype` in native byte order.

    Raises
    ------
    ReadingError
        If it is not that of numbers.
    """
    kind: np.dtype = np.dtype(dtype)
    if kind.kind not in "buif":
        what = f"The movie's pixels are no whole or real numbers: they have type {kind}"
        raise ReadingError(what, where=where)
    return kind.newbyteorder("=")


def movie_shape(shape: tuple[int, ...], where: str | None) -> tuple[int, int, int]:
    """Shape of a movie, without the axis of a single plane.

    Raises
    ------
    ReadingError
        If it is not that of a movie of one plane and one channel, or holds nothing.
    """
    lengths = tuple(int(length) for length in shape)
    if 0 in lengths or not lengths:
        what = f"The movie holds no frames or no pixels: its shape is {lengths}"
        raise ReadingError(what, where=where)
    if len(lengths) == 4 and lengths[3] == 1:
        lengths = lengths[:3]
    if len(lengths) == 4:
        what = f"The movie has four axes, {lengths}: it holds several planes, or colours"
        fix = "Give one plane and one channel as an array of shape (frame, first, second) with movie="
        raise ReadingError(what, where=where, fix=fix)
    if len(lengths) != 3:
        what = f"A movie has three axes (frame and two of space), this one has shape {lengths}"
        raise ReadingError(what, where=where)
    return lengths[0], lengths[1], lengths[2]


def _check_sizes(shape: tuple[int, int, int], chunks: tuple[int, ...], item: int, where: str | None) -> None:
    """Refuse a movie whose number of frames, frames or chunks cannot be meant."""
    frame, chunk = shape[1] * shape[2] * item, math.prod(chunks) * item
    fix = "Copy the file again from where it was recorded"
    if shape[0] > MOST_FRAMES:
        what = f"The movie has {shape[0]:,} frames, more than {MOST_FRAMES:,}"
        raise ReadingError(what, where=where, fix=fix)
    if frame > LARGEST_FRAME:
        what = f"The movie's frames of {shape[1]} x {shape[2]} pixels have {frame:,} bytes each"
        raise ReadingError(what, where=where, fix=fix)
    if chunk > 2 * LARGEST_FRAME:
        what = f"The movie's chunks of {tuple(chunks)} have {chunk:,} bytes, which do not fit in memory"
        raise ReadingError(what, where=where, fix="Store it anew in chunks of some megabytes")


def _plane_index(shape: tuple[int, ...]) -> tuple[Any, ...]:
    """Index after the frame's that leaves two spatial axes."""
    return (slice(None), slice(None), 0) if len(shape) == 4 else (slice(None), slice(None))
