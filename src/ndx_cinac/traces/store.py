"""Where traces are kept: in memory while they are few, in a temporary file once they are many."""

from __future__ import annotations

import tempfile
from typing import IO, Self

import numpy as np
from numpy.typing import NDArray

SEGMENT_FRAMES = 1024


class TraceStore:
    """Several float32 traces per ROI, written in blocks of frames and read by ROI.

    Frames lie in segments of 1024, in each segment ROI after ROI: writing a segment is one contiguous write,
    and reading one ROI's whole traces takes one read per segment. The file goes when it is closed, also after
    a crash; it is not mapped into memory, so that it does not count as this process's.

    Parameters
    ----------
    n_rois, n_traces, n_frames : int
        What is to be kept.
    memory_bytes : int
        Up to so many bytes are held in memory.
    """

    def __init__(self, n_rois: int, n_traces: int, n_frames: int, memory_bytes: int) -> None:
        self.n_rois, self.n_traces, self.n_frames = n_rois, n_traces, n_frames
        self._filled = 0
        self._memory: NDArray[np.float32] | None = None
        self._file: IO[bytes] | None = None
        if 4 * n_rois * n_traces * n_frames <= memory_bytes:
            self._memory = np.empty((n_rois, n_traces, n_frames), np.float32)
        else:
            self._file = tempfile.TemporaryFile(prefix="ndx-cinac-traces-")  # noqa: SIM115 - closed by close()
            self._segment = np.empty((n_rois, n_traces, SEGMENT_FRAMES), np.float32)

    @classmethod
    def holding(cls, traces: NDArray[np.float32]) -> Self:
        """Make a store in memory of whole traces, shape (n_rois, n_traces, n_frames)."""
        n_rois, n_traces, n_frames = traces.shape
        store = cls(n_rois, n_traces, n_frames, memory_bytes=traces.nbytes)
        store.append(traces)
        return store

    @property
    def in_memory(self) -> bool:
        """Whether the traces are held in memory."""
        return self._memory is not None

    def append(self, block: NDArray[np.float32]) -> None:
        """Add the next frames, shape (n_rois, n_traces, n)."""
        n = block.shape[2]
        if self._memory is not None:
            self._memory[:, :, self._filled : self._filled + n] = block
            self._filled += n
            return
        taken = 0
        while taken < n:
            place = self._filled % SEGMENT_FRAMES
            step = min(n - taken, SEGMENT_FRAMES - place)
            self._segment[:, :, place : place + step] = block[:, :, taken : taken + step]
            taken += step
            self._filled += step
            if self._filled % SEGMENT_FRAMES == 0 or self._filled == self.n_frames:
                assert self._file is not None
                self._file.write(self._segment.data)

    def read(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """Whole traces of some ROIs, shape (n_rows, n_traces, n_frames)."""
        if self._memory is not None:
            return np.asarray(self._memory[rows])
        assert self._file is not None
        size = self.n_traces * SEGMENT_FRAMES
        out = np.empty((len(rows), self.n_traces, self.n_frames), np.float32)
        for start in range(0, self.n_frames, SEGMENT_FRAMES):
            stop = min(start + SEGMENT_FRAMES, self.n_frames)
            for i, row in enumerate(rows):
                self._file.seek(4 * size * (start // SEGMENT_FRAMES * self.n_rois + int(row)))
                piece = np.frombuffer(self._file.read(4 * size), np.float32).reshape(
                    self.n_traces, SEGMENT_FRAMES
                )
                out[i, :, start:stop] = piece[:, : stop - start]
        return out

    def close(self) -> None:
        """Delete the temporary file, if there is one."""
        if self._file is not None:
            self._file.close()
