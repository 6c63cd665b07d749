"""Where in its file a movie's frames lie: the stored chunks of an HDF5 dataset, by frames."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

STRETCH_BYTES = 2**20
"""A movie without chunks is divided into stretches of frames of about so many bytes."""


@dataclass(frozen=True)
class StoredChunks:
    """Places of a movie's chunks in its file, in the order of their first frames, then of the file.

    Attributes
    ----------
    first, last : ndarray of int64, shape (n,)
        First frame of each chunk, and the one behind its last.
    start, size : ndarray of int64, shape (n,)
        First byte and number of bytes of each chunk.
    """

    first: NDArray[np.int64]
    last: NDArray[np.int64]
    start: NDArray[np.int64]
    size: NDArray[np.int64]

    @property
    def bytes(self) -> int:
        """Bytes of all chunks."""
        return int(self.size.sum())

    def of_frames(self, start: int, stop: int) -> NDArray[np.int64]:
        """Numbers of the chunks that hold any of these frames, in order."""
        low, high = np.searchsorted(self.first, [start - self._longest + 1, stop])
        numbers = np.arange(low, high)
        return numbers[self.last[low:high] > start]

    @cached_property
    def rank(self) -> NDArray[np.int64]:
        """Place of each chunk in the order in which they lie in the file."""
        rank = np.empty(len(self.start), np.int64)
        rank[np.argsort(self.start)] = np.arange(len(self.start))
        return rank

    @cached_property
    def _longest(self) -> int:
        return int((self.last - self.first).max()) if len(self.first) else 1


def stored_chunks(dataset: Any) -> StoredChunks | None:
    """Find the chunks of a movie; None where its bytes do not lie in the file by themselves.

    Parameters
    ----------
    dataset : h5py.Dataset
        Frames along the first axis. Its index is read; its values are not.
    """
    if dataset.external or dataset.is_virtual or not dataset.size:
        return None
    rows: list[tuple[int, int, int]] = []
    if dataset.chunks is None:
        begin = dataset.id.get_offset()
        if begin is None:
            return None
        frame = dataset.dtype.itemsize * int(np.prod(dataset.shape[1:]))
        length = max(1, STRETCH_BYTES // frame)
        rows = [(first, begin + first * frame, length * frame) for first in range(0, len(dataset), length)]
    else:
        length = dataset.chunks[0]
        dataset.id.chunk_iter(lambda info: rows.append((info.chunk_offset[0], info.byte_offset, info.size)))
    if not rows:
        return None
    table = np.array(sorted(rows), np.int64)
    last = np.minimum(table[:, 0] + length, len(dataset))
    if dataset.chunks is None:
        table[:, 2] = (last - table[:, 0]) * frame
    return StoredChunks(table[:, 0].copy(), last, table[:, 1].copy(), table[:, 2].copy())


def requests_for(chunks: StoredChunks, numbers: NDArray[np.int64], most: int, gap: int) -> list[list[int]]:
    """Group chunks that lie together in the file so that each group is one request.

    Parameters
    ----------
    chunks : StoredChunks
        All chunks.
    numbers : ndarray of int64
        Those that are wanted.
    most : int
        Bytes of a group, unless a single chunk has more.
    gap : int
        Bytes between two chunks of a group, at most; they are fetched and not used. No chunk is in them.
    """
    groups: list[list[int]] = []
    for number in sorted((int(n) for n in numbers), key=lambda n: int(chunks.start[n])):
        start, end = int(chunks.start[number]), int(chunks.start[number] + chunks.size[number])
        if groups:
            first, previous = groups[-1][0], groups[-1][-1]
            behind = int(chunks.start[previous] + chunks.size[previous])
            next_to_it = chunks.rank[number] == chunks.rank[previous] + 1 and start - behind <= gap
            if next_to_it and end - int(chunks.start[first]) <= most:
                groups[-1].append(number)
                continue
        groups.append([number])
    return groups
