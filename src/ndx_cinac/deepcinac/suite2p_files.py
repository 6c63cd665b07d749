"""suite2p's stat.npy and iscell.npy, read without running anything that they may contain.

stat.npy is a pickled array of dictionaries, and a pickle can call any function. Here only those can be called
that make NumPy arrays and numbers; whatever else a file names is refused.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from ..errors import ReadingError

_MULTIARRAY: Any = np.array(0).__reduce__()[0]  # what rebuilds an array from a pickle
_SCALAR: Any = np.float64(0).__reduce__()[0]


def _plain_bytes(text: str, encoding: str) -> bytes:
    """Bytes as protocol 2 writes them: text in Latin-1."""
    return text.encode("latin1" if encoding != "latin1" else encoding)


_ALLOWED: Mapping[tuple[str, str], Callable[..., Any]] = {
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
    ("numpy.core.multiarray", "_reconstruct"): _MULTIARRAY,
    ("numpy._core.multiarray", "_reconstruct"): _MULTIARRAY,
    ("numpy.core.multiarray", "scalar"): _SCALAR,
    ("numpy._core.multiarray", "scalar"): _SCALAR,
    ("_codecs", "encode"): _plain_bytes,
}


# What unpickling a damaged file, or one of another kind, raises.
_BROKEN = (
    *(OSError, ValueError, EOFError, TypeError, AttributeError, LookupError),
    *(pickle.UnpicklingError, OverflowError, MemoryError, RecursionError),
)


class _ArraysOnly(pickle.Unpickler):
    """Makes arrays, numbers, texts and containers of them, and calls nothing else."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _ALLOWED:
            what = f"it names {module}.{name}, which is not part of an array"
            raise pickle.UnpicklingError(what)
        return _ALLOWED[module, name]


def read_suite2p_pixels(
    stat_file: str | Path, is_cell_file: str | Path | None = None
) -> list[NDArray[np.float64]]:
    """Pixels of suite2p's ROIs.

    Parameters
    ----------
    stat_file : str or Path
        ``stat.npy``.
    is_cell_file : str, Path or None
        ``iscell.npy``; only the ROIs that it calls cells are returned. None returns all.

    Returns
    -------
    list of ndarray of float64, shape (n_pixels, 2)
        As (x, y).

    Raises
    ------
    ReadingError
        If a file cannot be read, names anything but arrays, or the two do not belong together.
    """
    stat = _load_objects(Path(stat_file))
    cells = np.ones(len(stat), bool)
    if is_cell_file is not None:
        said = _load_plain(Path(is_cell_file))
        cells = (said[:, 0] if said.ndim > 1 else said) > 0  # the second column says how probably
    if len(cells) != len(stat):
        what = f"iscell.npy speaks of {len(cells)} ROIs, stat.npy of {len(stat)}"
        where = f"{is_cell_file}, {stat_file}"
        raise ReadingError(what, where=where, fix="Give two files of one suite2p run")
    chosen = [entry for entry, is_cell in zip(stat, cells, strict=True) if is_cell]
    try:
        return [np.stack([entry["xpix"], entry["ypix"]], axis=1).astype(np.float64) for entry in chosen]
    except (KeyError, TypeError, ValueError, IndexError) as error:
        what = "An ROI of stat.npy lacks the arrays 'xpix' and 'ypix' of equal length"
        raise ReadingError(what, where=str(stat_file)) from error


def _load_plain(path: Path) -> NDArray[Any]:
    try:
        array: NDArray[Any] = np.load(path, allow_pickle=False, mmap_mode="r")  # of the size that it claims?
        array = np.array(array)
    except (OSError, ValueError, EOFError) as error:
        what = f"The file cannot be read as an array: {error}"
        raise ReadingError(what, where=str(path)) from error
    return array


def _load_objects(path: Path) -> NDArray[Any]:
    """Read the one-dimensional array of objects in an .npy file."""
    try:
        with path.open("rb") as file:
            shape = _header(file)
            array = np.asarray(_ArraysOnly(file, encoding="latin1").load(), dtype=object)
    except _BROKEN as error:
        what = f"stat.npy cannot be read: {error}"
        raise ReadingError(what, where=str(path), fix="Give the stat.npy that suite2p wrote") from error
    if array.shape != shape or array.ndim != 1:
        what = f"stat.npy holds objects of shape {array.shape}, not a list of ROIs"
        raise ReadingError(what, where=str(path))
    return array


def _header(file: BinaryIO) -> tuple[int, ...]:
    """Shape of an .npy file's array of objects; the file is left where the pickle begins."""
    version = npy.read_magic(file)
    read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
    shape, _, dtype = read(file)
    if not dtype.hasobject:
        what = "it holds numbers, not ROIs"
        raise ValueError(what)
    return tuple(shape)
