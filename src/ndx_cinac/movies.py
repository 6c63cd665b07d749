"""Lazy movies: frames are read in blocks from HDF5, Zarr, TIFF files or arrays, never whole."""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np
from numpy.typing import NDArray


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

    @abstractmethod
    def read(self, start: int, stop: int) -> NDArray:
        """Frames ``start`` to ``stop`` (exclusive) as stored, shape (stop - start, first, second), native byte order."""

    def close(self) -> None:  # noqa: B027 - most movies hold nothing open
        """Release what the movie holds open."""


class ArrayMovie(Movie):
    """A movie that is in memory already, or anything that slices like an array (a memory map)."""

    def __init__(self, frames: NDArray) -> None:
        if frames.ndim != 3:
            what = f"A movie has three axes (frame and two of space), this one has shape {frames.shape}"
            from .errors import ReadingError

            raise ReadingError(what)
        self._frames = frames
        self.shape = (int(frames.shape[0]), int(frames.shape[1]), int(frames.shape[2]))
        self.dtype = frames.dtype.newbyteorder("=")
        self.chunk_frames = 1

    def read(self, start: int, stop: int) -> NDArray:
        """Frames ``start`` to ``stop`` (exclusive)."""
        return np.asarray(self._frames[start:stop], dtype=self.dtype)
