"""Frames in a temporary file: written tile by tile, read frame by frame, and not mapped into memory."""

from __future__ import annotations

import tempfile
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray


class FrameFile:
    """A movie in a temporary file, frame after frame, that goes when it is closed, also after a crash.

    Pages of a file that is mapped would count as memory of this process.

    Parameters
    ----------
    shape : tuple of int
        (n_frames, first, second).
    dtype : numpy.dtype
        Type of the pixels.
    """

    def __init__(self, shape: tuple[int, int, int], dtype: np.dtype) -> None:
        self._shape, self._dtype = shape, dtype
        self._frame_bytes = shape[1] * shape[2] * dtype.itemsize
        self._file = tempfile.TemporaryFile(prefix="ndx-cinac-")  # noqa: SIM115 - closed by close
        self._lock = Lock()

    def write(self, tile: NDArray[Any], corner: tuple[int, int, int]) -> None:
        """Write a tile of shape (frames, lines, columns) whose first pixel lies at `corner`."""
        start, line, column = corner
        whole_lines = tile.shape[2] == self._shape[2]
        with self._lock:
            for number, frame in enumerate(tile, start):
                pieces = [frame] if whole_lines else frame
                for offset, piece in enumerate(pieces):
                    pixel = (line + offset) * self._shape[2] + column
                    self._file.seek(number * self._frame_bytes + pixel * self._dtype.itemsize)
                    self._file.write(np.ascontiguousarray(piece).data)

    def read(self, start: int, stop: int) -> NDArray[Any]:
        """Frames ``start`` to ``stop`` (exclusive)."""
        start, stop, _ = slice(start, stop).indices(self._shape[0])
        frames = np.empty((max(0, stop - start), *self._shape[1:]), self._dtype)
        with self._lock:
            self._file.seek(start * self._frame_bytes)
            self._file.readinto(frames.reshape(-1).view(np.uint8).data)
        return frames

    def close(self) -> None:
        """Delete the file."""
        self._file.close()
