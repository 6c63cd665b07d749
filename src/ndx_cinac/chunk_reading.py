"""Frames from gzip chunks of HDF5, decompressed by several threads and outside of HDF5's lock, once each."""

from __future__ import annotations

import itertools
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import h5py
import numpy as np
from h5py._objects import phil as hdf5_lock
from numpy.typing import NDArray

from .threads import n_cores

_inflater: Any
try:  # ISA-L decompresses to the same bytes in half the time
    from isal import isal_zlib as _inflater
except ModuleNotFoundError:
    _inflater = zlib

MOST_THREADS = 8
"""Threads that decompress: more would wait for the computation that follows."""

_DAMAGE = (zlib.error, _inflater.error)


class GzipChunks:
    """The chunks of a dataset that is compressed with gzip, shuffled or not.

    HDF5 decompresses under a lock that all threads share. Here it only hands over the chunks as stored.

    Parameters
    ----------
    dataset : h5py.Dataset
        One for which `can_read` is true; open as long as its file is.
    """

    def __init__(self, dataset: h5py.Dataset) -> None:
        self._dataset = dataset
        self._chunks, self._shape = tuple(dataset.chunks), tuple(dataset.shape)
        self._shuffled = bool(dataset.shuffle) and dataset.dtype.itemsize > 1
        self._size = int(np.prod(self._chunks)) * dataset.dtype.itemsize
        self._threads = min(MOST_THREADS, n_cores())

    @staticmethod
    def can_read(dataset: Any) -> bool:
        """Whether a dataset of HDF5 holds numbers in chunks, with gzip and at most shuffle before it."""
        if (
            not isinstance(dataset, h5py.Dataset)
            or dataset.chunks is None
            or dataset.dtype.kind not in "buif"
        ):
            return False
        if dataset.is_virtual or dataset.external:
            return False
        properties = dataset.id.get_create_plist()
        filters = [properties.get_filter(i)[0] for i in range(properties.get_nfilters())]
        return filters in ([h5py.h5z.FILTER_DEFLATE], [h5py.h5z.FILTER_SHUFFLE, h5py.h5z.FILTER_DEFLATE])

    def read(self, *spans: slice) -> NDArray[Any] | None:
        """Read a box, given by one slice without step per axis; axes without one are read whole.

        Returns
        -------
        ndarray or None
            None where a chunk was never written, went past the filters, or is damaged: HDF5 itself knows
            what that means.

        Raises
        ------
        OSError, RuntimeError
            If the file cannot be read.
        """
        given = [*spans, *[slice(None)] * (len(self._shape) - len(spans))]
        bounds = [span.indices(length)[:2] for span, length in zip(given, self._shape, strict=True)]
        box = [(start, max(start, stop)) for start, stop in bounds]
        out = np.empty([stop - start for start, stop in box], self._dataset.dtype)
        starts = tuple(start for start, _ in box)
        with ThreadPoolExecutor(self._threads) as pool:
            try:
                waiting = [
                    pool.submit(self._place, out, starts, corner, self._stored(corner))
                    for corner in self._corners(box)
                ]
                good = all(future.result() for future in waiting)
            except _DAMAGE:
                good = False
        return out if good else None

    def _corners(self, box: list[tuple[int, int]]) -> Iterator[tuple[int, ...]]:
        """First indices of the chunks that a box meets."""
        if any(start == stop for start, stop in box):
            return iter(())
        pairs = zip(box, self._chunks, strict=True)
        return itertools.product(*(range(start - start % n, stop, n) for (start, stop), n in pairs))

    def _stored(self, corner: tuple[int, ...]) -> bytes:
        """Return a chunk as stored; nothing where it was never written or went past the filters."""
        if self._dataset.id.get_chunk_info_by_coord(corner).byte_offset is None:
            return b""
        # h5py before 3.16 forgets its lock here (its pull request 2764). Where the file is a Python object,
        # as a streamed one is, another thread could call HDF5 in the midst of this: wrong bytes, or a crash.
        with hdf5_lock:
            mask, content = self._dataset.id.read_direct_chunk(corner)
        return b"" if mask else bytes(content)

    def _place(
        self, out: NDArray[Any], starts: tuple[int, ...], corner: tuple[int, ...], content: bytes
    ) -> bool:
        """Decompress a chunk and put what the box has of it where it belongs; false if it is damaged."""
        if not content:
            return False
        raw: Any = _inflater.decompressobj().decompress(content, self._size + 1)
        if len(raw) != self._size:
            return False
        if self._shuffled:
            raw = np.ascontiguousarray(np.frombuffer(raw, np.uint8).reshape(out.dtype.itemsize, -1).T)
        values = np.frombuffer(raw, out.dtype).reshape(self._chunks)
        source, target = [], []
        for c, n, start, length in zip(corner, self._chunks, starts, out.shape, strict=True):
            first, stop = max(c, start), min(c + n, start + length)
            source.append(slice(first - c, stop - c))
            target.append(slice(first - start, stop - start))
        out[tuple(target)] = values[tuple(source)]
        return True
