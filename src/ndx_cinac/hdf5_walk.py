"""Walk through an HDF5 file as a reader would: run as a script, in a process that may end in a crash.

Weights in a network's file count as one. It imports nothing of ndx-cinac, so that it starts in the time
that h5py takes.
"""

from __future__ import annotations

import sys
import time
import zipfile
from contextlib import ExitStack
from typing import Any

import h5py

MOST_BYTES = 2**20
"""Datasets of up to so many bytes are read; of lists and texts, this counts what points to them."""

ROWS_TOGETHER = 256
"""Rows of lists that are read together: many can name the same long one."""

MOST_MEMORY = 2**31
"""Bytes that this process may take, where the system can limit that."""

TOO_LARGE = 3
"""What this process ends with where a single value would take more."""

MOST_SECONDS = 5.0
"""Large files are walked through for so long."""


class TooLargeError(Exception):
    """A value takes more memory than this process may have."""


def walk(path: str) -> int:
    """Read all attributes, types, texts, lists and references, and small arrays, and keep nothing.

    Whatever else HDF5 reports as an error is left to whom it concerns. What matters is whether this comes
    back.

    Returns
    -------
    int
        0, or `TOO_LARGE`.
    """
    end = time.monotonic() + MOST_SECONDS
    try:
        with ExitStack() as opened:
            file = opened.enter_context(h5py.File(_content(path, opened), "r"))
            waiting: list[Any] = [file]
            seen = set()
            while waiting and time.monotonic() < end:
                found = waiting.pop()
                info = h5py.h5o.get_info(found.id)
                if (info.fileno, info.addr) not in seen:
                    seen.add((info.fileno, info.addr))
                    waiting.extend(_read(found))
    except TooLargeError:
        return TOO_LARGE
    except Exception:  # any error of h5py: a reader meets it again, and says so
        return 0
    return 0


def _content(path: str, opened: ExitStack) -> Any:
    """Return what h5py opens: the file itself, or the weights in a file of Keras."""
    if not zipfile.is_zipfile(path) or h5py.is_hdf5(path):
        return path
    return opened.enter_context(opened.enter_context(zipfile.ZipFile(path)).open("model.weights.h5"))


def _read(found: Any) -> list[Any]:
    """Read what lies at one place; return the objects below it."""
    for name in _or_nothing(lambda: list(found.attrs)):
        _or_nothing(lambda name=name: found.attrs[name])
    if isinstance(found, h5py.Dataset):
        _or_nothing(lambda: _read_dataset(found))
        return []
    names = _or_nothing(lambda: list(found))
    links = [name for name in names if _or_nothing(lambda name=name: _is_hard(found, name))]
    return [below for name in links if (below := _or_nothing(lambda name=name: found[name]))]


def _read_dataset(dataset: Any) -> None:
    """Read a dataset, if it is small."""
    if dataset.shape is None or dataset.size * dataset.dtype.itemsize > MOST_BYTES:
        return
    if dataset.dtype.hasobject and dataset.ndim:
        for start in range(0, len(dataset), ROWS_TOGETHER):
            _read_rows(dataset, start, min(start + ROWS_TOGETHER, len(dataset)))
        return
    dataset[()]


def _read_rows(dataset: Any, start: int, stop: int) -> None:
    """Read rows of lists or texts; one by one, where they are too large together."""
    try:
        _or_nothing(lambda: dataset[start:stop])
    except TooLargeError:
        if stop - start == 1:
            raise
        for row in range(start, stop):
            _read_rows(dataset, row, row + 1)


def _is_hard(group: Any, name: str) -> bool:
    return isinstance(group.get(name, getlink=True), h5py.HardLink)


def _or_nothing(action: Any) -> Any:
    """Return what an action gives, and nothing where it fails."""
    try:
        return action()
    except TooLargeError:
        raise
    except Exception as error:  # as above
        if isinstance(error, MemoryError) or "alloc" in str(error).lower():
            raise TooLargeError from error
        return ()


def limit_memory() -> None:
    """Let this process fail where it would take more than `MOST_MEMORY`."""
    try:
        import resource
    except ImportError:  # Windows
        return
    _or_nothing(lambda: resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY, MOST_MEMORY)))


if __name__ == "__main__":
    limit_memory()
    sys.exit(walk(sys.argv[1]))
