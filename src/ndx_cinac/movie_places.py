"""Where a movie lies, in words that another process can open it by."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import h5py

from .extras import require
from .movies import Movie, StoredMovie
from .reading.tiff_movies import TiffMovie


@dataclass(frozen=True)
class MoviePlace:
    """Where a movie lies.

    Attributes
    ----------
    paths : tuple of Path
        An HDF5 file, a Zarr folder, or TIFF stacks in order of time; absolute.
    dataset : str
        Path of the frames in it; empty for TIFF stacks.
    """

    paths: tuple[Path, ...]
    dataset: str = ""


def place_of(movie: Movie) -> MoviePlace | None:
    """Return where a movie lies; None for one that only this process has, or reads well.

    The latter are movies whose chunks are so long that they are copied before they are read, and streamed
    ones: each process would do all of that again.
    """
    if type(movie) is TiffMovie:
        return MoviePlace(tuple(path.resolve() for path in movie.paths))
    if type(movie) is not StoredMovie or movie.temporary_bytes:
        return None
    dataset = movie.dataset
    if isinstance(dataset, h5py.Dataset):
        return MoviePlace((Path(dataset.file.filename).resolve(),), dataset.name)
    folder = getattr(getattr(dataset, "store", None), "path", None)
    if folder is None or not Path(folder).is_dir():
        return None
    return MoviePlace((Path(folder).resolve(),), str(dataset.path))


@contextmanager
def opened_place(place: MoviePlace) -> Iterator[Movie]:
    """Open a movie where it lies, and close it."""
    if not place.dataset:
        tiff = TiffMovie(place.paths)
        try:
            yield tiff
        finally:
            tiff.close()
    elif place.paths[0].is_dir():
        zarr = require("zarr", extra="zarr", feature="A movie in a Zarr folder")
        yield StoredMovie(zarr.open(str(place.paths[0]), mode="r")[place.dataset], place.dataset)
    else:
        with h5py.File(place.paths[0], "r") as file:
            yield StoredMovie(file[place.dataset], place.dataset)
