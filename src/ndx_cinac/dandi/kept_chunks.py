"""Chunks of a movie that were fetched and will be needed again: in a temporary file, or one that stays."""

from __future__ import annotations

import hashlib
import logging
import shutil
import struct
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from ..journal import Journal

HEAD = struct.Struct("<qq32s")
"""Before each chunk: its number, its bytes, and a SHA-256 digest over both and the content."""

SHARE_OF_FREE = 0.5
"""No more of the free room than this is taken beside an output, which needs some, too."""

_log = logging.getLogger(__name__)


class KeptChunks:
    """Chunks by their numbers, in a file that never exceeds its limit.

    Parameters
    ----------
    limit : int
        Bytes of the file.
    path : Path, optional
        A file that stays when this is closed; what an earlier run put there is here again, up to the first
        chunk that is not whole. By default a temporary file, made when it is needed.
    """

    def __init__(self, limit: int, path: Path | None = None) -> None:
        self.lasting = path is not None
        self._limit, self._path = limit, path
        self._places: dict[int, tuple[int, int]] = {}
        self._file: IO[bytes] | None = None
        self._end = 0
        if path is not None:
            self._restore(path)

    def __contains__(self, number: int) -> bool:
        return number in self._places

    def has_room(self, size: int) -> bool:
        """Whether so many bytes of chunks would find room in an empty file."""
        return size <= self._limit

    def add(self, number: int, content: bytes) -> None:
        """Keep a chunk, if there is room."""
        if number in self._places or self._end + HEAD.size + len(content) > self._limit:
            return
        try:
            if self._file is None:
                self._file = tempfile.TemporaryFile(prefix="ndx-cinac-")  # noqa: SIM115 - closed by close
            self._file.seek(self._end)
            self._file.write(_head(number, content))
            self._file.write(content)
            self._file.flush()
        except OSError as error:  # the disk is full: what does not fit is fetched again
            _log.warning("Chunks of the movie cannot be kept (%s): some will be fetched twice", error)
            self._give_up()
            return
        self._places[number] = self._end + HEAD.size, len(content)
        self._end += HEAD.size + len(content)

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

    def piece(self, number: int) -> KeptPiece:
        """Return a chunk that was kept without reading it."""
        return KeptPiece(self, number, self._places[number][1])

    def close(self) -> None:
        """Close the file; a temporary one is gone then."""
        self._places.clear()
        if self._file is not None:
            self._file.close()
            self._file = None

    def _restore(self, path: Path) -> None:
        """Find the chunks of an earlier run in its file, and cut off what is damaged or half-written."""
        try:
            self._file = file = path.open("a+b")
            file.seek(0)
            while len(head := file.read(HEAD.size)) == HEAD.size:
                number, size, _ = HEAD.unpack(head)
                content = file.read(size) if 0 < size <= path.stat().st_size else b""
                if head != _head(number, content):
                    break
                self._places[number] = self._end + HEAD.size, size
                self._end += HEAD.size + size
            file.truncate(self._end)
        except OSError as error:
            _log.warning("Chunks of the movie cannot be kept (%s): the next run fetches them again", error)
            self._give_up()

    def _give_up(self) -> None:
        """Delete all chunks, and keep none from now on."""
        self.close()
        self._limit = 0
        if self._path is not None:
            self._path.unlink(missing_ok=True)


@dataclass(frozen=True)
class KeptPiece:
    """A kept chunk that is read when it is cut, as bytes are."""

    chunks: KeptChunks
    number: int
    size: int

    def __len__(self) -> int:
        return self.size

    def __getitem__(self, part: slice) -> bytes:
        return (self.chunks.get(self.number) or b"")[part]


def _head(number: int, content: bytes) -> bytes:
    """Return what stands before a chunk."""
    size = len(content)
    digest = hashlib.sha256(HEAD.pack(number, size, b"") + content).digest()
    return HEAD.pack(number, size, digest)


def chunks_beside(folder: Path | None, name: str, limit: int, source: Mapping[str, Any]) -> KeptChunks:
    """Return a place for the chunks of a movie: in the temporary folder of a run, where there is one.

    Parameters
    ----------
    folder : Path or None
        The run's folder (`ndx_cinac.writing.unfinished`); None, or one that is not there: a temporary file.
    name : str
        Name of the movie in it.
    limit : int
        Bytes, at most.
    source : mapping
        What the chunks are of, as JSON types: those of anything else are deleted.
    """
    if folder is None or not folder.is_dir():
        return KeptChunks(limit)
    Journal(folder, name).tie(source=dict(source))
    path = folder / f"{name}.chunks.piece"
    there = path.stat().st_size if path.exists() else 0
    free = int(SHARE_OF_FREE * shutil.disk_usage(folder).free)
    return KeptChunks(min(limit, there + free), path)
