"""A check of the heaps in which HDF5 files keep lists of any length: damaged ones can make HDF5 loop.

Format: "Global Heap" in the HDF5 File Format Specification (level 1E).
"""

from __future__ import annotations

import mmap
from functools import lru_cache
from pathlib import Path

import h5py
import numpy as np
from h5py._objects import phil as hdf5_lock

SIGNATURE = b"GCOL\x01\x00\x00\x00"
LARGEST_FILE = 2**28
"""Bytes of a file up to which all of it is looked through; of larger ones that would take seconds."""

ENTRY = np.dtype([("length", "<u4"), ("address", "<u8"), ("index", "<u4")])
"""How a list of any length is stored: how long it is, in which heap it lies, and as which object."""

HEAD = 16
"""Bytes before the first object, and before the content of each."""


def heap_fault(path: Path) -> str:
    """Say which heap of a file cannot be walked through; empty where all can be, or it is empty or large."""
    stat = path.stat()
    return _heap_fault(path.resolve(), stat.st_size, stat.st_mtime_ns, stat.st_ino)


@lru_cache(maxsize=32)
def _heap_fault(path: Path, size: int, *_changes: int) -> str:
    """Look through a file once, as long as it does not change: a prediction asks several times."""
    if not 0 < size <= LARGEST_FILE:
        return ""
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        start = content.find(SIGNATURE)
        while start >= 0:
            if not _is_whole(content, start):
                return f"the heap at byte {start:,} is damaged"
            start = content.find(SIGNATURE, start + len(SIGNATURE))
    return ""


def _is_whole(content: mmap.mmap, start: int) -> bool:
    """Whether the objects of a heap follow each other up to its end."""
    end = start + _number(content, start + 8, 8)
    position = start + HEAD
    if not position <= end <= len(content):
        return False
    while end - position >= HEAD:
        index, size = _number(content, position, 2), _number(content, position + 8, 8)
        if index == 0:  # free space up to the end, its own head included
            return size == end - position
        position += HEAD + -(-size // 8) * 8
    return position <= end


def _number(content: mmap.mmap, place: int, length: int) -> int:
    return int.from_bytes(content[place : place + length], "little")


def longest_list(dataset: h5py.Dataset) -> int:
    """Bytes that the longest list of a dataset claims to have: HDF5 takes memory for it before it looks.

    Raises
    ------
    OSError
        If the dataset is stored in a way in which that cannot be told.
    """
    entries = _stored_entries(dataset)
    base = h5py.check_vlen_dtype(dataset.dtype)
    if base is None or dataset.id.get_type().get_size() != ENTRY.itemsize or len(entries) % ENTRY.itemsize:
        what = "its lists are not stored as lists of numbers are"
        raise OSError(what)
    lengths = np.frombuffer(entries, ENTRY)["length"].tolist()
    return max(lengths, default=0) * int(np.dtype(base).itemsize)


def _stored_entries(dataset: h5py.Dataset) -> bytes:
    """Read the bytes that say of each list how long it is and where it lies."""
    if dataset.chunks is None:
        offset, size = dataset.id.get_offset(), dataset.id.get_storage_size()
        if offset is None:
            return b""
        path = Path(dataset.file.filename)
        if size > path.stat().st_size:
            what = f"it claims {size:,} bytes, more than the file has"
            raise OSError(what)
        with path.open("rb") as file:
            file.seek(offset)
            return file.read(size)
    parts = []
    for index in range(dataset.id.get_num_chunks()):
        with hdf5_lock:  # h5py before 3.16 forgets it here: see chunk_reading
            mask, part = dataset.id.read_direct_chunk(dataset.id.get_chunk_info(index).chunk_offset)
        if dataset.id.get_create_plist().get_nfilters() and not mask:
            what = "its lists are compressed"
            raise OSError(what)
        parts.append(part)
    return b"".join(parts)
