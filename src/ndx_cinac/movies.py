"""Lazy movies: frames are read in blocks from HDF5, Zarr or arrays (`tiff_movies` adds TIFF files), never whole."""

from __future__ import annotations

import tempfile
from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .errors import ReadingError

BLOCK_BYTES = 128 * 2**20
"""Most bytes that a movie advises to read together, and that it holds at a time while it is rearranged."""


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
    """

    shape: tuple[int, int, int]
    dtype: np.dtype
    chunk_frames: int = 1

    @property
    def n_frames(self) -> int:
        """Number of frames."""
        return self.shape[0]

    @property
    def frame_bytes(self) -> int:
        """Bytes of one frame in memory."""
        return self.shape[1] * self.shape[2] * self.dtype.itemsize

    @abstractmethod
    def read(self, start: int, stop: int) -> NDArray:
        """Frames ``start`` to ``stop`` (exclusive) as stored, shape (stop - start, first, second), native byte order."""

    def close(self) -> None:  # noqa: B027 - most movies hold nothing open
        """Release what the movie holds open."""


class ArrayMovie(Movie):
    """A movie that is in memory already, or anything that slices like an array (a memory map)."""

    def __init__(self, frames: NDArray) -> None:
        self._plane = _plane_index(frames.shape, where=None)
        self._frames = frames
        self.shape = movie_shape(frames.shape, where=None)
        self.dtype = native_dtype(frames.dtype, where=None)

    def read(self, start: int, stop: int) -> NDArray:
        """Frames ``start`` to ``stop`` (exclusive)."""
        return np.asarray(self._frames[(slice(start, stop), *self._plane)], dtype=self.dtype)


class StoredMovie(Movie):
    """A movie in an HDF5 or Zarr dataset of shape (n_frames, first, second) or (n_frames, first, second, 1).

    Some writers store chunks that hold many more frames than fit in memory together (all frames x 16 x 16 pixels): each
    block of frames then decompresses the whole movie again. Such a movie is copied once, block by block, to a temporary
    file without compression, as soon as reading it directly would cost more.

    Parameters
    ----------
    dataset : h5py.Dataset or zarr.Array
        The stored frames; stays open as long as its file.
    where : str
        The object's path, for messages.
    block_bytes : int
        Most bytes of frames to read at a time.
    """

    READS_BEFORE_COPY = 3
    """A copy costs about as much as two passes over the chunks: reading this often directly was worth as much."""

    def __init__(self, dataset: Any, where: str, *, block_bytes: int = BLOCK_BYTES) -> None:
        self.shape = movie_shape(dataset.shape, where)
        self.dtype = native_dtype(dataset.dtype, where)
        self._dataset = dataset
        self._plane = _plane_index(dataset.shape, where)
        self._block_frames = max(1, block_bytes // self.frame_bytes)
        chunks = getattr(dataset, "chunks", None)
        self._chunks: tuple[int, ...] | None = tuple(chunks) if chunks else None
        stored_together = min(self._chunks[0], self.n_frames) if self._chunks else 1
        self._long_chunks = stored_together > self._block_frames
        self.chunk_frames = 1 if self._long_chunks else stored_together
        self._direct_reads = 0
        self._copy: NDArray | None = None

    @property
    def temporary_bytes(self) -> int:
        """Bytes of disk that a temporary copy takes when the whole movie is read; 0 where none is needed."""
        return self.n_frames * self.frame_bytes if self._long_chunks else 0

    def read(self, start: int, stop: int) -> NDArray:
        """Frames ``start`` to ``stop`` (exclusive)."""
        if self._long_chunks and self._copy is None:
            self._direct_reads += 1
            if self._direct_reads > self.READS_BEFORE_COPY:
                self._copy = self._rearranged()
        if self._copy is not None:
            return np.array(self._copy[start:stop])
        frames = self._dataset[(slice(start, stop), slice(None), slice(None), *self._plane[2:])]
        return np.asarray(frames, dtype=self.dtype)

    def _rearranged(self) -> NDArray:
        """Copy the movie to a temporary file, frame after frame, reading every chunk once."""
        assert self._chunks is not None
        row_bytes = self.n_frames * self.shape[2] * self.dtype.itemsize
        rows = max(1, BLOCK_BYTES // row_bytes // self._chunks[1]) * self._chunks[1]
        frames = (
            max(1, BLOCK_BYTES // (rows * row_bytes // self.n_frames) // self._chunks[0]) * self._chunks[0]
        )
        with tempfile.TemporaryFile(prefix="ndx-cinac-") as file:
            copy = np.memmap(file, dtype=self.dtype, mode="w+", shape=self.shape)
        for row in range(0, self.shape[1], rows):
            for start in range(0, self.n_frames, frames):
                part = (slice(start, start + frames), slice(row, row + rows), slice(None), *self._plane[2:])
                copy[part[:3]] = self._dataset[part]
        return copy

    def close(self) -> None:
        """Release the temporary copy."""
        self._copy = None


def iterate_blocks(movie: Movie, block_frames: int) -> Iterator[tuple[int, int]]:
    """Ranges of about `block_frames` frames that cover the movie and begin where its chunks do.

    Yields
    ------
    start, stop : int
        The next frames to read together, stop exclusive.
    """
    step = max(1, block_frames)
    if 1 < movie.chunk_frames:
        step = max(1, round(step / movie.chunk_frames)) * movie.chunk_frames
    for start in range(0, movie.n_frames, step):
        yield start, min(start + step, movie.n_frames)


def native_dtype(dtype: Any, where: str | None) -> np.dtype:
    """Return `dtype` in native byte order.

    Raises
    ------
    ReadingError
        If it is not that of numbers.
    """
    kind = np.dtype(dtype)
    if kind.kind not in "buif":
        what = f"A movie holds whole or real numbers for pixels, this one has type {kind}"
        raise ReadingError(what, where=where)
    return kind.newbyteorder("=")


def movie_shape(shape: tuple[int, ...], where: str | None) -> tuple[int, int, int]:
    """Shape of a movie without the axis of a single plane.

    Raises
    ------
    ReadingError
        If it is not that of a movie of one plane and one channel, or holds nothing.
    """
    if len(shape) == 4 and shape[3] == 1:
        shape = shape[:3]
    if len(shape) == 4:
        what = f"The movie has four axes, {tuple(shape)}: several planes, or colours"
        fix = "Give one plane and one channel, as an array (frame, first, second), with set_movie or movie="
        raise ReadingError(what, where=where, fix=fix)
    if len(shape) != 3:
        what = f"A movie has three axes (frame and two of space), this one has shape {tuple(shape)}"
        raise ReadingError(what, where=where)
    if 0 in shape:
        what = f"The movie holds no frames or no pixels: its shape is {tuple(shape)}"
        raise ReadingError(what, where=where)
    return int(shape[0]), int(shape[1]), int(shape[2])


def _plane_index(shape: tuple[int, ...], where: str | None) -> tuple[Any, ...]:
    """Index after the frame's that leaves two spatial axes."""
    movie_shape(shape, where)
    return (slice(None), slice(None), 0) if len(shape) == 4 else (slice(None), slice(None))
