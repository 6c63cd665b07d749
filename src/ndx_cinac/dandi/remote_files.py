"""A file in an archive as h5py reads it: structure through remfile, the movie from pieces fetched ahead."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any

from ..errors import ArchiveError, CinacError
from ..extras import require
from .archives import DandiAsset
from .kept_chunks import KeptPiece
from .transfer import Patience, SignedAddress, Traffic, Transfer

MIB = 2**20


@dataclass(frozen=True)
class StreamingOptions:
    """How a remote file is read. Nothing here shapes the numbers.

    Attributes
    ----------
    patience : Patience
        How long to go on when the network fails.
    connections : int
        Requests for the movie that run side by side; 1 or more.
    request_bytes : int
        Bytes of the movie, at most, that are asked for at once (a chunk is never divided).
    ahead_bytes : int
        Memory for what is fetched ahead of the computation.
    cache_bytes : int
        Temporary file for those chunks that sampling reads before the pass over the movie does. It is
        empty at first, and grows to this at most; what finds no room in it is fetched again.
    structure_bytes : int
        Memory for all else: headers, indices, masks, tables.
    """

    patience: Patience = field(default_factory=Patience)
    connections: int = 4
    request_bytes: int = 8 * MIB
    ahead_bytes: int = 64 * MIB
    cache_bytes: int = 4096 * MIB
    structure_bytes: int = 64 * MIB


class RemoteFile:
    """An asset's bytes, as a file object that h5py can open.

    While h5py reads, it holds a lock that every release of an h5py object needs, and the garbage collector
    can release one in any thread. So no read here waits for another thread: it finds what it needs in the
    pieces that are `pinned`, or fetches it itself.

    Parameters
    ----------
    asset : DandiAsset
        The asset.
    options : StreamingOptions
        How to read.
    """

    def __init__(self, asset: DandiAsset, options: StreamingOptions) -> None:
        remfile = require("remfile", extra="dandi", feature="Reading a file without downloading it")
        self.asset = asset
        self.failure: CinacError | None = None
        self.address = SignedAddress()
        self._transfer = Transfer(asset, options.patience, self.address)
        self._structure = remfile.File(
            asset.url,
            _size=asset.size,
            _use_session=False,
            _max_cache_size=options.structure_bytes,
            _max_chunk_size=options.structure_bytes // 8,
        )
        self._structure.session = self
        self._position = 0
        self._starts: list[int] = []
        self._pieces: list[bytes | KeptPiece] = []

    @property
    def traffic(self) -> Traffic:
        """What was asked for here; the movie's own requests are counted where they are made."""
        return self._transfer.traffic

    def seek(self, offset: int, whence: int = 0) -> int:
        """Go to a position, as files do."""
        self._position = offset + (0, self._position, self.asset.size)[whence]
        return self._position

    def tell(self) -> int:
        """Return the position."""
        return self._position

    def readinto(self, buffer: Any) -> int:
        """Fill a buffer from the position on."""
        wanted = min(len(buffer), max(0, self.asset.size - self._position))
        content = self._pinned(self._position, wanted)
        if content is None:
            self._structure.seek(self._position)
            content = self._structure.read(wanted)
        buffer[:wanted] = content
        self._position += wanted
        return wanted

    def read(self, size: int = -1) -> bytes:
        """Return bytes from the position on."""
        content = bytearray(self.asset.size - self._position if size < 0 else size)
        return bytes(content[: self.readinto(content)])

    def flush(self) -> None:
        """Do nothing: h5py calls it, and there is nothing to write."""

    def get(self, _url: str, headers: Mapping[str, str]) -> RangeReply:
        """Answer remfile in the place of its session: with retries, renewed addresses and counts of our own.

        remfile would try again whatever raises, for most of a minute, but gives up at once on an answer that
        says the client is wrong; so that is what it gets, and `failure` keeps what happened.
        """
        start, stop = (int(part) for part in headers["Range"].removeprefix("bytes=").split("-"))
        try:
            return RangeReply(206, self._transfer.fetch(start, stop + 1))
        except ArchiveError as error:
            self.failure = error
            return RangeReply(410, b"", str(error))

    @contextmanager
    def pinned(self, pieces: Mapping[int, bytes | KeptPiece]) -> Iterator[None]:
        """Serve reads from these pieces, given by their positions in the file, for the length of a block."""
        order = sorted(pieces)
        self._starts, self._pieces = order, [pieces[start] for start in order]
        try:
            yield
        finally:
            self._starts, self._pieces = [], []

    def _pinned(self, start: int, size: int) -> Any:
        """Return bytes from the pinned pieces, or None where they do not hold them all."""
        place = bisect_right(self._starts, start) - 1
        if place < 0:
            return None
        found, left = [], size
        while left:
            if place == len(self._pieces):
                return None
            offset = start - self._starts[place]
            piece = self._pieces[place]
            whole = memoryview(piece) if isinstance(piece, bytes) else piece
            part = whole[offset : offset + left] if offset >= 0 else b""
            if not len(part):
                return None
            found.append(part)
            start, left, place = start + len(part), left - len(part), place + 1
        return found[0] if len(found) == 1 else b"".join(found)

    @contextmanager
    def clear_errors(self) -> Iterator[None]:
        """Raise what failed on the network, and not what HDF5 made of it."""
        try:
            yield
        except Exception as error:
            failure, self.failure = self.failure, None
            if failure is not None and error is not failure:
                raise failure from error
            raise

    def close(self) -> None:
        """Close the connections."""
        self._transfer.close()

    def __enter__(self) -> RemoteFile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


@dataclass(frozen=True)
class RangeReply:
    """An answer as remfile reads it."""

    status_code: int
    content: bytes
    reason: str = ""
