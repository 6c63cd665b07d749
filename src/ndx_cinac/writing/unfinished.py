"""The one temporary folder of a run, beside its goal: locked, reused by the next run, removed on success."""

from __future__ import annotations

import errno
import logging
import os
import platform
import shutil
import sys
from pathlib import Path
from typing import IO, Self

from ..errors import OutputError

SUFFIX = ".unfinished"
"""That of ``session_cinac.nwb`` is ``.session_cinac.nwb.unfinished``: archives pass hidden names over."""

LOCK = "lock"
PIECES = "*.piece"
"""Finished work that the next run goes on from, see `ndx_cinac.journal`."""

OURS = ("partial.*", "replaced.*", "*.json", PIECES, "*.new", LOCK)
"""Everything that a run puts into its folder; nothing else is ever deleted there."""

_WITHOUT_LOCKS = (errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOTSUP, errno.ENOSYS, errno.EINVAL)

logger = logging.getLogger(__name__)


class UnfinishedFolder:
    """A run's temporary folder; a context manager that holds its lock.

    It is removed when the run succeeds, or fails before any of its work was kept. Otherwise it stays, without
    the half-written output, for the next run.

    Parameters
    ----------
    goal : Path
        The file (or Zarr folder) that the run writes.

    Raises
    ------
    OutputError
        On entering, if another run works on the same goal or the folder cannot be made.
    """

    def __init__(self, goal: Path) -> None:
        self.goal = goal
        self.path = goal.with_name(f".{goal.name}{SUFFIX}")
        self.finished = False
        self._lock: IO[str] | None = None

    def partial(self, ending: str) -> Path:
        """Where the output is written before it takes the goal's name."""
        return self.path / f"partial{ending}"

    @property
    def holds_work(self) -> bool:
        """Whether finished work is kept here."""
        return any(self.path.glob(PIECES))

    def __enter__(self) -> Self:
        try:
            self._lock = self._locked()
            self._clear_up()
        except OSError as error:
            self._release()
            what = f"No temporary folder can be made beside the output: {error.strerror or error}"
            fix = "Choose an output path elsewhere (--output)"
            raise OutputError(what, where=str(self.path), fix=fix) from error
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if not self.finished and self.holds_work:
            self._clear_up()
            if kind is not None:
                text = "What is finished is kept in %s: the same command goes on from there."
                logger.warning(text, self.path)
        else:
            empty(self.path, keep_lock=True)
        self._release(remove=self.finished or not self.holds_work)

    def _locked(self) -> IO[str]:
        """Open and lock the lock file; again, if the run that held it has just removed it."""
        while True:
            self.path.mkdir(exist_ok=True)
            if self.path.is_symlink():
                raise OSError(errno.ELOOP, "the temporary folder's name is taken by a link")
            try:
                handle = (self.path / LOCK).open("a+", encoding="utf-8")
            except FileNotFoundError:
                continue  # the other run has removed the folder between the two steps
            try:
                acquire(handle)
            except BlockingIOError as error:
                handle.seek(0)
                holder = handle.read().strip()
                handle.close()
                what = "Another run works on this output" + (f" ({holder})" if holder else "")
                fix = "Wait until it ends, or choose another output path (--output)"
                raise OutputError(what, where=str(self.goal), fix=fix) from error
            if same_file(handle, self.path / LOCK):
                handle.truncate(0)
                handle.write(f"process {os.getpid()} on {platform.node()}")
                handle.flush()
                return handle
            handle.close()

    def _clear_up(self) -> None:
        """Delete what a killed run had half-written; bring back a folder that it was about to replace."""
        for put_aside in self.path.glob("replaced.*"):
            if self.goal.exists():
                remove(put_aside)
            else:
                put_aside.rename(self.goal)
        for name in ("partial.*", "*.new"):
            for left in self.path.glob(name):
                remove(left)

    def _release(self, *, remove: bool = False) -> None:
        """Give up the lock, and the folder with it."""
        if self._lock is None:
            return
        if remove and os.name != "nt":  # while it is locked, so that no other run's lock is removed
            (self.path / LOCK).unlink(missing_ok=True)
        self._lock.close()
        self._lock = None
        if remove:
            empty(self.path)


def acquire(handle: IO[str]) -> None:
    """Lock an open file until it is closed or its process ends, however it ends.

    Raises
    ------
    BlockingIOError
        If another process holds it. File systems without locks are used without.
    """
    try:
        if sys.platform == "win32":
            import msvcrt

            handle.seek(2**30)  # beyond what is read
            msvcrt.locking(handle.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise
    except OSError as error:
        if sys.platform == "win32":
            raise BlockingIOError from error
        if error.errno not in _WITHOUT_LOCKS:
            raise
        logger.info("The file system has no locks: two runs on one output are not told apart.")


def in_use(folder: Path) -> bool:
    """Whether a run holds the lock of a temporary folder now."""
    try:
        with (folder / LOCK).open("r+", encoding="utf-8") as handle:
            acquire(handle)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def same_file(handle: IO[str], path: Path) -> bool:
    """Whether an open file still has its name."""
    try:
        return os.path.samestat(os.fstat(handle.fileno()), path.stat())
    except FileNotFoundError:
        return False


def empty(folder: Path, *, keep_lock: bool = False) -> None:
    """Delete what runs of ndx-cinac put into a folder, and the folder if nothing else is in it."""
    for pattern in OURS:
        for path in folder.glob(pattern):
            if not (keep_lock and path.name == LOCK):
                remove(path)
    try:
        folder.rmdir()
    except OSError:
        return  # another run uses it already, or somebody has put something there


def remove(path: Path) -> None:
    """Delete a file or a folder, if it is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
