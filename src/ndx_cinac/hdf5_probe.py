"""Damaged HDF5 files that end the process which reads them: tried in a process that may be lost."""

from __future__ import annotations

import functools
import os
import signal
import subprocess
import sys
from pathlib import Path

from .hdf5_walk import MOST_MEMORY, TOO_LARGE

LONGEST = 120.0
"""Seconds after which a file counts as one that HDF5 comes to no end with; a walk stops itself after 5."""

CRASHES = frozenset(
    -number
    for name in ("SIGSEGV", "SIGBUS", "SIGABRT", "SIGFPE", "SIGILL")
    if (number := getattr(signal, name, None)) is not None
)
LEAST_OF_WINDOWS = 0xC0000000
"""Statuses from here on are how Windows reports the same."""


def crash_fault(path: Path) -> str:
    """Say that reading a file ends the process or takes for ever; empty where it does not.

    The HDF5 library follows what a file says of itself, and a damaged file can lead it beyond its memory. So
    a process of its own walks through the file first (see `hdf5_walk`), once for each state of a file.

    Returns
    -------
    str
        What is wrong, as a part of a sentence. Empty, too, where no process can be started.
    """
    try:
        stat = path.stat()
    except OSError:
        return ""
    return _fault(str(path.resolve()), stat.st_size, stat.st_mtime_ns)


@functools.lru_cache(maxsize=4096)
def _fault(path: str, _size: int, _changed: int) -> str:
    python = Path(sys.executable or "").name.lower()
    if not python.startswith(("python", "pypy")) or getattr(sys, "frozen", False):
        return ""  # a program that holds Python: it would be started once more
    command = [sys.executable, "-I", str(Path(__file__).with_name("hdf5_walk.py")), path]
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}  # whose threads would take memory
    try:
        done = subprocess.run(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=LONGEST,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"the HDF5 library comes to no end with it in {LONGEST:g} s"
    except OSError:
        return ""
    status = done.returncode
    if status == TOO_LARGE:
        return f"a single text or list in it claims more than {MOST_MEMORY / 2**30:g} GiB"
    crashed = status in CRASHES if os.name == "posix" else status >= LEAST_OF_WINDOWS
    return "reading it makes the HDF5 library crash" if crashed else ""
