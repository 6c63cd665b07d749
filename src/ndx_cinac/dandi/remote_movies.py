"""A movie in an archive: its stored chunks are fetched once, side by side and ahead of the computation."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ArchiveError
from ..movies import Movie, StoredMovie
from .chunks import StoredChunks, requests_for, stored_chunks
from .kept_chunks import HEAD, KeptChunks, KeptPiece, chunks_beside
from .remote_files import RemoteFile, StreamingOptions
from .transfer import Traffic, Transfer

GAP = 2**16
"""Chunks of one request lie at most so many bytes apart: less than a request costs."""

Piece = bytes | KeptPiece


class RemoteMovie(Movie):
    """A stored movie whose chunks come over the network.

    A *pass* is a row of reads that begins with frame 0 and in which each begins where the one before ended.
    What a pass has used is dropped, and what it will need is fetched ahead. Chunks that other reads want are
    kept until a pass has used them: so each is fetched once, if there is room. A movie in chunks of more
    frames than fit in memory together is fetched whole, in the order of the file, before it is copied.

    Parameters
    ----------
    movie : StoredMovie
        The movie, as its file gives it.
    file : RemoteFile
        The file that it is read from.
    options : StreamingOptions
        How to read.
    beside : (Path or None, str)
        The temporary folder of a run, and the movie's name in it: chunks are kept there, all of them where
        they find room, and the next run does not fetch them again. None: in a temporary file.
    """

    def __init__(
        self,
        movie: StoredMovie,
        file: RemoteFile,
        options: StreamingOptions,
        beside: tuple[Path | None, str] = (None, ""),
    ) -> None:
        self.shape, self.dtype = movie.shape, movie.dtype
        self.chunk_frames, self.temporary_bytes = movie.chunk_frames, movie.temporary_bytes
        self._movie, self._file, self._options = movie, file, options
        with file.clear_errors():
            self._chunks = stored_chunks(movie.dataset)
        movie.expect_all()  # one that will be copied is copied with its first read
        self._kept = self._open_kept(*beside)
        needed = 0 if self._chunks is None else self._chunks.bytes + HEAD.size * len(self._chunks.size)
        self._keeps_all = self._kept.has_room(needed) and (self._kept.lasting or self.temporary_bytes > 0)
        self._held: dict[int, bytes] = {}
        self._ahead: dict[int, Future[dict[int, bytes]]] = {}
        self._position: int | None = None
        self._lock = threading.Lock()
        self._fetcher = _Fetcher(file, options)

    def _open_kept(self, folder: Path | None, name: str) -> KeptChunks:
        """Return where chunks are kept; a copy without compression needs more room than they do."""
        limit, asset = max(self._options.cache_bytes, self.temporary_bytes), self._file.asset
        source = {"asset": str(asset), "digest": asset.digest, "movie": str(self._movie.dataset.name)}
        return chunks_beside(folder, name, limit, source)

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
            if self._chunks is None or self._movie.copied:
                return self._movie.read(start, stop)
            if self.temporary_bytes:
                pieces: dict[int, Piece] = self._all_chunks(self._chunks)
            else:
                continues = start == self._position
                pieces = self._chunks_of(start, stop, continues=continues)
                self._position = stop if continues or start == 0 else None
            with self._file.pinned(pieces):
                frames = self._movie.read(start, stop)
            if self._movie.copied and not self._kept.lasting:
                self._kept.close()
            return frames

    def _all_chunks(self, chunks: StoredChunks) -> dict[int, Piece]:
        """Fetch all chunks in the order of the file, if there is room for them, and return them."""
        order = [int(number) for number in np.argsort(chunks.start)]
        for place, number in enumerate(order if self._keeps_all else ()):
            if number not in self._kept:
                self._request(self._as_many(itertools.islice(order, place, None)))
                if not self._has(number):  # more than may be in memory together
                    self._request([number])
                self._kept.add(number, self._take(number))
                if number not in self._kept:
                    break  # the disk is full: the rest is fetched while it is copied
        return {int(chunks.start[n]): self._kept.piece(n) for n in order if n in self._kept}

    def _chunks_of(self, start: int, stop: int, *, continues: bool) -> dict[int, Piece]:
        """Return the chunks that frames lie in, by their places in the file; wait for them if need be."""
        chunks = self._chunks
        assert chunks is not None
        numbers = [int(number) for number in chunks.of_frames(start, stop)]
        self._request(number for number in numbers if not self._has(number))
        if continues or start == 0:
            self._request(self._as_many(range(int(np.searchsorted(chunks.first, stop)), len(chunks.first))))
        pieces: dict[int, Piece] = {}
        for number in numbers:
            pieces[int(chunks.start[number])] = content = self._take(number)
            if self._keeps_all or not continues:
                self._kept.add(number, content)
            elif chunks.last[number] > stop:
                self._held[number] = content
            else:
                self._kept.drop(number)
        if self._keeps_all:
            self._keep_what_came()
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
            if self._kept.lasting:
                self._keep_what_came()
            self._ahead.clear()  # what failed for good may go well when it is asked for again
            raise

    def _as_many(self, numbers: Iterable[int]) -> list[int]:
        """Of the chunks that are needed next, return as many as may be in memory together."""
        chunks = self._chunks
        assert chunks is not None
        room = self._options.ahead_bytes - int(sum(chunks.size[number] for number in self._ahead))
        if room < self._options.ahead_bytes // 4:
            return []  # few large requests rather than many small ones
        wanted = []
        for number in numbers:
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

    def _keep_what_came(self) -> None:
        """Keep what was fetched ahead, so that a run that is killed now does not fetch it again."""
        for number, future in list(self._ahead.items()):
            if future.done() and not future.cancelled() and future.exception() is None:
                self._kept.add(number, future.result()[number])
                if number in self._kept:
                    del self._ahead[number], future.result()[number]

    def close(self) -> None:
        """End what is being fetched, and delete what was kept, unless it is to stay."""
        self._fetcher.close()
        if self._kept.lasting:
            self._keep_what_came()
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
