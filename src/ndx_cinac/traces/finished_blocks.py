"""Blocks of frames whose traces are finished: kept in a journal a few at a time, and given back in order."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..journal import Journal
from .sampling import Sample

PIECE_BYTES = 16 * 2**20
PIECE_SECONDS = 10.0
"""Blocks are kept together until they take so many bytes, or took so long: that much is lost at most."""


@dataclass(frozen=True)
class FinishedBlock:
    """Traces of successive frames.

    Attributes
    ----------
    traces : ndarray of float32, shape (n_rois, 5, n)
        Ordered as `channels.TRACES`.
    coefficients : ndarray of float32, shape (n, 4)
        As those of `Traces`.
    missing : ndarray of bool, shape (n,)
        Frames without a picture.
    """

    traces: NDArray[np.float32]
    coefficients: NDArray[np.float32]
    missing: NDArray[np.bool_]


class FinishedBlocks:
    """The finished blocks of one pass over a movie.

    Parameters
    ----------
    journal : Journal or None
        Where they are kept; None: nowhere.
    n_rois : int
        ROIs that have traces.
    """

    def __init__(self, journal: Journal | None, n_rois: int) -> None:
        self._journal, self._n_rois = journal, n_rois
        self._pieces = self._frames = self._bytes = 0
        self._waiting: list[FinishedBlock] = []
        self._since = time.monotonic()

    def restore(self) -> Iterator[FinishedBlock]:
        """Give back what an earlier run has finished, from the first frame on without a gap."""
        while self._journal is not None:
            arrays = self._journal.load(f"traces-{self._pieces:06d}")
            if arrays is None or arrays["first"] != self._frames or len(arrays["traces"]) != self._n_rois:
                break
            block = FinishedBlock(arrays["traces"], arrays["coefficients"], arrays["missing"])
            self._pieces += 1
            self._frames += len(block.missing)
            yield block
        self._since = time.monotonic()

    def add(self, block: FinishedBlock) -> None:
        """Take the next block."""
        if self._journal is None:
            return
        self._waiting.append(block)
        self._bytes += block.traces.nbytes
        if self._bytes >= PIECE_BYTES or time.monotonic() - self._since >= PIECE_SECONDS:
            self.flush()

    def flush(self) -> None:
        """Keep the blocks that wait."""
        if self._journal is None or not self._waiting:
            return
        waiting, self._waiting, self._bytes = self._waiting, [], 0
        missing = np.concatenate([block.missing for block in waiting])
        self._journal.keep(
            f"traces-{self._pieces:06d}",
            first=np.array(self._frames),
            traces=np.concatenate([block.traces for block in waiting], axis=2),
            coefficients=np.concatenate([block.coefficients for block in waiting]),
            missing=missing,
        )
        self._pieces += 1
        self._frames += len(missing)
        self._since = time.monotonic()


def digest_of(sample: Sample) -> str:
    """Digest of the sampled frames: they are spread over the whole movie, so that another one is noticed."""
    digest = hashlib.sha256(sample.numbers.tobytes())
    digest.update(np.ascontiguousarray(sample.frames).data)
    return digest.hexdigest()
