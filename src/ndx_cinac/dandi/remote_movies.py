"""A movie in an archive: its stored chunks are fetched once, side by side and ahead of the computation."""

from __future__ import annotations

import logging
import tempfile
import threading
from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ArchiveError
from ..movies import Movie, StoredMovie
from .chunks import requests_for, stored_chunks
from .remote_files import RemoteFile, StreamingOptions
from .transfer import Traffic, Transfer

GAP = 2**16
"""Chunks of one request lie at most so many bytes apart: less than a request costs."""

_log = logging.getLogger(__name__)


class RemoteMovie(Movie):
    """A stored movie whose chunks come over the network.

    A *pass* is a row of reads that begins with frame 0 and in which each begins where the one before ended.
    What a pass has used is dropped, and what it will need is fetched ahead. Chunks that other reads want are
    kept in a temporary file until a pass has used them: so each is fetched once, if the file has room.

    Parameters
    ----------
    movie : StoredMovie
        The movie, as its file gives it.
    file : RemoteFile
        The file that it is read from.
    options : StreamingOptions
        How to read.
    """

    def __init__(self, movie: StoredMovie, file: RemoteFile, options: StreamingOptions) -> None:
        self.shape, self.dtype = movie.shape, movie.dtype
        self.chunk_frames, self.temporary_bytes = movie.chunk_frames, movie.temporary_bytes
        self._movie, self._file, self._options = movie, file, options
        with file.clear_errors():
            # Chunks that are too long for blocks of frames are read one by one while they are copied.
            self._chunks = None if movie.temporary_bytes else stored_chunks(movie.dataset)
        if movie.temporary_bytes:
            movie.READS_BEFORE_COPY = 0
        self._kept = _ChunkFile(options.cache_bytes)
        self._held: dict[int, bytes] = {}
        self._ahead: dict[int, Future[dict[int, bytes]]] = {}
        self._position: int | None = None
        self._lock = threading.Lock()
        self._fetcher = _Fetcher(file, options)

    @property
    def stored_bytes(self) -> int | None:
        """Bytes that the movie takes in its file; None where that is not known."""
        return None if self._chunks is None else self._chunks.bytes

    @property
    def traffic(self) -> Traffic:
        """What was fetched of the movie's chunks."""
        return self._fetcher.traffic

    def read(self, start: int, stop: int) -> NDArray[Any]:
        """Frames ``start`` to ``stop`` (exclusive).

        Raises
        ------
        ArchiveError
            If they cannot be had.
        """
        with self._lock, self._file.clear_errors():
            if self._chunks is None:
                return self._movie.read(start, stop)
            continues = start == self._position
            pieces = self._chunks_of(start, stop, continues=continues)
            self._position = stop if continues or start == 0 else None
            with self._file.pinned(pieces):
                return self._movie.read(start, stop)

    def _chunks_of(self, start: int, stop: int, *, continues: bool) -> dict[int, bytes]:
        """Return the chunks that frames lie in, by their places in the file; wait for them if need be."""
        chunks = self._chunks
        assert chunks is not None
        numbers = [int(number) for number in chunks.of_frames(start, stop)]
        self._request(number for number in numbers if not self._has(number))
        if continues or start == 0:
            self._request(self._wanted_after(stop))
        pieces = {}
        for number in numbers:
            content = self._take(number)
            pieces[int(chunks.start[number])] = content
            if not continues:
                self._kept.add(number, content)
            elif chunks.last[number] > stop:
                self._held[number] = content
            else:
                self._kept.drop(number)
        return pieces

    def _has(self, number: int) -> bool:
        return number in self._held or number in self._kept or number in self._ahead

    def _take(self, number: int) -> bytes:
        """Return a chunk that is here or on its way."""
        content = self._held.pop(number, None) or self._kept.get(number)
        if content is not None:
            return content
        future = self._ahead.pop(number)
        try:
            return future.result().pop(number)
        except ArchiveError:
            self._ahead.clear()  # what failed for good may go well when it is asked for again
            raise

    def _wanted_after(self, stop: int) -> list[int]:
        """Numbers of the chunks that the pass needs next, as many as may be in memory together."""
        chunks = self._chunks
        assert chunks is not None
        room = self._options.ahead_bytes - int(sum(chunks.size[number] for number in self._ahead))
        if room < self._options.ahead_bytes // 4:
            return []  # few large requests rather than many small ones
        wanted = []
        for number in range(int(np.searchsorted(chunks.first, stop)), len(chunks.first)):
            if not self._has(number):
                room -= int(chunks.size[number])
                if room < 0:
                    break
                wanted.append(number)
        return wanted

    def _request(self, numbers: Iterable[int]) -> None:
        """Ask for chunks, those that lie together in one request."""
        assert self._chunks is not None
        wanted = np.array(list(numbers), np.int64)
        for group in requests_for(self._chunks, wanted, self._options.request_bytes, GAP):
            future = self._fetcher.submit(
                {n: (int(self._chunks.start[n]), int(self._chunks.size[n])) for n in group}
            )
            self._ahead.update(dict.fromkeys(group, future))

    def close(self) -> None:
        """End what is being fetched, and delete the temporary file."""
        self._fetcher.close()
        self._ahead.clear()
        self._held.clear()
        self._kept.close()
        self._movie.close()


class _Fetcher:
    """Threads that fetch groups of chunks, a connection each; none before the first group is asked for."""

    def __init__(self, file: RemoteFile, options: StreamingOptions) -> None:
        self._file, self._options = file, options
        self._pool: ThreadPoolExecutor | None = None
        self._own = threading.local()
        self._transfers: list[Transfer] = []

    @property
    def traffic(self) -> Traffic:
        return sum((each.traffic for each in self._transfers), Traffic())

    def submit(self, places: dict[int, tuple[int, int]]) -> Future[dict[int, bytes]]:
        """Fetch chunks, given by number with first byte and size, that lie together."""
        if self._pool is None:
            self._pool = ThreadPoolExecutor(self._options.connections, thread_name_prefix="ndx-cinac-dandi")
        return self._pool.submit(self._fetch, places)

    def _fetch(self, places: dict[int, tuple[int, int]]) -> dict[int, bytes]:
        """Run in a thread of the pool; nothing in here may wait for what a reader of HDF5 holds."""
        transfer = getattr(self._own, "transfer", None)
        if transfer is None:
            transfer = self._own.transfer = Transfer(
                self._file.asset, self._options.patience, self._file.address
            )
            self._transfers.append(transfer)
        begin = min(start for start, _ in places.values())
        end = max(start + size for start, size in places.values())
        content = transfer.fetch(begin, end)
        return {n: content[start - begin : start - begin + size] for n, (start, size) in places.items()}

    def close(self) -> None:
        for transfer in list(self._transfers):
            transfer.close()
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)
            self._pool = None


class _ChunkFile:
    """Chunks in a temporary file that is made when it is needed and never exceeds its limit."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._places: dict[int, tuple[int, int]] = {}
        self._file: IO[bytes] | None = None
        self._end = 0

    def __contains__(self, number: int) -> bool:
        return number in self._places

    def add(self, number: int, content: bytes) -> None:
        """Keep a chunk, if there is room."""
        if number in self._places or self._end + len(content) > self._limit:
            return
        if self._file is None:
            self._file = tempfile.TemporaryFile(prefix="ndx-cinac-")  # noqa: SIM115 - closed by close
        try:
            self._file.seek(self._end)
            self._file.write(content)
            self._file.flush()
        except OSError as error:  # the disk is full: what does not fit is fetched again
            _log.warning("Chunks of the movie cannot be kept (%s): some will be fetched twice", error)
            self._limit = 0
            return
        self._places[number] = self._end, len(content)
        self._end += len(content)

    def get(self, number: int) -> bytes | None:
        """Return a chunk that was kept."""
        if number not in self._places or self._file is None:
            return None
        start, size = self._places[number]
        self._file.seek(start)
        return self._file.read(size)

    def drop(self, number: int) -> None:
        """Forget a chunk."""
        self._places.pop(number, None)

    def close(self) -> None:
        """Delete the file."""
        self._places.clear()
        if self._file is not None:
            self._file.close()
            self._file = None
