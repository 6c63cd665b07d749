"""Opening NWB files, HDF5 or Zarr, with one clear sentence where that fails."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import h5py
from pynwb import NWBHDF5IO, NWBFile

from ..errors import CinacError, ReadingError
from ..extras import require
from ..hdf5_heaps import heap_fault
from ..hdf5_links import link_fault
from ..hdf5_probe import crash_fault
from ..movies import Movie

ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:/")
"""How an address begins, even where a Path has made one slash of two; a Windows drive has one letter only."""


LONGEST_REASON = 300
"""Characters of another package's message that are passed on."""


@dataclass
class OpenedFile:
    """An NWBFile that can be read from.

    Attributes
    ----------
    nwbfile : NWBFile
        The file's contents, lazy.
    path : Path or None
        Where it lies; None for one that lives only in memory.
    close : callable or None
        Closes what was opened here; None for an NWBFile that the caller holds open.
    dandi_asset, digest : str or None
        The DANDI asset that it is, and its digest as "algorithm:value".
    prepare_movie : callable or None
        Returns a movie that is read from far away in the way that suits it.
    """

    nwbfile: NWBFile
    path: Path | None
    close: Callable[[], None] | None = None
    dandi_asset: str | None = None
    digest: str | None = None
    prepare_movie: Callable[[Movie], Movie] | None = None


def open_nwbfile(source: str | Path | NWBFile | OpenedFile) -> OpenedFile:
    """Open an NWB file for reading; what is open already is passed on and stays the caller's to close.

    Raises
    ------
    ReadingError
        If the path does not exist, is no HDF5 file and no Zarr store, is damaged, or holds no NWB data.
    MissingExtraError
        If it is a Zarr store and hdmf-zarr is not installed.
    """
    if isinstance(source, OpenedFile):
        return replace(source, close=None)
    if isinstance(source, NWBFile):
        origin = getattr(source, "container_source", None)
        return OpenedFile(source, Path(origin) if origin and Path(origin).exists() else None)
    path = check_path(source)
    return _open_zarr(path) if path.is_dir() else _open_hdf5(path)


def check_path(source: str | Path) -> Path:
    """Return the path of an NWB file; a glance at the file, which takes no time, says whether it is one.

    Raises
    ------
    ReadingError
        If the path does not exist, is no HDF5 file and no Zarr store, is truncated, or holds no NWB data.
    """
    if ADDRESS.match(str(source)):
        what = f"'{source}' is an address, not a path"
        raise ReadingError(what, fix="Download the file, or open it with pynwb and give the NWBFile object")
    path = Path(source).expanduser()
    try:
        there = path.exists()
        if there and not path.is_dir():
            path.open("rb").close()
    except PermissionError as error:
        what = f"'{path}' may not be read"
        raise ReadingError(what, fix="Ask its owner for the right to read it") from error
    if not there:
        what = f"'{path}' does not exist"
        raise ReadingError(what, fix="Check the path; relative paths start from the current folder")
    if not path.is_dir():
        _check_hdf5(path)
    elif not is_zarr_store(path):
        what = f"'{path}' is a folder but no Zarr store"
        raise ReadingError(what, fix="Give the path of one NWB file")
    return path


def is_zarr_store(folder: Path) -> bool:
    """Whether a folder is a Zarr store."""
    return any((folder / name).exists() for name in (".zgroup", ".zmetadata", "zarr.json"))


def _open_hdf5(path: Path) -> OpenedFile:
    """Open an HDF5 file."""
    io = None
    try:
        io = NWBHDF5IO(str(path), mode="r")
        return OpenedFile(io.read(), path, io.close)
    except Exception as error:  # damaged contents surface as any exception of h5py, hdmf or pynwb
        if io is not None:
            io.close()
        raise _unreadable(path, error) from error


def _check_hdf5(path: Path) -> None:
    """Raise where a file is no HDF5, is truncated, or holds no NWB data."""
    if path.stat().st_size == 0:
        what = f"'{path}' is empty"
        raise ReadingError(what)
    try:
        if not h5py.is_hdf5(path):
            what = f"'{path}' is no NWB file: it is neither HDF5 nor a Zarr folder"
            raise ReadingError(what)
        fault = heap_fault(path) or crash_fault(path)
        if fault:
            raise _damaged(path, fault)
        with h5py.File(path, "r") as file:
            is_nwb = "nwb_version" in file.attrs
            fault = link_fault(file)
    except OSError as error:
        if "truncated" in str(error):
            what = f"'{path}' is truncated: part of it is missing"
            raise ReadingError(what, fix="Copy or download it again") from error
        what = f"'{path}' cannot be opened: {error}"
        raise ReadingError(
            what, fix="Check that it is whole and that no other program writes to it"
        ) from error
    if fault:
        raise _damaged(path, fault)
    if not is_nwb:
        what = f"'{path}' is an HDF5 file but no NWB file: it has no attribute nwb_version"
        raise ReadingError(what)


def _damaged(path: Path, fault: str) -> ReadingError:
    """Return the error for a file that must not be opened."""
    what = f"'{path}' is damaged: {fault}"
    return ReadingError(what, fix="Copy or download it again")


def _open_zarr(path: Path) -> OpenedFile:
    """Open a folder that is a Zarr store."""
    hdmf_zarr = require("hdmf_zarr", extra="zarr", feature="An NWB file in Zarr format")
    io = None
    try:
        io = hdmf_zarr.NWBZarrIO(str(path), mode="r")
        return OpenedFile(io.read(), path, io.close)
    except Exception as error:  # as above
        if io is not None:
            io.close()
        raise _unreadable(path, error) from error


@contextmanager
def readable(nwbfile: NWBFile) -> Iterator[None]:
    """Turn what reading the contents of a damaged file raises into one sentence.

    Objects are built lazily: links that lead nowhere, attributes of another type and chunks that cannot be
    decoded surface where they are first used, as any exception of h5py, hdmf or pynwb.

    Raises
    ------
    ReadingError
        In the place of any exception but our own.
    """
    try:
        yield
    except CinacError:
        raise
    except Exception as error:
        origin = str(getattr(nwbfile, "container_source", None) or "the NWB file in memory")
        raise _unreadable(Path(origin), error) from error


def _unreadable(path: Path, error: Exception) -> ReadingError:
    """Return the error for a file whose contents pynwb cannot read."""
    said = " ".join(str(error).split()) or "no more is known"
    shown = said if len(said) <= LONGEST_REASON else f"{said[:LONGEST_REASON]} ..."
    what = f"'{path}' cannot be read as an NWB file: {type(error).__name__}: {shown}"
    return ReadingError(what, fix="See what is wrong with: pynwb-validate FILE")
