"""A journal: pieces of finished work in files, each with its checksum, tied to what they were made from."""

from __future__ import annotations

import hashlib
import io
import json
import logging
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

DIGEST_BYTES = 32

logger = logging.getLogger(__name__)


class Journal:
    """Pieces of work that a run has finished, for the next run to go on from.

    A piece is a file ``NAME.PIECE.piece``: a SHA-256 digest over its content and over what the journal is
    tied to, then arrays as NumPy writes them, without pickle. Pieces appear whole. One that is damaged, or
    was made from something else, counts as absent.

    Parameters
    ----------
    folder : Path
        Where the files lie; it is there.
    name : str
        Name of the journal in that folder.
    """

    def __init__(self, folder: Path, name: str) -> None:
        self.folder, self.name = folder, name
        self.changed: tuple[str, ...] = ()
        self._record = folder / f"{name}.json"
        self._before = self._read_record()
        self._ties: dict[str, Any] = {}
        self._keeps, self._goes_on = True, False

    def tie(self, **ties: Any) -> None:
        """Say what the work is made from, as JSON types: pieces that were made from other values go.

        May be called again, as more becomes known, before the first piece is loaded. The names of those that
        differ are added to `changed`.
        """
        found = json.loads(json.dumps(ties))
        self._ties |= found
        other = [name for name, value in found.items() if self._before.get(name, value) != value]
        if other:
            if any(self.folder.glob(f"{self.name}.*.piece")):
                text = "What an earlier run has finished is not used: its %s differed. The work begins anew."
                logger.warning(text, " and ".join(other))
            self.clear()
            self.changed += tuple(other)
            self._before = {}
        self._write(self._record, json.dumps({**self._before, **self._ties}, indent=1).encode())

    def load(self, piece: str) -> dict[str, NDArray[Any]] | None:
        """Return the arrays of a piece; None if it is not there, damaged, or made from something else."""
        try:
            content = self._path(piece).read_bytes()
        except OSError:
            return None
        digest, payload = content[:DIGEST_BYTES], content[DIGEST_BYTES:]
        if digest != self._digest(piece, payload):
            logger.warning("Part of the finished work is damaged and is done again (%s).", self._path(piece))
            return None
        try:
            with np.load(io.BytesIO(payload), allow_pickle=False) as stored:
                arrays = {name: stored[name] for name in stored.files}
        except (ValueError, zipfile.BadZipFile):
            return None
        if not self._goes_on:
            self._goes_on = True
            logger.info("Going on from what an earlier run has finished (%s).", self.folder)
        return arrays

    def keep(self, piece: str, **arrays: NDArray[Any]) -> None:
        """Keep the arrays of a finished piece; where there is no room, nothing is kept from then on."""
        if not self._keeps:
            return
        buffer = io.BytesIO()
        stored: dict[str, Any] = arrays
        np.savez(buffer, **stored)
        payload = buffer.getvalue()
        self._write(self._path(piece), self._digest(piece, payload) + payload)

    def clear(self) -> None:
        """Delete all pieces of this journal."""
        for path in self.folder.glob(f"{self.name}.*.piece"):
            path.unlink(missing_ok=True)

    def _path(self, piece: str) -> Path:
        return self.folder / f"{self.name}.{piece}.piece"

    def _digest(self, piece: str, payload: bytes) -> bytes:
        """Digest of a piece: its name, what it was made from, its content."""
        ties = json.dumps(self._ties, sort_keys=True)
        return hashlib.sha256(f"{piece}\n{ties}\n".encode() + payload).digest()

    def _write(self, path: Path, content: bytes) -> None:
        """Write a file whole or not at all; a full disk ends the journal, not the run."""
        partial = path.with_name(f"{path.name}.new")
        try:
            partial.write_bytes(content)
            partial.replace(path)
        except OSError as error:
            self._keeps = False
            text = "Finished work cannot be kept (%s): if this run is interrupted, the next one begins anew."
            logger.warning(text, error.strerror or error)
            partial.unlink(missing_ok=True)
            self.clear()

    def _read_record(self) -> dict[str, Any]:
        """Read what the pieces that are there were made from; nothing where that cannot be read."""
        try:
            record = json.loads(self._record.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return record if isinstance(record, dict) else {}
