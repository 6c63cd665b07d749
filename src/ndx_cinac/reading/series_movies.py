"""The lazy movie behind a chosen image series: in the file, or in TIFF files beside it."""

from __future__ import annotations

from pathlib import Path, PureWindowsPath
from typing import Any

import numpy as np
from hdmf.data_utils import AbstractDataChunkIterator, DataIO

from ..errors import ReadingError
from ..movies import ArrayMovie, Movie, StoredMovie
from .file_contents import MovieCandidate, external_files
from .tiff_movies import TiffMovie


def open_movie(candidate: MovieCandidate, path: Path | None) -> Movie:
    """Open the movie of a series.

    Parameters
    ----------
    candidate : MovieCandidate
        The series.
    path : Path or None
        The NWB file, from whose folder relative external files are found; None: from the current folder.

    Raises
    ------
    ReadingError
        If an external file is missing, or the data are no movie of one plane and one channel.
    """
    series = candidate.series
    files = external_files(series)
    if files is not None:
        folder = Path.cwd() if path is None else path.resolve().parent
        paths = [_external_path(name, folder) for name in files]
        for name, each in zip(files, paths, strict=True):
            if name.startswith(("\\\\", "//")):  # opening it would log in there
                what = f"The movie's external_file '{name}' lies on another computer"
                fix = "Copy it beside the NWB file, or give it with movie= (--movie)"
                raise ReadingError(what, where=candidate.path, fix=fix)
            if not each.is_file():
                what = f"The movie's external_file '{name}' does not exist at '{each}'"
                fix = "Put it there, or give the movie with movie= (--movie)"
                raise ReadingError(what, where=candidate.path, fix=fix)
        return TiffMovie(paths, _starting_frames(series, len(paths)))
    data = series.data
    if isinstance(data, DataIO):
        data = data.data
    if isinstance(data, AbstractDataChunkIterator):
        what = "The movie's data are an iterator that was not written yet"
        raise ReadingError(what, where=candidate.path, fix="Write the file, and read the written one")
    if isinstance(data, list | tuple | np.ndarray):
        return ArrayMovie(np.asarray(data))
    return StoredMovie(data, candidate.path)


def _external_path(name: str, folder: Path) -> Path:
    """Where an external file lies: relative paths, of any system, start from the NWB file's folder."""
    path = Path(name)
    if "\\" in name and not (folder / path).exists():
        path = Path(PureWindowsPath(name).as_posix())
    return path if path.is_absolute() else folder / path


def _starting_frames(series: Any, count: int) -> list[int] | None:
    """Return `starting_frame` where it says something: one entry per file, no two alike."""
    frames = series.starting_frame
    values = [] if frames is None else [int(frame) for frame in frames[:]]
    return values if len(set(values)) == count == len(values) else None
