"""A finished file or folder takes the place of what is there, in one step that cannot be seen half done."""

from __future__ import annotations

import ctypes
import os
import shutil
import sys
from pathlib import Path

_AT_FDCWD = -100
_RENAME_EXCHANGE = 2
_RENAME_SWAP = 2


def replace_whole(partial: Path, goal: Path) -> None:
    """Rename `partial` to `goal`, in the place of what is there.

    A file is replaced in one step everywhere. A folder cannot be: where the system can exchange two names
    (Linux, macOS) they are exchanged, else the old one is put aside under ``replaced.*`` beside `partial`,
    from where the next run brings it back if this one is killed right then.

    Raises
    ------
    OSError
        If that fails; both are then where they were.
    """
    if not (goal.is_dir() and partial.is_dir()):
        partial.replace(goal)
        return
    if exchange(partial, goal):
        shutil.rmtree(partial)
        return
    aside = partial.with_name(f"replaced{partial.suffix}")
    goal.rename(aside)
    try:
        partial.rename(goal)
    except OSError:
        aside.rename(goal)
        raise
    shutil.rmtree(aside)


def exchange(one: Path, other: Path) -> bool:
    """Exchange the names of two files or folders in one step; False where the system cannot."""
    names = os.fsencode(one), os.fsencode(other)
    try:
        library = ctypes.CDLL(None)
        if sys.platform == "darwin":
            return bool(library.renamex_np(*names, _RENAME_SWAP) == 0)
        return bool(library.renameat2(_AT_FDCWD, names[0], _AT_FDCWD, names[1], _RENAME_EXCHANGE) == 0)
    except (AttributeError, OSError, TypeError):  # another system, or a C library without the function
        return False
