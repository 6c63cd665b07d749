"""Parts of HDF5 files that strangers made: taken if they lie in the file itself and hold what they claim."""

from __future__ import annotations

import math
from typing import Any, NoReturn

import h5py
import numpy as np
from numpy.typing import NDArray

from .errors import CinacError, ReadingError

LARGEST_ARRAY = 2**31
"""Bytes beyond which an array is not read into memory at once."""

MOST_EXPANSION = 10_000
"""A dataset claims more than it holds if it would be so many times larger than what is stored of it; no movie
and no mask compresses like that."""

FREE_BYTES = 2**20
"""Datasets of up to so many bytes may be as empty as they like."""

MOST_CHUNKS = 50_000
"""Chunks beyond which a dataset is not read at once: HDF5 takes some four kilobytes of memory for each."""


def empty_claim(dataset: Any) -> str:
    """Say by how much a dataset claims more than it holds; empty where it does not, or cannot be told.

    HDF5 files can describe 2^40 frames of which not one was written. Zarr arrays are judged alike.
    """
    inner = getattr(dataset, "dataset", dataset)  # hdmf wraps those that hold references or structures
    stored = _stored_bytes(inner)
    if stored is None:
        return ""
    size = math.prod(inner.shape or (0,)) * np.dtype(inner.dtype).itemsize
    if size <= max(FREE_BYTES, MOST_EXPANSION * stored):
        return ""
    return f"it claims {size:,} bytes, and the file holds {stored:,} bytes of them"


def read_fault(dataset: Any, largest: int | None = None) -> str:
    """Say why a dataset, or an array, cannot be read as a whole; empty where it can."""
    inner = getattr(dataset, "dataset", dataset)
    if not hasattr(inner, "shape") or inner.shape is None:
        return ""
    most = largest or LARGEST_ARRAY
    try:
        size = math.prod(inner.shape) * np.dtype(inner.dtype).itemsize
    except TypeError:  # a structure of references, in words of hdmf
        return ""
    if size > most:
        return f"it has {size:,} bytes, more than {most:,}"
    chunks = getattr(inner, "chunks", None)
    if chunks:
        count = math.prod(-(-n // max(1, chunk)) for n, chunk in zip(inner.shape, chunks, strict=True))
        if count > MOST_CHUNKS:
            return f"it has {count:,} chunks, more than {MOST_CHUNKS:,}"
    return empty_claim(inner)


def read_whole(data: Any, name: str, where: str) -> NDArray[Any]:
    """Read a column, or times, of an NWB file into memory, unless they cannot be meant.

    Raises
    ------
    ReadingError
        If they are too large, or claim more than the file holds.
    """
    fault = read_fault(data)
    if fault:
        what = f"'{name}' cannot be read: {fault}"
        raise ReadingError(what, where=where, fix="Copy the file again from where it was made")
    return np.asarray(data[:])


def _stored_bytes(dataset: Any) -> int | None:
    """Bytes that a dataset takes in its file; None where they lie elsewhere or are not known."""
    if isinstance(dataset, h5py.Dataset):
        if dataset.is_virtual or dataset.external:
            return None
        return int(dataset.id.get_storage_size())
    stored = getattr(dataset, "nbytes_stored", None)
    return int(stored) if isinstance(stored, int) and stored >= 0 else None


class FilePart:
    """A group of an HDF5 file, from which nothing is taken that lies elsewhere, or is other than asked for.

    Parameters
    ----------
    group : h5py.Group
        The group.
    where : str
        The file, for messages.
    error : type of CinacError
        What is raised.
    """

    def __init__(self, group: h5py.Group, where: str, error: type[CinacError]) -> None:
        self.group, self._where, self._error = group, where, error

    def __contains__(self, name: str) -> bool:
        return self._link(name) is not None

    def part(self, name: str) -> FilePart:
        """Return a group in this one."""
        return FilePart(self._child(name, h5py.Group, "group"), self._where, self._error)

    def dataset(self, name: str, kinds: str = "buif") -> h5py.Dataset:
        """Return a dataset of this group, of which nothing is read yet.

        Parameters
        ----------
        name : str
            Its name.
        kinds : str
            Kinds of NumPy that its values may be of; "O" for values of variable length.
        """
        found = self._child(name, h5py.Dataset, "dataset")
        try:
            kind, shape = found.dtype.kind, found.shape
            virtual = found.is_virtual or found.external
        except (TypeError, ValueError, RuntimeError, OSError) as error:
            self.refuse(name, f"has a type that is not known here: {error}", error)
        if virtual:
            self.refuse(name, "lies in another file")
        if shape is None or kind not in kinds:
            self.refuse(name, f"has values of type {found.dtype}, which do not belong there")
        return found

    def array(self, name: str, kinds: str = "buif", largest: int | None = None) -> NDArray[Any]:
        """Read a dataset, if it is not too large.

        Parameters
        ----------
        name, kinds
            As in `dataset`.
        largest : int, optional
            Most bytes; `LARGEST_ARRAY` if not given.
        """
        found = self.dataset(name, kinds)
        fault = read_fault(found, largest)
        if fault:
            self.refuse(name, f"cannot be read: {fault}")
        return np.asarray(self.read(name, found, ()))

    def read(self, name: str, dataset: h5py.Dataset, index: Any) -> Any:
        """Read a part of a dataset."""
        try:
            return dataset[index]
        except (OSError, RuntimeError, ValueError, TypeError, MemoryError) as error:
            self.refuse(name, f"cannot be read: {error}", error)

    def attribute(self, name: str) -> Any:
        """Return an attribute as Python holds it; None where there is none."""
        try:
            value = self.group.attrs.get(name)
        except (OSError, RuntimeError, ValueError, TypeError, KeyError) as error:
            self.refuse(f"@{name}", f"cannot be read: {error}", error)
        return value.item() if isinstance(value, np.generic) else value

    def refuse(self, name: str, what: str, cause: Exception | None = None) -> NoReturn:
        """Raise the error for a part of this group."""
        path = f"{self.group.name.rstrip('/')}/{name}"
        sentence = f"'{name}' {what}"
        raise self._error(sentence, where=f"{self._where}, {path}") from cause

    def _link(self, name: str) -> Any:
        """Return how a part is linked; None where there is none."""
        try:
            return self.group.get(name, getlink=True)
        except (OSError, RuntimeError, ValueError, KeyError) as error:
            self.refuse(name, f"cannot be read: {error}", error)

    def _child(self, name: str, kind: type, noun: str) -> Any:
        link = self._link(name)
        if link is None:
            self.refuse(name, "is missing")
        if not isinstance(link, h5py.HardLink):
            self.refuse(name, "is a link to elsewhere, which is not followed")
        try:
            found = self.group[name]
        except (OSError, RuntimeError, ValueError, KeyError) as error:
            self.refuse(name, f"cannot be read: {error}", error)
        if not isinstance(found, kind):
            self.refuse(name, f"is no {noun}")
        return found
