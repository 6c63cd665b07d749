"""Links of an HDF5 file that lead in circles, found before anything follows them.

Readers of NWB follow links by recursion. In a circle that ends at Python's limit of recursion, and where the
limit is met inside h5py, its global lock stays taken: every other thread of the process then waits for ever.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeAlias

import h5py
from h5py import h5g, h5l, h5o

DEEPEST = 100
"""Groups within groups that are followed; NWB files have about ten."""

Address: TypeAlias = tuple[int, int]
Level: TypeAlias = tuple[Address, str, Iterator[tuple[str, h5g.GroupID]]]


def link_fault(file: h5py.File) -> str:
    """Say which link of a file cannot be followed to its end.

    Parameters
    ----------
    file : h5py.File
        The file, open for reading. Each group is visited once, no dataset.

    Returns
    -------
    str
        What is wrong, as a part of a sentence; empty where nothing is.
    """
    root = file["/"].id
    levels: list[Level] = [(_address(root), "", _groups_in(root))]
    above = {levels[0][0]: "/"}
    done: set[Address] = set()
    while levels:
        address, path, below = levels[-1]
        name, group = next(below, ("", None))
        if group is None:
            levels.pop()
            del above[address]
            done.add(address)
            continue
        found, where = _address(group), f"{path}/{name}"
        if found in above:
            return f"the link '{where}' leads back to '{above[found]}', inside which it lies"
        if len(levels) > DEEPEST:
            return f"'{where[:80]} ...' lies more than {DEEPEST} groups deep"
        if found not in done:
            levels.append((found, where, _groups_in(group)))
            above[found] = where
    return ""


def _groups_in(group: h5g.GroupID) -> Iterator[tuple[str, h5g.GroupID]]:
    """Yield names and groups that the links of a group lead to, in this file; others are passed over."""
    names: list[bytes] = []
    group.links.iterate(names.append)
    for name in names:
        if group.links.get_info(name).type not in (h5l.TYPE_HARD, h5l.TYPE_SOFT):
            continue
        try:
            if h5o.get_info(group, name).type == h5o.TYPE_GROUP:
                yield name.decode(errors="replace"), h5o.open(group, name)
        except (KeyError, OSError, RuntimeError):
            continue  # what needs it says so when it is read


def _address(group: h5g.GroupID) -> Address:
    """Return what tells one group of the open files from all others."""
    info = h5o.get_info(group)
    return info.fileno, info.addr
