"""Copies of files that are as cheap as the system makes them."""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path

STEP = 2**26
"""Bytes that the system is asked to copy at once: between two requests a copy can be interrupted."""

UNABLE = frozenset(
    {errno.EBADF, errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP, errno.EPERM, errno.ETXTBSY, errno.EXDEV}
)
"""What the system says where it cannot copy a range of one file into another by itself."""


def copy_content(source: Path, target: Path) -> None:
    """Copy a file's content, without its mode, into a new file.

    On Linux the system does it by itself where it can: file systems that share blocks between files (Btrfs,
    XFS) write nothing, and a server of NFS 4.2 or SMB copies on its own side, so that a movie of 100 GB does
    not travel to this machine and back. Elsewhere it is copied as usual.

    Raises
    ------
    OSError
        If a file cannot be read or written.
    """
    if not (hasattr(os, "copy_file_range") and _copied_by_the_system(source, target)):
        shutil.copyfile(source, target)


def _copied_by_the_system(source: Path, target: Path) -> bool:
    """Copy by requests to the system; False where it does not serve them, or does not serve them all."""
    with source.open("rb") as read, target.open("wb") as written:
        left = os.fstat(read.fileno()).st_size
        while left:
            try:
                done = os.copy_file_range(read.fileno(), written.fileno(), min(left, STEP))
            except OSError as error:
                if error.errno in UNABLE:
                    return False
                raise
            if not done:  # some file systems say that there is nothing to copy
                return False
            left -= done
    return True
