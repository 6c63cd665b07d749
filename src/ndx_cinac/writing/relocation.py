"""A copied NWB file in another folder: its relative paths still lead to its movies and linked files."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path, PureWindowsPath
from typing import Any

import h5py
import numpy as np

from ..errors import OutputError
from ..extras import require
from .stored import consolidate


def relocate(copied: Path, source: Path, folder: Path, *, refuse: bool = True) -> bool:
    """Rewrite the relative paths inside a copy so that they hold from its new folder.

    Parameters
    ----------
    copied : Path
        The copy, an HDF5 file or a Zarr folder; it is changed.
    source : Path
        The file that it was copied from: its folder is what the relative paths start from.
    folder : Path
        The folder in which the copy will lie.
    refuse : bool
        Whether values that lie in other files and cannot be led to anew are refused; else they are left.

    Returns
    -------
    bool
        Whether there was anything to rewrite.

    Raises
    ------
    OutputError
        If a dataset keeps its values in another file in a way that cannot be rewritten.
    """
    move = Move((source.parent.resolve(), source.resolve().parent), folder.resolve(), refuse)
    if set(move.old) == {move.new}:
        return False
    if copied.is_dir():
        return _relocate_zarr(copied, move)
    with h5py.File(copied, "r+") as file:
        rewritten = [_relocate_object(group, name, link, move) for group, name, link in list(_walk(file))]
        return any(rewritten)


@dataclass(frozen=True)
class Move:
    """From where to where a copy goes.

    Attributes
    ----------
    old : tuple of Path
        Folders that relative paths may start from: the source's own and, where it is a link, that of
        the file it leads to.
    new : Path
        The copy's folder.
    refuse : bool
        Whether values in other files that cannot be led to anew are refused.
    """

    old: tuple[Path, ...]
    new: Path
    refuse: bool = True

    def path(self, value: str) -> str:
        """Return a path as it holds from the new folder."""
        found = [folder for folder in self.old if value.strip() and (folder / value).exists()]
        return moved(value, (found or self.old)[0], self.new)


def moved(value: str, old: Path, new: Path) -> str:
    """Return a path that is relative to `old` as one relative to `new`.

    It becomes absolute between different drives. Absolute paths, web addresses and the empty path are
    returned as they are.

    Examples
    --------
    >>> moved("movies/day1.tif", Path("/data/raw"), Path("/data/derived"))
    '../raw/movies/day1.tif'
    """
    if (
        not value.strip()
        or "://" in value
        or Path(value).is_absolute()
        or PureWindowsPath(value).is_absolute()
    ):
        return value
    target = os.path.normpath(old / value)
    try:
        return Path(os.path.relpath(target, new)).as_posix()
    except ValueError:  # another drive on Windows
        return Path(target).as_posix()


def _walk(group: h5py.Group) -> Iterator[tuple[h5py.Group, str, Any]]:
    """Yield (group, name, link) of everything below `group`, following hard links only."""
    for name in list(group):
        link = group.get(name, getlink=True)
        yield group, name, link
        if isinstance(link, h5py.HardLink) and group.get(name, getclass=True) is h5py.Group:
            yield from _walk(group[name])


def _relocate_object(group: h5py.Group, name: str, link: Any, move: Move) -> bool:
    """Rewrite one link to another file, or one list of external files; say whether there was any."""
    if isinstance(link, h5py.ExternalLink):
        path = move.path(link.filename)
        if path != link.filename:
            del group[name]
            group[name] = h5py.ExternalLink(path, link.path)
        return bool(path != link.filename)
    if not isinstance(link, h5py.HardLink) or group.get(name, getclass=True) is not h5py.Dataset:
        return False
    dataset = group[name]
    if name == "external_file" and h5py.check_string_dtype(dataset.dtype) is not None:
        before = [str(value) for value in np.atleast_1d(dataset.asstr()[()])]
        after = [move.path(value) for value in before]
        if after != before:
            _rewrite_text(group, name, after)
        return after != before
    if move.refuse and _leads_outside(dataset):
        what = (
            f"The values of '{dataset.name}' lie in another file, which a copy in another folder would lose"
        )
        raise OutputError(what, where=group.file.filename, fix="Write the copy into the source's folder")
    return False


def _leads_outside(dataset: h5py.Dataset) -> bool:
    """Whether a dataset's values lie in raw or HDF5 files that it names by a relative path."""
    names = [part[0] for part in dataset.external or []]
    if dataset.is_virtual:
        names += [part.file_name for part in dataset.virtual_sources() if part.file_name != "."]
    return any(not Path(name).is_absolute() for name in names)


def _rewrite_text(group: h5py.Group, name: str, values: list[str]) -> None:
    """Replace the values of a text dataset and keep its attributes."""
    dataset = group[name]
    if h5py.check_string_dtype(dataset.dtype).length is None:
        dataset[...] = np.array(values, dtype=object).reshape(dataset.shape)
        return
    attributes = dict(dataset.attrs)  # text of fixed length may be too short for the new paths
    del group[name]
    group.create_dataset(name, data=np.array(values, dtype=object), dtype=h5py.string_dtype())
    group[name].attrs.update(attributes)


def _relocate_zarr(copied: Path, move: Move) -> bool:
    """Rewrite links to other stores and lists of external files in a Zarr folder; say whether there are."""
    zarr = require("zarr", extra="zarr", feature="Copying a Zarr file")
    found = False
    for file in list(copied.rglob("external_file/.zarray")):
        array = zarr.open_array(str(file.parent), mode="r+")
        array[...] = np.array([move.path(str(value)) for value in array[...].ravel()], dtype=object)
        found = True
    for file in list(copied.rglob(".zattrs")):
        attributes = json.loads(file.read_text())
        links = [link for link in attributes.get("zarr_link", []) if link.get("source", ".") != "."]
        # such a path starts inside the store's folder
        inside = replace(move, old=tuple(old / copied.name for old in move.old), new=move.new / copied.name)
        for link in links:
            link["source"] = inside.path(link["source"])
        if links:
            file.write_text(json.dumps(attributes))
            found = True
    if found:
        consolidate(copied)
    return found
